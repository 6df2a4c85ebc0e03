"""Every backend against written-down exchanges with its service, on a real WebSocket."""

import json
from typing import Any

import aiohttp
import pytest
from openai.types import live, realtime
from pydantic import TypeAdapter

from tests.contract.transcript import GOLDEN, Transcript, kinds, transcripts
from tests.contract.wire_service import WireService

SCENARIOS = {"open", "greeting", "audio", "interruption", "loss", "garbage", "close"}
"""What there has to be for every backend; `tool_call` where its model can be given functions."""


@pytest.mark.parametrize(("kind", "scenario"), transcripts())
async def test_transcript(kind: str, scenario: str) -> None:
    lines = (GOLDEN / kind / f"{scenario}.jsonl").read_text().splitlines()
    async with WireService() as service, aiohttp.ClientSession() as http:
        transcript = Transcript(kind, service, http)
        try:
            await transcript.play(lines)
        finally:
            await transcript.end()


@pytest.mark.parametrize(
    ("kind", "types"), [("openai_live", live.ClientEvent), ("openai_realtime", realtime.RealtimeClientEvent)]
)
def test_what_the_gateway_says_is_openais_protocol(kind: str, types: Any) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(types)
    lines = [line for path in (GOLDEN / kind).glob("*.jsonl") for line in path.read_text().splitlines()]
    said = [json.loads(line)["gateway"] for line in lines if line.startswith('{"gateway"')]
    assert {adapter.validate_python(message).type for message in said} == {m["type"] for m in said}
    assert len(said) > 10


@pytest.mark.parametrize("kind", kinds())
async def test_every_backend_has_its_transcripts(kind: str) -> None:
    async with WireService() as service, aiohttp.ClientSession() as http:
        capabilities = Transcript(kind, service, http).backend.capabilities
    wanted = SCENARIOS | ({"tool_call"} if capabilities.tools else set())
    assert wanted <= {path.stem for path in (GOLDEN / kind).glob("*.jsonl")}
