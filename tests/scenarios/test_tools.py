"""What the model does with a call: functions of the gateway and of services, in order, beside the call."""

import asyncio
import json
from typing import Any

import pytest

from gateway.backends import contract as ai
from gateway.calls.http_client import ServiceFailedError
from gateway.calls.tool_runs import MAX_RUNNING, MAX_WAITING
from gateway.config.tools import AgentTools, HttpToolConfig
from gateway.core.record import TimelineKind as K
from gateway.core.termination import Reason
from gateway.dialplan.runtime import CallControl, HttpReply, TalkRequest
from gateway.legs.loopback import LoopbackLeg
from tests.scenarios.scripted_backend import Opening, ScriptedBackend
from tests.scenarios.stage import AGENT, TALK, Stage
from tests.scenarios.surroundings import FILLER, ScriptedHttp, Slow

ORDER = "https://shop.example/orders/123456"
NOTE = "https://shop.example/notes"
FIND = HttpToolConfig(
    description="Find an order.",
    method="GET",
    url="https://shop.example/orders/{number}",
    parameters={
        "type": "object",
        "properties": {"number": {"type": "string", "pattern": "^[0-9]{6}$"}},
        "required": ["number"],
        "additionalProperties": False,
    },
)
TAKE_NOTE = HttpToolConfig(description="Take a note.", url=NOTE, parameters={"type": "object"}, say="noting")
HTTP_TOOLS = {"find_order": FIND, "take_note": TAKE_NOTE}
TOOLS = AgentTools(send_dtmf=True, hold=True, set_variable=["topic"], http=["find_order", "take_note"])
FOUND = HttpReply(200, {"state": "sent"})
NUMBER = '{"number": "123456"}'
ANSWER = 2000
NOTING = 1700


def stage_of(**more: Any) -> Stage:
    return Stage(tools=TOOLS, http_tools=HTTP_TOOLS, prompts={"noting": (NOTING, 400)}, **more)


def results(backend: ScriptedBackend) -> list[tuple[str, Any]]:
    return [(str(told[1]), json.loads(str(told[2]))) for told in backend.told if told[0] == "tool_result"]


def asked(stage: Stage) -> list[tuple[str, str]]:
    assert isinstance(stage.settings.http, ScriptedHttp)
    return [(request.method, request.url) for request in stage.settings.http.asked]


def held(stage: Stage) -> bool:
    return stage.leg.peer_held


async def hang_up(stage: Stage) -> None:
    stage.leg.peer.hang_up()
    await stage.over()


async def test_a_service_answers_the_model() -> None:
    async with stage_of(http={ORDER: FOUND}) as stage:
        backend = await stage.talking()
        backend.function_call("c1", "find_order", NUMBER)
        await stage.later(20)
        assert results(backend) == [("c1", {"state": "sent"})]
        assert asked(stage) == [("GET", ORDER)]
        (event,) = stage.events(K.TOOL_RESULT)
        assert (event.fields["outcome"], event.fields["name"]) == ("ok", "find_order")
        await hang_up(stage)
    assert stage.caller.heard_ms(FILLER) == 0, "it was quick"


