"""Plays a written-down exchange between a backend and its service; see tests/golden/backends/README.md."""

import asyncio
import json
import re
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.backends.contract import Backend, BackendError, BackendEvent, BackendLost
from gateway.backends.registry import MAKERS
from gateway.config.models import GatewayConfig
from tests.contract.listener import CONTEXT
from tests.contract.wire_service import WireService
from tests.sounds import tone

GOLDEN = Path(__file__).parents[1] / "golden" / "backends"

TOOLS: Sequence[dict[str, Any]] = (
    {"type": "function", "name": "look_up", "description": "Look something up.", "parameters": {}},
)

_SETTINGS: dict[str, dict[str, Any]] = {
    "openai_realtime": {"model": "m", "api_key": "sk-1", "greeting": "Say hello.", "audio": "pcmu"},
    "openai_live": {"model": "m", "api_key": "sk-1", "greeting": "Say hello.", "audio": "pcmu"},
    "twilio_media_streams": {"auth_token": "t-1", "parameters": {"caller": "{from}", "tier": "gold"}},
}
"""What the agents of the transcripts are configured with."""

_AUDIO = re.compile(r"<audio (\d+)>")
_STREAM = re.compile(r"MZ[0-9a-f]{32}")
_BYTES_PER_MS = 8
_WITHIN_S = 10.0


def kinds() -> list[str]:
    """Kinds of backends that have a service of their own to talk to."""
    return sorted(set(MAKERS) - {"bot"})


def transcripts() -> list[tuple[str, str]]:
    """Kind and scenario of every exchange."""
    return [(kind, path.stem) for kind in kinds() for path in sorted((GOLDEN / kind).glob("*.jsonl"))]


def backend_for(kind: str, url: str, http: aiohttp.ClientSession) -> Backend:
    """A backend of that kind as the transcripts know it."""
    agent = {"backend": kind, "url": url, **_SETTINGS[kind]}
    config = GatewayConfig.model_validate({"agents": {"a": agent}})
    return MAKERS[kind](config.agents["a"], CONTEXT, http, TOOLS)


class Transcript:
    """One exchange under way; implements `BackendSink`."""

    def __init__(self, kind: str, service: WireService, http: aiohttp.ClientSession) -> None:
        self.backend = backend_for(kind, service.url, http)
        self._service = service
        self._opening: asyncio.Task[None] | None = None
        self._events: asyncio.Queue[BackendEvent] = asyncio.Queue()
        self._heard: asyncio.Queue[tuple[str, int]] = asyncio.Queue()
        self._stream = ""
        """What the service would know the stream by."""

    def on_backend_audio(self, item_id: str, pcm: bytes) -> None:
        """Answer audio."""
        self._heard.put_nowait((item_id, len(pcm) // 16))

    def on_backend_event(self, event: BackendEvent) -> None:
        """Anything else."""
        self._events.put_nowait(event)

    async def play(self, lines: Sequence[str]) -> None:
        """All steps, and nothing beside them."""
        for number, text in enumerate(lines, 1):
            ((step, value),) = json.loads(text).items()
            try:
                async with asyncio.timeout(_WITHIN_S):
                    await getattr(self, f"_{step}")(value)
            except (AssertionError, TimeoutError) as exc:
                exc.add_note(f"line {number}: {text}")
                raise
        assert self._service.received.empty(), self._service.received.get_nowait()
        assert self._events.empty(), self._events.get_nowait()
        assert self._heard.empty(), self._heard.get_nowait()

    async def end(self) -> None:
        """Leave nothing behind."""
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)
        await self.backend.close()

    # ---- the call -----------------------------------------------------------------------------

    async def _open(self, _: object) -> None:
        self._opening = asyncio.create_task(self.backend.open(self))

    async def _opened(self, _: object) -> None:
        assert self._opening is not None
        await self._opening

    async def _refused(self, expected: dict[str, Any]) -> None:
        assert self._opening is not None
        with pytest.raises(BackendError) as caught:
            await self._opening
        assert {"kind": caught.value.kind, "retryable": caught.value.retryable} == expected

    async def _call(self, words: list[Any]) -> None:
        name, *arguments = words
        if name == "send_audio":
            arguments = [tone(1000, arguments[0], 8000)]
        result = getattr(self.backend, name)(*(self._unmasked(each) for each in arguments))
        if asyncio.iscoroutine(result):
            await result

    async def _event(self, expected: dict[str, Any]) -> None:
        event = await self._events.get()
        told: dict[str, Any]
        if isinstance(event, BackendLost):
            told = {"kind": event.error.kind, "retryable": event.error.retryable}
        else:
            told = asdict(event)
        assert matches({type(event).__name__: self._masked(told)}, expected)

    async def _hears(self, expected: list[Any]) -> None:
        item_id, duration_ms = await self._heard.get()
        assert [self._masked(item_id), duration_ms] == expected

    # ---- the service --------------------------------------------------------------------------

    async def _gateway(self, expected: dict[str, Any]) -> None:
        message = await self._service.received.get()
        found = _STREAM.search(json.dumps(message))
        if found is not None:
            self._stream = found[0]
        assert matches(self._masked(message), expected)

    async def _handshake(self, expected: dict[str, str]) -> None:
        told = {name: self._service.headers.get(name, "") for name in expected}
        told["path"] = self._service.path
        assert matches(told, expected)

    async def _service_says(self, message: dict[str, Any]) -> None:
        await self._service.send(json.dumps(self._unmasked(message)))

    async def _service_raw(self, text: str) -> None:
        await self._service.send(text)

    async def _service_binary(self, n_bytes: int) -> None:
        await self._service.send(bytes(n_bytes))

    async def _service_large(self, n_bytes: int) -> None:
        await self._service.send('{"padding":"' + "x" * n_bytes + '"}')

    async def _service_closes(self, code: int) -> None:
        await self._service.close(code)

    async def _service_vanishes(self, _: object) -> None:
        self._service.vanish()

    async def _service_cut(self, _: object) -> None:
        self._service.cut()

    async def _ended(self, _: object) -> None:
        await self._service.ended.wait()

    # ---- what differs from run to run ---------------------------------------------------------

    def _masked(self, value: Any) -> Any:
        """Audio and stream names as the transcripts write them."""
        if isinstance(value, dict):
            return {
                key: f"<audio {len(b64decode(each)) // _BYTES_PER_MS}>"
                if key in ("audio", "payload") and isinstance(each, str)
                else self._masked(each)
                for key, each in value.items()
            }
        if isinstance(value, list):
            return [self._masked(each) for each in value]
        return _STREAM.sub("<stream>", value) if isinstance(value, str) else value

    def _unmasked(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._unmasked(each) for key, each in value.items()}
        if isinstance(value, str):
            return _AUDIO.sub(_audio, value.replace("<stream>", self._stream))
        return value


def _audio(found: re.Match[str]) -> str:
    """Base64 of that many milliseconds of µ-law, loud throughout."""
    return b64encode(bytes([0x10, 0x90]) * (int(found[1]) * _BYTES_PER_MS // 2)).decode()


def matches(told: Any, expected: Any) -> bool:
    """Equal, where the expected value is not "*"; explains itself by failing inside."""
    if expected == "*":
        return True
    if isinstance(expected, dict) and isinstance(told, dict):
        assert told.keys() == expected.keys(), told
        return all(matches(told[key], expected[key]) for key in expected)
    assert told == expected
    return True
