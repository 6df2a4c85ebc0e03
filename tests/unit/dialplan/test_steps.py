"""Every step: what it asks of the call, and what it does with the answer."""

from pathlib import Path

import pytest

from gateway.dialplan.runtime import (
    ChoiceRequest,
    DialRequest,
    GatherRequest,
    HttpReply,
    HttpRequest,
    QueueRequest,
    RecordRequest,
    Say,
    Sound,
    TalkRequest,
)
from gateway.dialplan.steps import STEPS
from tests.unit.dialplan.plans import load, mistakes, run, write_wav
from tests.unit.dialplan.scripted_call import ScriptedCall, failure

REST = """
prompts: {menu: Press one., wait: {say: Please wait., language: de}}
flows:
  one: [{say: One.}, hangup]
  two: [{say: Two.}, hangup]
"""


def do(*steps: str) -> str:
    # The second route leads to both flows, so that they are never without use.
    listed = ", ".join(steps)
    return (
        f"routes:\n  - {{name: r, match: {{to: '1'}}, do: [{listed}]}}\n"
        "  - {name: s, match: {to: '2'}, do: [{gather: {choices: {1: one, 2: two}}}]}\n" + REST
    )


async def test_answer_ring_and_wait(tmp_path: Path) -> None:
    call = await run(
        load(tmp_path, do("ring", "{ring: 5s}", "{ring: {play: wait}}", "answer", "{wait: 500ms}", "ai"))
    )
    assert call.done[:8] == [
        ("ring", None),
        ("wait", 2.0),
        ("ring", None),
        ("wait", 5.0),
        ("ring", Say("Please wait.", "de")),
        ("wait", 2.0),
        ("answer",),
        ("wait", 0.5),
    ]