async def test_results_come_in_the_order_of_the_requests() -> None:
    async with stage_of(http={ORDER: Slow(1.0, FOUND), NOTE: HttpReply(200, {"id": 1})}) as stage:
        backend = await stage.talking()
        backend.function_call("c1", "find_order", NUMBER)
        backend.function_call("c2", "take_note")
        backend.function_call("c3", "set_variable", '{"name": "topic", "value": "bill"}')
        await stage.later(900)
        assert results(backend) == []
        assert len(asked(stage)) == 2, "both at once"
        await stage.later(200)
        assert [call_id for call_id, _ in results(backend)] == ["c1", "c2", "c3"]
        await hang_up(stage)


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("find_order", "not JSON", "not JSON"),
        ("find_order", "[]", "object"),
        ("find_order", "[" * 5000, "not JSON"),
        ("find_order", json.dumps({"number": "1" * 20000}), "longer than"),
        ("find_order", "{}", "'number' is a required property"),
        ("find_order", '{"number": "12"}', "does not match"),
        ("find_order", '{"number": "123456", "more": 1}', "more"),
        ("set_variable", '{"name": "from", "value": "x"}', "topic"),
        ("set_variable", '{"name": "topic"}', "value"),
        ("send_dtmf", '{"digits": "12x"}', "digits"),
        ("hold", '{"seconds": 0}', "seconds"),
        ("hold", '{"seconds": 1e9}', "seconds"),
        ("transfer_call", '{"target": "tel:+49123"}', "no transfer target"),
        ("launch", "{}", "no function named launch"),
    ],
)
async def test_unfit_requests_are_answered_with_an_error_and_the_call_goes_on(
    name: str, arguments: str, words: str
) -> None:
    async with stage_of() as stage:
        backend = await stage.talking()
        backend.function_call("c1", name, arguments)
        await stage.later(20)
        ((_, output),) = results(backend)
        assert words in output["error"]
        assert len(output["error"]) < 1200
        assert asked(stage) == []
        assert stage.phone() == "connected"
        await hang_up(stage)


async def test_a_failed_service_is_asked_again_if_that_is_safe() -> None:
    busy = ServiceFailedError("error", "shop.example answered with status 503", passing=True)
    async with stage_of(http={ORDER: [busy, busy, FOUND], NOTE: busy}) as stage:
        backend = await stage.talking()
        backend.function_call("c1", "find_order", NUMBER)
        backend.function_call("c2", "take_note")
        await stage.later(3000)
        (_, first), (_, second) = results(backend)
        assert first == {"state": "sent"}
        assert "503" in second["error"]
        assert [url for _, url in asked(stage)].count(ORDER) == 3
        assert [url for _, url in asked(stage)].count(NOTE) == 1, "a note may have been taken"
        await hang_up(stage)


async def test_a_lasting_failure_is_not_tried_again() -> None:
    async with stage_of(http={ORDER: ServiceFailedError("error", "answered with status 404")}) as stage:
        backend = await stage.talking()
        backend.function_call("c1", "find_order", NUMBER)
        await stage.later(50)
        assert "404" in results(backend)[0][1]["error"]
        assert len(asked(stage)) == 1
        await hang_up(stage)


async def test_a_service_that_never_answers_costs_its_timeout() -> None:
    async with stage_of(http={ORDER: Slow(1e6, FOUND)}) as stage:
        backend = await stage.talking()
        began = stage.clock()
        backend.function_call("c1", "find_order", NUMBER)
        await backend.until_told("tool_result")
        assert stage.clock() - began == pytest.approx(FIND.timeout_s, abs=0.1)
        assert "within 10 s" in results(backend)[0][1]["error"]
        await hang_up(stage)
    assert stage.caller.heard_ms(FILLER) == 1000, "after 1.5 and after 9.5 s"


async def test_a_slow_service_is_covered_by_its_words_and_the_call_goes_on() -> None:
    async with stage_of(http={NOTE: Slow(3.0, HttpReply(200, {}))}) as stage:
        backend = await stage.talking()
        backend.function_call("c1", "take_note")
        await stage.later(1450)
        assert stage.caller.heard_ms(NOTING) == 0
        await stage.later(600)
        assert stage.caller.heard_ms(NOTING) == 400
        backend.emit(ai.SpeechStarted("i"))
        assert K.SPEECH_STARTED in stage.kinds(), "the caller is heard meanwhile"
        await stage.later(1200)
        assert results(backend) == [("c1", {})]
        await hang_up(stage)


async def test_words_of_a_service_wait_until_the_agent_has_spoken() -> None:
    async with stage_of(http={ORDER: Slow(4.0, FOUND)}) as stage:
        backend = await stage.talking()
        backend.answer("item_1", ANSWER, 2000)
        backend.function_call("c1", "find_order", NUMBER)
        await stage.later(2600)
        assert (stage.caller.heard_ms(ANSWER), stage.caller.heard_ms(FILLER)) == (2000, 0)
        await stage.later(1100)
        assert stage.caller.heard_ms(FILLER) == 500
        await hang_up(stage)


