"""The Realtime session against transcripts of the protocol; see tests/golden/realtime/README.md."""

import base64
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from gateway.backends import realtime_events as rt
from gateway.backends.contract import BackendEvent
from gateway.backends.realtime_formats import RealtimeFormats
from gateway.backends.realtime_session import RealtimeSession
from gateway.core.audio import WireFormat

GOLDEN = Path(__file__).parents[2] / "golden" / "realtime"
TRANSCRIPTS = sorted(path.stem for path in GOLDEN.glob("*.jsonl"))

Line = dict[str, Any]


class Player:
    """Feeds a session and keeps what comes of it."""

    def __init__(self, wire_format: WireFormat) -> None:
        self._session = RealtimeSession(RealtimeFormats(wire_format, wire_format))
        self._bytes_per_ms = wire_format.sample_rate_hz * wire_format.bytes_per_sample // 1000
        self.outcome: list[Line] = []

    def feed(self, line: Line) -> None:
        """One input line."""
        if "call" in line:
            name, *arguments = line["call"]
            self._sent(getattr(self._session, name)(*arguments))
            return
        event = rt.decode(json.dumps(self._with_audio(line["server"])))
        if event.type == "response.output_audio.delta":
            data = self._session.audio(event)
            if data is not None:
                self.outcome.append({"audio": [event.item_id, len(data) / self._bytes_per_ms]})
            return
        self.outcome += [{"event": described(item)} for item in self._session.handle(event)]
        self._sent(self._session.take_due())

    def _sent(self, messages: list[bytes]) -> None:
        self.outcome += [{"client": json.loads(message)} for message in messages]

    def _with_audio(self, event: Line) -> Line:
        if "audio_ms" in event:
            data = bytes(event.pop("audio_ms") * self._bytes_per_ms)
            event["delta"] = base64.b64encode(data).decode()
        return event


def described(event: BackendEvent) -> Line:
    return {type(event).__name__: asdict(event)}


def steps(name: str) -> list[tuple[Line, list[Line]]]:
    """Inputs, each with the outcome that has to follow."""
    found: list[tuple[Line, list[Line]]] = []
    for text in (GOLDEN / f"{name}.jsonl").read_text().splitlines():
        line = json.loads(text)
        if "server" in line or "call" in line:
            found.append((line, []))
        else:
            found[-1][1].append(line)
    return found


def test_there_are_transcripts() -> None:
    assert len(TRANSCRIPTS) >= 12


@pytest.mark.parametrize("wire_format", list(WireFormat))
@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_transcript(name: str, wire_format: WireFormat) -> None:
    player = Player(wire_format)
    for number, (given, expected) in enumerate(steps(name), 1):
        player.outcome.clear()
        player.feed(given)
        assert player.outcome == expected, f"step {number}: {given}"
