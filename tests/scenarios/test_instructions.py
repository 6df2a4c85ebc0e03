"""What agents are told to do by the steps of a plan: from the step's beginning to its end, and no other's."""

import asyncio

import pytest

from gateway.backends import contract as ai
from gateway.dialplan.runtime import CallControl, ChoiceRequest, Say, TalkRequest
from tests.scenarios.scripted_backend import Opening, ScriptedBackend
from tests.scenarios.stage import AGENT, Stage

MENU = Say("menu", "en")
PROMPTS = {"menu": (1500, 1000)}
SECOND = ("second",)
SELL = "sell something"


def told(backend: ScriptedBackend) -> list[str]:
    """The instructions it got, in order."""
    return [str(what[1]) for what in backend.told if what[0] == "instructions"]


def end(backend: ScriptedBackend) -> None:
    backend.function_call("f1", "end_call")
    backend.emit(ai.ResponseDone("r1", "completed"))


async def begun(stage: Stage, count: int, greeted: int = 1) -> ScriptedBackend:
    """The `count`-th session, once it has been asked to greet that many times."""
    backend = await stage.session(count)
    while backend.names_told().count("greet") < greeted:
        await stage.later(20)
    return backend


@pytest.mark.parametrize("opening_s", [0.05, 1.5])
async def test_a_step_after_a_prompt_has_its_instructions(opening_s: float) -> None:
    async def plan(call: CallControl) -> None:
        await call.play((MENU,))
        await call.talk(TalkRequest(AGENT, instructions=SELL))

    openings = [Opening(takes_s=opening_s)]
    async with Stage(openings, plan=plan, prompts=PROMPTS) as stage, asyncio.timeout(60):
        backend = await begun(stage, 1)
        assert backend.told == [("instructions", SELL), ("greet",)]
        end(backend)
        await stage.over()
    assert len(stage.backends) == 1, "connected while the phone rang"


async def test_the_next_agent_does_not_get_the_instructions_of_the_one_before() -> None:
    async def plan(call: CallControl) -> None:
        await call.talk(TalkRequest(AGENT, instructions=SELL))
        await call.talk(TalkRequest("second"))

    async with Stage(plan=plan, fallback=SECOND) as stage, asyncio.timeout(60):
        end(await begun(stage, 1))
        second = await begun(stage, 2)
        assert second.context.agent == "second"
        assert told(second) == []
        end(second)
        await stage.over()
    assert told(stage.backends[0]) == [SELL]


async def test_the_next_step_with_the_same_agent_has_its_own_instructions_again() -> None:
    async def plan(call: CallControl) -> None:
        await call.talk(TalkRequest(AGENT))
        await call.talk(TalkRequest(AGENT, instructions=SELL))
        await call.talk(TalkRequest(AGENT))

    async with Stage(plan=plan) as stage, asyncio.timeout(60):
        for greeted in (1, 2):
            end(await begun(stage, 1, greeted))
        third = await begun(stage, 2)
        assert told(third) == []
        end(third)
        await stage.over()
    assert told(stage.backends[0]) == [SELL]
    assert stage.backends[0].names_told() == ["greet", "instructions", "greet"]


async def test_a_session_that_is_opened_anew_gets_the_instructions_of_the_step() -> None:
    async def plan(call: CallControl) -> None:
        await call.play((MENU,))
        await call.talk(TalkRequest(AGENT, instructions=SELL))

    async with Stage(plan=plan, prompts=PROMPTS) as stage, asyncio.timeout(60):
        (await begun(stage, 1)).lose()
        again = await begun(stage, 2)
        assert told(again) == [SELL]
        stage.leg.peer.hang_up()
        await stage.over()


async def test_a_choice_by_speech_leaves_nothing_behind() -> None:
    async def plan(call: CallControl) -> None:
        await call.choose(ChoiceRequest(AGENT, {"sales": "to buy"}, (MENU,), 10.0))
        await call.talk(TalkRequest(AGENT))

    async with Stage(plan=plan, prompts=PROMPTS) as stage, asyncio.timeout(60):
        first = await stage.session()
        while not told(first) and len(stage.backends) == 1:
            await stage.later(20)
        chooser = stage.backends[-1]
        await chooser.until_told("greet")
        assert "choose_option" in told(chooser)[0]
        chooser.function_call("f1", "choose_option", '{"option": "sales"}')
        last = await begun(stage, len(stage.backends) + 1)
        assert told(last) == []
        end(last)
        await stage.over()


async def test_what_a_page_asked_for_outlives_a_step_with_instructions() -> None:
    async def plan(call: CallControl) -> None:
        await call.play((MENU,))
        await call.talk(TalkRequest(AGENT, instructions=SELL))
        await call.talk(TalkRequest("second"))

    async with Stage(plan=plan, prompts=PROMPTS, fallback=SECOND) as stage, asyncio.timeout(60):
        await stage.session()
        await stage.later(500)
        stage.call.bridge.agent.wish(ai.Instructions("be brief"))
        first = await begun(stage, 1)
        assert told(first) == ["be brief", SELL]
        end(first)
        second = await begun(stage, 2)
        assert told(second) == ["be brief"]
        stage.call.bridge.agent.wish(ai.Instructions("be long"))
        assert told(second) == ["be brief", "be long"]
        end(second)
        await stage.over()