async def test_words_that_cannot_be_spoken_are_replaced() -> None:
    async with Stage(tools=TOOLS, http_tools=HTTP_TOOLS, http={NOTE: Slow(3.0, FOUND)}) as stage:
        backend = await stage.talking()
        backend.function_call("c1", "take_note")
        await stage.later(2500)
        assert stage.caller.heard_ms(FILLER) == 500
        await hang_up(stage)


async def test_the_caller_who_hangs_up_ends_what_is_under_way() -> None:
    async with stage_of(http={ORDER: Slow(9.0, FOUND)}) as stage:
        backend = await stage.talking()
        backend.function_call("c1", "find_order", NUMBER)
        await stage.later(1000)
        stage.leg.peer.hang_up()
        record = await stage.over(within_s=0.5)
    assert record.reason is Reason.CALLER_HANGUP
    assert results(backend) == []


async def test_end_call_waits_for_what_was_asked_before_and_for_nothing_after() -> None:
    async with stage_of(http={ORDER: Slow(2.0, FOUND)}) as stage:
        backend = await stage.talking()
        backend.function_call("c1", "find_order", NUMBER)
        backend.function_call("c2", "end_call")
        backend.function_call("c3", "take_note")
        backend.emit(ai.ResponseDone("r", "completed"))
        await stage.later(1500)
        assert stage.phone() == "connected"
        record = await stage.over(within_s=2.0)
    assert record.reason is Reason.AGENT_HANGUP
    assert [call_id for call_id, _ in results(backend)] == ["c1"]
    assert asked(stage) == [("GET", ORDER)]


async def test_too_many_functions_at_once_are_refused_or_dropped() -> None:
    async with stage_of(http={ORDER: Slow(1.0, FOUND)}) as stage:
        backend = await stage.talking()
        for number in range(100):
            backend.function_call(f"c{number}", "find_order", NUMBER)
        await stage.later(1500)
        answers = results(backend)
        assert [output for _, output in answers].count({"state": "sent"}) == MAX_RUNNING
        assert len(answers) == MAX_WAITING
        assert len(asked(stage)) == MAX_RUNNING
        await hang_up(stage)


async def test_an_answer_for_a_lost_session_is_told_to_the_next_one() -> None:
    async with stage_of(openings=[Opening(), Opening(takes_s=0.5)], http={ORDER: Slow(2.0, FOUND)}) as stage:
        first = await stage.talking()
        first.function_call("c1", "find_order", NUMBER)
        await stage.later(500)
        first.lose()
        second = await stage.session(2)
        _, _, text = await second.until_told("text")
        assert "find_order" in str(text)
        assert "sent" in str(text)
        assert second.names_told()[-1] == "resume"
        assert results(second) == []
        await hang_up(stage)


async def test_digits_are_sent_to_the_callers_phone() -> None:
    async with stage_of() as stage:
        backend = await stage.talking()
        backend.function_call("c1", "send_dtmf", '{"digits": "12#"}')
        await stage.later(20)
        assert stage.leg.digits_sent == "12#"
        assert results(backend) == [("c1", {"status": "sent"})]
        assert stage.events(K.DTMF_OUT)
        await hang_up(stage)


async def test_hold_begins_after_the_words_and_answers_when_it_is_over() -> None:
    async with stage_of() as stage:
        backend = await stage.talking()
        backend.begin("item_1", ANSWER, 600)
        backend.function_call("c1", "hold", '{"seconds": 2}')
        backend.finish("item_1")
        await stage.later(300)
        assert not held(stage)
        await stage.later(700)
        assert held(stage)
        await stage.later(2200)
        assert not held(stage)
        assert results(backend)[0][0] == "c1"
        assert stage.caller.heard_ms(ANSWER) == 600
        assert [kind for kind in stage.kinds() if kind in (K.HELD, K.RESUMED)] == [K.HELD, K.RESUMED]
        await hang_up(stage)


