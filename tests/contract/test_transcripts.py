"""Every backend against recorded exchanges with its service, on a real WebSocket."""

import aiohttp
import pytest

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


@pytest.mark.parametrize("kind", kinds())
async def test_every_backend_has_its_transcripts(kind: str) -> None:
    async with WireService() as service, aiohttp.ClientSession() as http:
        capabilities = Transcript(kind, service, http).backend.capabilities
    wanted = SCENARIOS | ({"tool_call"} if capabilities.tools else set())
    assert wanted <= {path.stem for path in (GOLDEN / kind).glob("*.jsonl")}