async def test_play_and_say(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav")
    steps = (
        "{play: menu}",
        "{play: [menu, {file: a.wav}]}",
        "{play: {prompts: menu, interrupt: '12'}}",
        "{play: {say: 'Hi ${digits}.', language: fr}}",
        "{say: {text: Ho., language: de}}",
    )
    call = await run(load(tmp_path, do(*steps)), ScriptedCall(play=["", "", "2"]))
    menu = Say("Press one.", "en")
    assert call.done[:-1] == [
        ("play", (menu,), ""),
        ("play", (menu, Sound(tmp_path / "a.wav")), ""),
        ("play", (menu,), "12"),
        ("play", (Say("Hi 2.", "fr"),), ""),
        ("play", (Say("Ho.", "de"),), ""),
    ]


@pytest.mark.parametrize(
    ("choices", "answers", "said"),
    [
        ("{1: one, 2: two}", ["1"], ["One."]),
        ("{1: one, 2: two}", ["2"], ["Two."]),
        ("{1: one, 2: two}", ["3"], ["After."]),
        ("{1: one, none: two}", [""], ["Two."]),
        ("{1: one, none: two}", ["9"], ["Two."]),
        ("{1: one, none: hangup, other: two}", ["9"], ["Two."]),
        ("{1: one, none: repeat 2 then two}", ["", "", ""], ["Two."]),
        ("{1: one, none: repeat 2 then two}", ["", "", "1"], ["One."]),
        ("{1: one, none: repeat 2 then two}", ["", "7", "1"], ["One."]),
        ("{1: one, none: repeat 1 then hangup, other: repeat 1 then two}", ["", "7", "8"], ["Two."]),
        ("{1: continue}", ["1"], ["After."]),
        ("{1: [{say: In place.}]}", ["1"], ["In place.", "After."]),
        ("{'*': one, '#': two}", ["*"], ["One."]),
    ],
)
async def test_gather_keys(tmp_path: Path, choices: str, answers: list[object], said: list[str]) -> None:
    plan = load(tmp_path, do(f"{{gather: {{prompts: menu, choices: {choices}}}}}", "{say: After.}"))
    call = await run(plan, ScriptedCall(gather=answers))
    assert call.said == said
    asked = [done[1] for done in call.done if done[0] == "gather"]
    assert asked == [GatherRequest((Say("Press one.", "en"),), 1, 5.0, 3.0, "#")] * len(answers)


async def test_gather_a_number_into_a_variable(tmp_path: Path) -> None:
    steps = (
        "{gather: {digits: 8, timeout: 10s, between: 2s, end_keys: '*', into: customer, "
        "choices: {none: two}}}"
    )
    call = await run(
        load(tmp_path, do(steps, "{say: 'You are ${customer}.'}")), ScriptedCall(gather=["4711"])
    )
    assert call.done[0] == ("gather", GatherRequest((), 8, 10.0, 2.0, "*"))
    assert call.said == ["You are 4711."]
    assert call.variables["digits"] == "4711"


async def test_gather_words_through_an_agent(tmp_path: Path) -> None:
    gather = (
        "{gather: {agent: sales, words: {buy: 'to buy, ${to}', ask: a question}, "
        "choices: {buy: one, none: two}}}"
    )
    plan = load(tmp_path, do(gather, "{say: After.}"))
    for answer, said in (("buy", ["One."]), ("ask", ["Two."]), ("", ["Two."])):
        call = await run(plan, ScriptedCall(choose=[answer]))
        request = ChoiceRequest("sales", {"buy": "to buy, 1", "ask": "a question"}, (), 5.0)
        assert call.done[0] == ("choose", request)
        assert call.said == said
        assert call.variables["choice"] == answer


async def test_ai(tmp_path: Path) -> None:
    ai = (
        "{ai: {agent: sales, max_duration: 20m, instructions: 'Number ${from}.', allow: ['sip:2XX@pbx'],"
        " on: {caller_silent: {after: 30s, do: one}}}}"
    )
    plan = load(tmp_path, do(ai, "{say: 'You said ${said}.'}"))
    call = await run(plan, ScriptedCall(talk=["enough"]))
    request = TalkRequest("sales", 1200.0, 30.0, "Number +491701234567.", ("sip:2XX@pbx",))
    assert call.done[0] == ("talk", request)
    assert call.said == ["You said enough."]
    call = await run(plan, ScriptedCall(talk=[failure("caller_silent")]))
    assert call.said == ["One."]
    plan = load(tmp_path, do("{ai: {agent: sales, on: {network_bad: one}}}"))
    call = await run(plan, ScriptedCall(talk=[failure("network_bad")]))
    assert call.done[0] == ("talk", TalkRequest("sales", mind_network=True))
    assert call.said == ["One."]


async def test_transfer(tmp_path: Path) -> None:
    call = await run(load(tmp_path, do("{transfer: 'sip:200@pbx'}")))
    (verb, request), end = call.done
    assert (verb, end) == ("dial", ("hang_up",))
    assert isinstance(request, DialRequest)
    assert (request.targets, request.ring_s) == (("sip:200@pbx",), 30.0)
    call = await run(load(tmp_path, do("{transfer: {to: 'sip:200@pbx', by: refer}}")))
    assert call.done == [("refer", "sip:200@pbx"), ("hang_up",)]
    call = await run(
        load(tmp_path, do("{transfer: {to: 'sip:200@pbx', by: attended, on: {not_possible: two}}}"))
    )
    assert call.said == ["Two."]
    assert call.variables["failure_reason"] == "attended transfer is not available"


@pytest.mark.parametrize(
    ("kind", "said"), [("busy", ["One."]), ("no_answer", ["Two."]), ("not_allowed", ["Two."])]
)
@pytest.mark.parametrize("step", ["bridge", "transfer"])
async def test_nobody_takes_the_call(tmp_path: Path, step: str, kind: str, said: list[str]) -> None:
    plan = load(tmp_path, do(f"{{{step}: {{to: 'sip:200@pbx', on: {{busy: one}}, else: two}}}}"))
    call = await run(plan, ScriptedCall(dial=[failure(kind)]))  # type: ignore[arg-type]
    assert call.said == said


async def test_bridge(tmp_path: Path) -> None:
    step = (
        "{bridge: {to: ['sip:${ext}@pbx', 'webrtc:anna', 'tel:+4930555'], ring: 20s, strategy: order, "
        "caller_id: '+4930${ext}', hears: wait}}"
    )
    call = await run(load(tmp_path, do("{set: {ext: '2 0;x@evil'}}", step)))
    (_, request), _ = call.done
    assert isinstance(request, DialRequest)
    assert request.targets == ("sip:2%200%3Bx%40evil@pbx", "webrtc:anna", "tel:+4930555")
    assert (request.ring_s, request.strategy, request.hears) == (20.0, "order", Say("Please wait.", "de"))
    assert request.caller_id == "+49302 0;x@evil"
    assert request.key.endswith("main.yaml:3:66")


async def test_queue(tmp_path: Path) -> None:
    step = (
        "{queue: {name: help, to: ['webrtc:anna', 'webrtc:ben'], max_wait: 1m, max_length: 3, "
        "music: wait, position_every: 20s, else: two}}"
    )
    plan = load(tmp_path, do(step))
    call = await run(plan)
    assert call.done[0] == (
        "queue",
        QueueRequest(
            name="help",
            targets=("webrtc:anna", "webrtc:ben"),
            ring_s=20.0,
            strategy="round_robin",
            max_wait_s=60.0,
            max_length=3,
            max_active=100,
            music=Say("Please wait.", "de"),
            position_every_s=20.0,
            language="en",
        ),
    )
    assert (await run(plan, ScriptedCall(queue=[failure("queue_full")]))).said == ["Two."]


async def test_record_and_voicemail(tmp_path: Path) -> None:
    steps = (
        "{record: {max: 1m, silence: 3s, end_keys: '12', beep: false, to: notes}}",
        "{say: '${recording}'}",
        "{voicemail: {greeting: menu}}",
    )
    call = await run(load(tmp_path, do(*steps)))
    assert call.done[0] == ("record", RecordRequest(60.0, 3.0, "12", False, "notes"))
    assert call.done[3] == ("record", RecordRequest(120.0, 5.0, "#", True, "voicemail"))
    assert call.said == ["recordings/voicemail/1.wav", "Press one."]
    assert ("recorded", {"duration_s": 3.2, "by": "silence"}) in call.notes


async def test_send_dtmf(tmp_path: Path) -> None:
    plan = load(tmp_path, do("{set: {code: '12*'}}", "{send_dtmf: '${code}#'}"))
    assert (await run(plan)).done[0] == ("send_dtmf", "12*#")
    plan = load(tmp_path, do("{send_dtmf: {digits: '${from}', on: {error: one}}}"))
    assert (await run(plan)).said == ["One."]


async def test_set(tmp_path: Path) -> None:
    call = await run(load(tmp_path, do("{set: {a: 1, b: true, c: 'x ${a}'}}", "{say: '${a} ${b} ${c}'}")))
    assert call.said == ["1 true x 1"]


async def test_http(tmp_path: Path) -> None:
    step = (
        "{http: {url: 'http://crm.test/who?n=${from}', headers: {X-Call: '${to}'}, timeout: 2s, "
        "set: {name: customer.name, order: customer.orders.0.id, vip: vip, none: a.b, "
        "list: customer.orders}}}"
    )
    body = {"customer": {"name": "Anna", "orders": [{"id": 7}]}, "vip": True, "a": 1}
    call = await run(
        load(tmp_path, do(step, "{say: '${name} ${order} ${vip} [${none}${list}]'}")),
        ScriptedCall(http=[HttpReply(200, body)]),
    )
    url = "http://crm.test/who?n=%2B491701234567"
    assert call.done[0] == ("http", HttpRequest("GET", url, {"X-Call": "1"}, None, 2.0))
    assert call.said == ["Anna 7 true []"]


@pytest.mark.parametrize(("value", "sent"), [("..", False), (".", False), ("a.b", True), ("../..", True)])
async def test_a_variable_does_not_lead_out_of_the_path(tmp_path: Path, value: str, sent: bool) -> None:
    url = "http://crm.test/who/${digits}/x"
    steps = (
        f"{{set: {{digits: '{value}'}}}}",
        f"{{webhook: '{url}'}}",
        f"{{http: {{url: '{url}', on: {{error: one}}}}}}",
    )
    call = await run(load(tmp_path, do(*steps, "{say: After.}")))
    assert (call.said, "notify" in call.verbs, "http" in call.verbs) == (
        ["After." if sent else "One."],
        sent,
        sent,
    )


async def test_half_a_character_of_a_service_is_replaced(tmp_path: Path) -> None:
    step = "{http: {url: 'http://crm.test/', set: {name: name}}}"
    reply = ScriptedCall(http=[HttpReply(200, {"name": "A\ud800"})])
    call = await run(load(tmp_path, do(step, "{say: '${name}'}")), reply)
    assert call.said == ["A?"]


@pytest.mark.parametrize("host", ["a b", "a..b", "x" * 64])
def test_a_host_that_nothing_can_look_up(tmp_path: Path, host: str) -> None:
    assert (
        "expected http://HOST/PATH or https://HOST/PATH"
        in mistakes(tmp_path, do(f"{{http: 'http://{host}/'}}", "ai"))[0]
    )


async def test_a_reason_stays_on_its_line(tmp_path: Path) -> None:
    call = await run(
        load(tmp_path, do('{set: {x: "a\\r\\nEvil: b"}}', "{reject: {status: 486, reason: '${x}'}}"))
    )
    assert call.done == [("reject", 486, "aEvil: b")]
    call = await run(load(tmp_path, do("{reject: {status: 486, reason: '" + "x" * 4000 + "'}}")))
    assert call.done == [("reject", 486, "x" * 128)]


async def test_http_that_fails(tmp_path: Path) -> None:
    plan = load(tmp_path, do("{http: {url: 'http://crm.test/', on: {timeout: one}}}", "{say: After.}"))
    assert (await run(plan, ScriptedCall(http=[failure("timeout")]))).said == ["One."]


async def test_a_header_stays_on_its_line(tmp_path: Path) -> None:
    steps = ('{set: {x: "a\\r\\nEvil: b"}}', "{http: {url: 'http://crm.test/', headers: {X: '${x}'}}}", "ai")
    call = await run(load(tmp_path, do(*steps)))
    request = call.done[0][1]
    assert isinstance(request, HttpRequest)
    assert request.headers == {"X": "aEvil: b"}


async def test_webhook(tmp_path: Path) -> None:
    steps = (
        "{webhook: 'https://hook.test/'}",
        "{webhook: {url: 'https://hook.test/', method: PUT, body: {n: 5}}}",
        "ai",
    )
    call = await run(load(tmp_path, do(*steps)))
    told = {"from": "+491701234567", "to": "1", "route": "r"}
    assert call.done[:2] == [
        ("notify", HttpRequest("POST", "https://hook.test/", {}, told, 5.0)),
        ("notify", HttpRequest("PUT", "https://hook.test/", {}, {"n": "5"}, 5.0)),
    ]


async def test_goto_reject_and_hangup(tmp_path: Path) -> None:
    assert (await run(load(tmp_path, do("{goto: one}")))).said == ["One."]
    assert (await run(load(tmp_path, do("reject")))).done == [("reject", 603, "")]
    call = await run(load(tmp_path, do("{reject: {status: 486, reason: 'Busy ${to}'}}")))
    assert call.done == [("reject", 486, "Busy 1")]
    plan = load(tmp_path, do("answer", "{reject: {on: {not_possible: one}}}"))
    call = await run(plan)
    assert (call.verbs, call.said) == (["answer", "play", "hang_up"], ["One."])
    assert (await run(load(tmp_path, do("ai", "hangup")))).verbs == ["talk", "hang_up"]


def test_every_step_is_written_down() -> None:
    for word, step in STEPS.items():
        assert step.word == word
        assert step.__doc__
        for name, info in step.model_fields.items():
            assert info.description, f"{word}.{name} has no docstring"
        if step.shorthand:
            assert step.shorthand in {info.alias or name for name, info in step.model_fields.items()}
        assert ("on" in step.model_fields) == bool(step.fails)
