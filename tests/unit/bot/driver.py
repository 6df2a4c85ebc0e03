"""Drives a session by hand: its client, and what to read out of its events."""

import base64
import json
from typing import Any

from gateway.bot.session import Session
from gateway.core.audio import WireFormat
from tests.unit.bot.recordings import as_wire, spoken

PHONE: dict[str, Any] = {
    "type": "realtime",
    "audio": {
        "input": {"format": {"type": "audio/pcmu"}, "turn_detection": {"silence_duration_ms": 300}},
        "output": {"format": {"type": "audio/pcmu"}},
    },
}
SENTENCE_MS = 1000


def one_second(_text: str, rate_hz: int) -> bytes:
    """Speech that is always at hand: a silent second."""
    return bytes(2 * rate_hz * SENTENCE_MS // 1000)


class Client:
    """Drives a session; `now` is the time."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.now = 100.0
        self.events: list[dict[str, Any]] = session.start()

    def send(self, kind: str, **fields: Any) -> list[dict[str, Any]]:
        """Send one event; what comes back at once."""
        return self.send_raw(json.dumps({"type": kind, **fields}))

    def send_raw(self, message: str | bytes) -> list[dict[str, Any]]:
        found = [event for events in self.session.handle(message, self.now) for event in events]
        self.events += found
        return found

    def hear(self, pcm: bytes) -> list[dict[str, Any]]:
        """Send audio in one append."""
        data = as_wire(pcm, WireFormat.PCMU)
        return self.send("input_audio_buffer.append", audio=base64.b64encode(data).decode())

    def wait(self, seconds: float) -> list[dict[str, Any]]:
        """Let time pass, serving every deadline."""
        until = self.now + seconds
        found: list[dict[str, Any]] = []
        while (due := self.session.next_deadline) is not None and due <= until:
            self.now = max(self.now, due)
            found += self.session.handle_timeout(self.now)
        self.now = until
        self.events += found
        return found

    def say(self, name: str) -> list[dict[str, Any]]:
        """A recording, and the answer to its end."""
        return self.hear(spoken(name)) + self.wait(5)


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in events]


def of(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event for event in events if event["type"] == kind]


def answers(events: list[dict[str, Any]]) -> list[str]:
    return [event["transcript"] for event in of(events, "response.output_audio_transcript.done")]


def error(events: list[dict[str, Any]]) -> tuple[str, str | None, str | None]:
    """Code, parameter and event id of the only event, an error."""
    assert kinds(events) == ["error"]
    found = events[0]["error"]
    return found["code"], found["param"], found["event_id"]


def greeted(client: Client) -> str:
    """Let the greeting be sent; its item."""
    client.send("response.create")
    return str(of(client.wait(3), "response.output_item.done")[0]["item"]["id"])
