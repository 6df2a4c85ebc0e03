"""What a page asks for in writing, as a Realtime service on a real WebSocket gets it."""

from typing import Any

import aiohttp
import pytest

from gateway.backends import contract as ai
from gateway.backends.openai_realtime import OpenAIRealtimeBackend
from gateway.config.models import OpenAIRealtimeAgent
from tests.contract.listener import CONTEXT, Listener
from tests.contract.realtime_service import RealtimeService

TEXT: dict[str, Any] = {
    "type": "conversation.item.create",
    "item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]},
}


@pytest.mark.parametrize(
    ("request_", "event"),
    [
        (ai.UserText("i1", "hello"), TEXT),
        (
            ai.Instructions("Rhyme."),
            {"type": "session.update", "session": {"type": "realtime", "instructions": "Rhyme."}},
        ),
        (ai.WantAnswer(), {"type": "response.create"}),
        (ai.WantAnswer("Be brief."), {"type": "response.create", "response": {"instructions": "Be brief."}}),
        (ai.ForgetInput(), {"type": "input_audio_buffer.clear"}),
    ],
)
async def test_each_request_is_one_event(request_: ai.ClientRequest, event: dict[str, Any]) -> None:
    async with RealtimeService() as service, aiohttp.ClientSession() as http:
        agent = OpenAIRealtimeAgent(backend="openai_realtime", url=service.url)
        backend = OpenAIRealtimeBackend(agent, CONTEXT, http)
        await backend.open(Listener())
        session = await service.session()
        backend.tell(request_)
        await session.message(event["type"], count=1 + (event["type"] == "session.update"))
        assert session.received[-1] == event
        await backend.close()
        backend.tell(request_)


async def test_what_was_said_elsewhere_is_added_and_nothing_asked() -> None:
    async with RealtimeService() as service, aiohttp.ClientSession() as http:
        agent = OpenAIRealtimeAgent(backend="openai_realtime", url=service.url)
        backend = OpenAIRealtimeBackend(agent, CONTEXT, http)
        await backend.open(Listener(), [ai.Utterance("agent", "good morning")])
        backend.catch_up([ai.Utterance("caller", "billing"), ai.Utterance("agent", "which bill")])
        session = await service.session()
        await session.message("conversation.item.create", count=3)
        items = [event["item"] for event in session.of_type("conversation.item.create")]
        assert [(item["role"], item["content"][0]["text"]) for item in items] == [
            ("assistant", "good morning"),
            ("user", "billing"),
            ("assistant", "which bill"),
        ]
        assert session.of_type("response.create") == []
        await backend.close()
