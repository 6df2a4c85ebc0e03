"""Running routes: order, branches, failures, limits, and that nobody is left in silence."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.dialplan.interpreter import MAX_STEPS, run_route
from gateway.dialplan.runtime import TalkRequest
from gateway.media.prompts import texts
from tests.unit.dialplan.plans import ask, load, run
from tests.unit.dialplan.scripted_call import CallEndedError, ScriptedCall, failure

APOLOGY = texts()["en"]["apology"]


def route(do: str, rest: str = "") -> str:
    return f'routes: [{{name: r, match: {{to: "*"}}, do: {do}}}]\n{rest}'


async def test_steps_run_in_order_and_the_call_ends_after_the_last(tmp_path: Path) -> None:
    call = await run(load(tmp_path, route("[answer, {say: Hello.}, {wait: 2s}, {ai: sales}]")))
    assert call.verbs == ["answer", "play", "wait", "talk", "hang_up"]
    assert call.done[2:4] == [("wait", 2.0), ("talk", TalkRequest("sales"))]
    assert [step for step, _ in call.notes] == ["answer", "say", "wait", "ai"]
    assert str(call.notes[1][1]["place"]).endswith("main.yaml:2:51")


async def test_a_jump_leaves_the_rest_behind(tmp_path: Path) -> None:
    flows = "flows: {bye: [{say: Bye.}, hangup]}"
    call = await run(load(tmp_path, route("[{say: Hello.}, {goto: bye}]", flows)))
    assert call.said == ["Hello.", "Bye."]


async def test_a_handler_is_run_and_the_next_step_follows(tmp_path: Path) -> None:
    do = "[{ai: {on: {backend_down: [{say: Sorry.}]}}}, {say: Goodbye.}]"
    call = await run(load(tmp_path, route(do)), ScriptedCall(talk=[failure("backend_down")]))
    assert call.said == ["Sorry.", "Goodbye."]
    assert call.variables["failure"] == "backend_down"
    assert ("failed", {"of": "ai", "kind": "backend_down", "reason": "it did not work"}) in call.notes


async def test_the_default_catches_what_no_handler_does(tmp_path: Path) -> None:
    rest = "defaults: {on_failure: sorry}\nflows: {sorry: [{say: 'Failed: ${failure}.'}, hangup]}"
    do = "[{ai: {on: {caller_silent: {after: 5s, do: hangup}}}}, {say: never}]"
    call = await run(load(tmp_path, route(do, rest)), ScriptedCall(talk=[failure("backend_down")]))
    assert call.said == ["Failed: backend_down."]
    assert call.done[0] == ("talk", TalkRequest("receptionist", silence_s=5.0))


async def test_without_a_default_the_gateway_apologises(tmp_path: Path) -> None:
    call = await run(load(tmp_path, route("[{ai: {}}]")), ScriptedCall(talk=[failure("error")]))
    assert call.said == [APOLOGY]
    assert call.verbs[-1] == "hang_up"


async def test_a_failure_in_the_default_is_not_caught_by_it_again(tmp_path: Path) -> None:
    rest = "defaults: {on_failure: [{ai: support}]}"
    script = ScriptedCall(talk=[failure("error"), failure("error")])
    call = await run(load(tmp_path, route("[ai]", rest)), script)
    assert call.verbs == ["talk", "talk", "play", "hang_up"]


async def test_an_apology_that_fails_still_ends_the_call(tmp_path: Path) -> None:
    script = ScriptedCall(play=[failure("error"), failure("not_possible")])
    call = await run(load(tmp_path, route("[{say: Hello.}]")), script)
    assert call.verbs == ["play", "play", "hang_up"]
    assert call.notes[-1][0] == "apology failed"


async def test_nobody_is_left_in_silence(tmp_path: Path) -> None:
    do = "[{ai: {on: {error: continue}}}]"
    call = await run(load(tmp_path, route(do)), ScriptedCall(talk=[failure("error")]))
    assert call.said == [APOLOGY]


async def test_the_german_apology(tmp_path: Path) -> None:
    plan = load(tmp_path, route("[ai]", "defaults: {language: de-AT}"))
    call = await run(plan, ScriptedCall(talk=[failure("error")]))
    assert call.said == [texts()["de"]["apology"]]


async def test_a_call_has_a_limit_of_steps(tmp_path: Path) -> None:
    rest = "flows: {round: [{wait: 1s}, {goto: round}]}"
    call = await run(load(tmp_path, route("[{say: Hi.}, {goto: round}]", rest)))
    assert len([done for done in call.done if done[0] == "wait"]) == (MAX_STEPS - 2) // 2
    assert call.said == ["Hi.", APOLOGY]


class _Talkative(ScriptedCall):
    """An agent that never ends."""

    async def talk(self, request: TalkRequest) -> str:
        """As the protocol says."""
        await asyncio.Event().wait()
        return ""


async def test_a_call_has_a_limit_of_time(tmp_path: Path) -> None:
    plan = load(tmp_path, route("[ai]", "defaults: {max_call: 1h}"))
    assert plan.settings.max_call_s == 3600.0
    plan = replace(plan, settings=replace(plan.settings, max_call_s=0.01))
    call = _Talkative()
    with pytest.raises(CallEndedError):
        await run_route(ask(plan, "1"), call)
    assert call.verbs == ["play", "hang_up"]
    assert call.said == [APOLOGY]


async def test_the_end_of_the_call_passes_through(tmp_path: Path) -> None:
    rest = "defaults: {on_failure: [{say: never}]}"
    call = await run(load(tmp_path, route("[ai, {say: never}]", rest)), ScriptedCall(talk=[CallEndedError()]))
    assert call.verbs == ["talk"]


async def test_variables_of_the_call(tmp_path: Path) -> None:
    do = "[{say: '${from} ${to} ${kind} ${direction} ${route} ${date} ${time} [${trunk}${agent}]'}]"
    call = await run(load(tmp_path, route(do, "defaults: {timezone: Europe/Berlin}")))
    assert call.said == ["+491701234567 1 sip inbound r 2026-11-23 10:00 []"]


async def test_an_agent_from_a_variable_must_exist(tmp_path: Path) -> None:
    do = '[{set: {who: nobody}}, {ai: {agent: "${who}", on: {error: [{say: No such agent.}]}}}]'
    call = await run(load(tmp_path, route(do)))
    assert call.said == ["No such agent."]