async def test_the_hold_of_an_operator_is_left_alone() -> None:
    async with stage_of() as stage:
        backend = await stage.talking()
        stage.call.desk.hold(True)
        backend.function_call("c1", "hold", '{"seconds": 1}')
        backend.emit(ai.ResponseDone("r", "completed"))
        await stage.later(1500)
        assert "already" in results(backend)[0][1]["error"]
        assert held(stage)
        await hang_up(stage)


async def test_a_caller_on_hold_may_hang_up() -> None:
    async with stage_of() as stage:
        backend = await stage.talking()
        backend.function_call("c1", "hold", '{"seconds": 60}')
        backend.emit(ai.ResponseDone("r", "completed"))
        await stage.later(500)
        assert held(stage)
        stage.leg.peer.hang_up()
        record = await stage.over(within_s=0.5)
    assert record.reason is Reason.CALLER_HANGUP


async def test_a_variable_is_there_in_the_next_step() -> None:
    seen: list[str] = []

    async def plan(call: CallControl) -> None:
        await call.talk(TALK)
        seen.append(call.variables["topic"])

    async with stage_of(plan=plan) as stage:
        backend = await stage.talking()
        backend.function_call("c1", "set_variable", '{"name": "topic", "value": "a broken kettle"}')
        backend.function_call("c2", "end_call")
        backend.emit(ai.ResponseDone("r", "completed"))
        await stage.over(within_s=2.0)
    assert seen == ["a broken kettle"]


async def test_a_caller_who_waits_for_a_function_is_not_called_silent() -> None:
    request = TalkRequest(AGENT, silence_s=3.0)

    async def plan(call: CallControl) -> None:
        await call.talk(request)

    async with stage_of(plan=plan, first_talk=request, http={ORDER: Slow(8.0, FOUND)}) as stage:
        backend = await stage.talking()
        backend.function_call("c1", "find_order", NUMBER)
        await stage.later(7500)
        assert stage.phone() == "connected"
        await hang_up(stage)


async def test_a_caller_who_was_on_hold_is_silent_from_its_end_on() -> None:
    request = TalkRequest(AGENT, silence_s=3.0)

    async def plan(call: CallControl) -> None:
        await call.talk(request)

    async with stage_of(plan=plan, first_talk=request) as stage:
        backend = await stage.talking()
        backend.function_call("c1", "hold", '{"seconds": 10}')
        backend.emit(ai.ResponseDone("r", "completed"))
        await backend.until_told("tool_result")
        began = stage.clock()
        await stage.later(2500)
        assert stage.phone() == "connected"
        assert K.PROMPT not in stage.kinds(), "no apology yet"
        while K.PROMPT not in stage.kinds():
            await stage.later(20)
        assert stage.clock() - began == pytest.approx(3.0, abs=0.7)
        record = await stage.over()
    assert record.detail.startswith("caller_silent")


class LegWithoutHold(LoopbackLeg):
    """A leg that fails when it is to be put on hold."""

    def hold(self, on: bool) -> None:
        """Always raises."""
        raise RuntimeError(f"hold {on}: out of order")


async def test_a_function_of_the_gateway_that_fails_is_an_error_for_the_model() -> None:
    leg = LegWithoutHold(asyncio.get_running_loop().time)
    async with stage_of(leg=leg) as stage:
        backend = await stage.talking()
        backend.function_call("c1", "hold", '{"seconds": 2}')
        backend.emit(ai.ResponseDone("r", "completed"))
        await stage.later(500)
        assert results(backend) == [("c1", {"error": "the function failed"})]
        assert stage.phone() == "connected"
        backend.answer("item_1", ANSWER, 400)
        await stage.later(1000)
        assert stage.caller.heard_ms(ANSWER) == 400
        await hang_up(stage)


async def test_what_an_agent_may_not_do_is_not_offered() -> None:
    async with Stage(tools=AgentTools(end_call=False)) as stage:
        backend = await stage.talking()
        backend.function_call("c1", "end_call")
        await stage.later(1000)
        assert "no function named end_call" in results(backend)[0][1]["error"]
        assert stage.phone() == "connected"
        await hang_up(stage)
