"""The official OpenAI SDK against a real bot process: every event must fit the SDK's types."""

import asyncio
import json

from tests.integration.bot.bot_process import running_bot
from tests.integration.bot.caller import Caller, calling


async def _talk_through_a_call(caller: Caller) -> list[str]:
    """Greeting, interruption, a wish, a confirmation, a failed transfer, goodbye; what the bot answered."""
    answers = []
    await caller.connection.response.create()
    await caller.until("response.done")
    # The greeting has been sent, and would be playing for seconds.
    caller.say("interrupt")
    started = await caller.until("input_audio_buffer.speech_started")
    greeting = next(
        event["item"]["id"] for event in caller.events if event["type"] == "response.output_item.done"
    )
    await caller.connection.conversation.item.truncate(item_id=greeting, content_index=0, audio_end_ms=700)
    await caller.until("conversation.item.truncated", item_id=greeting, audio_end_ms=700)
    await caller.until("input_audio_buffer.committed", item_id=started["item_id"])
    answers.append(await caller.answer())
    for wish in ("ask_billing", "yes_please"):
        caller.say(wish)
        answers.append(await caller.answer())
    call = next(e for e in caller.events if e["type"] == "response.function_call_arguments.done")
    assert (call["name"], json.loads(call["arguments"])) == ("transfer_call", {"target": "billing"})
    await caller.connection.conversation.item.create(
        item={
            "type": "function_call_output",
            "call_id": call["call_id"],
            "output": json.dumps({"error": "nobody there"}),
        }
    )
    await caller.connection.response.create()
    answers.append(await caller.answer())
    caller.say("goodbye")
    answers.append(await caller.answer())
    return answers


async def test_a_whole_call_through_the_sdk() -> None:
    async with running_bot() as bot, calling(bot.url) as caller, asyncio.TaskGroup() as tasks:
        microphone = tasks.create_task(caller.microphone())
        answers = await _talk_through_a_call(caller)
        microphone.cancel()
    heard = [
        event["transcript"]
        for event in caller.events
        if event["type"] == "conversation.item.input_audio_transcription.completed"
    ]
    assert answers[0].startswith("Of course. Which department")
    assert answers[1].startswith("You said billing.")
    assert answers[2] == "Connecting you to billing."
    assert answers[3].startswith("I am sorry, everybody in billing is busy.")
    assert answers[4] == "Thank you for calling. Goodbye."
    assert "billing" in heard[1]
    assert "yes" in heard[2]
    assert "goodbye" in heard[3]
    names = [e["name"] for e in caller.events if e["type"] == "response.function_call_arguments.done"]
    assert names == ["transfer_call", "end_call"]
