"""Services that answer everything, into words of the agent that were to go on."""

import pytest

from gateway.backends import contract as ai
from gateway.core.record import TimelineKind as K
from tests.scenarios.stage import Stage

STORY, REPLY = 1000, 2000


async def listening_caller(stage: Stage, story_ms: int, said: str) -> None:
    """The caller says something short into a story, of which only the service knows what it was."""
    backend = await stage.talking()
    backend.answer("item_1", STORY, story_ms)
    await stage.later(1000)
    backend.emit(ai.SpeechStarted("item_2"))
    await stage.later(200)
    backend.emit(ai.SpeechStopped("item_2"))
    backend.caller_said("item_2", said)
    await stage.later(100)
    backend.answer("item_3", REPLY, 600, text="As I said.")
    await stage.later(story_ms + 1000)


@pytest.mark.parametrize("said", ["Mm-hm.", ""])
async def test_an_answer_to_a_sound_of_listening_is_left_out(said: str) -> None:
    async with Stage() as stage:
        await listening_caller(stage, 5000, said)
        backend = stage.backends[0]
        assert stage.caller.heard_ms(STORY) == 5000
        assert stage.caller.heard_ms(REPLY) == 0
        assert backend.told[-2:] == [("interrupt", "item_3"), ("truncate", "item_3", 0)]
        assert not stage.events(K.BARGE_IN)
        texts = [event.fields["text"] for event in stage.events(K.SAID)]
        assert "As I said." not in texts
        stage.leg.peer.hang_up()
        record = await stage.over()
    assert record.turns == 0, "it was no turn, nobody owed an answer"


async def test_it_follows_where_the_agent_is_nearly_at_its_end() -> None:
    async with Stage() as stage:
        await listening_caller(stage, 2500, "Yes.")
        assert stage.caller.heard_ms(STORY) == 2500
        assert stage.caller.heard_ms(REPLY) == 600
        first_of_reply = stage.caller.heard.index(REPLY)
        assert STORY not in stage.caller.heard[first_of_reply:]
        stage.leg.peer.hang_up()
        await stage.over()


async def test_an_answer_to_words_takes_the_place_of_the_story() -> None:
    async with Stage() as stage:
        await listening_caller(stage, 5000, "Stop.")
        assert stage.caller.heard_ms(STORY) < 2000
        assert stage.caller.heard_ms(REPLY) in (600, 620)
        stage.leg.peer.hang_up()
        await stage.over()


async def test_the_answer_to_the_next_words_is_heard() -> None:
    async with Stage() as stage:
        await listening_caller(stage, 5000, "Mm-hm.")
        backend = stage.backends[0]
        backend.caller_turn("item_4")
        backend.answer("item_5", REPLY, 400)
        await stage.later(1000)
        assert stage.caller.heard_ms(REPLY) == 400
        stage.leg.peer.hang_up()
        await stage.over()
