"""Phones that are called, in a process of their own: PJSIP led by commands on standard input.

    python -m tests.integration.dialplan.phones DIRECTORY

All users are one endpoint with up to four calls. Commands, one per line: `answer USER`,
`refuse USER STATUS`, `bye USER`. Answers are JSON lines: {"event": "listening", "port"},
{"event": "invited" | "answered" | "left", "user", ...}. Every phone says its own tone and writes what it
hears to DIRECTORY/USER-NUMBER.pcm (s16le, 8000 Hz) when it leaves.
"""

import json
import math
import os
import sys
import time
from array import array
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gateway.cards.sip.contract import CallState, DtmfMethod, EndpointSettings, MediaInfo, PjsipError
from gateway.cards.sip.pjsip.call import SipCall
from gateway.cards.sip.pjsip.endpoint import MAX_CALLS, Endpoint
from gateway.cards.sip.pjsip.port import PcmPort

RATE_HZ: Final = 8000
_FRAME: Final = RATE_HZ // 50
TONES_HZ: Final = {"op1": 650, "op2": 950, "op3": 1250}
"""What each phone says; another user's says 800."""
_OTHER_HZ: Final = 800


def tell(event: str, **what: object) -> None:
    """One answer."""
    os.write(1, json.dumps({"event": event, **what}).encode() + b"\n")


@dataclass(slots=True)
class Ringing:
    """One call of one phone; its handler, tone and recorder."""

    user: str
    call: SipCall
    heard_file: Path
    state: str = "incoming"
    heard: bytearray = field(default_factory=bytearray)
    sample: int = 0

    def on_state(self, state: CallState, status: int, reason: str) -> None:
        """The call moved on."""
        self.state = state
        if state == "confirmed":
            tell("answered", user=self.user)
        elif state == "disconnected":
            self.heard_file.write_bytes(self.heard)
            tell("left", user=self.user, status=status, reason=reason, heard=str(self.heard_file))

    def on_media(self, media: MediaInfo) -> None:
        """Not told."""

    def on_digit(self, digit: str, duration_ms: int, method: DtmfMethod) -> None:
        """A key of the caller's."""
        tell("digit", user=self.user, digit=digit)

    def on_refused(self, status: int, reason: str) -> None:
        """As `CallHandler` says; the script sees that nothing changed."""

    def on_transfer(self, status: int, reason: str, *, final: bool) -> None:
        """Never: these phones transfer nobody."""

    def speak(self) -> bytes:
        """20 ms of the tone, in phase with the last."""
        step = 2 * math.pi * TONES_HZ.get(self.user, _OTHER_HZ) / RATE_HZ
        start, self.sample = self.sample, self.sample + _FRAME
        return array("h", [int(8000 * math.sin(step * i)) for i in range(start, start + _FRAME)]).tobytes()

    def hear(self, pcm: bytes) -> None:
        """Keep it."""
        self.heard += pcm or bytes(2 * _FRAME)


class Office:
    """All phones."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        settings = EndpointSettings(("PCMU/8000/1",), user_agent="office", identity="office")
        self._endpoint = Endpoint(settings, self._on_incoming)
        self._ports: list[PcmPort] = [self._endpoint.create_port() for _ in range(MAX_CALLS)]
        self._calls: list[tuple[Ringing, PcmPort]] = []
        self._new: list[Ringing] = []
        self._count = 0

    def _on_incoming(self, call: SipCall, message: str, _source: str) -> Ringing:
        user = message.partition("sip:")[2].partition("@")[0]
        self._count += 1
        ringing = Ringing(user, call, self._directory / f"{user}-{self._count}.pcm")
        busy = [port for _, port in self._calls]
        port = next(each for each in self._ports if each not in busy)
        port.speak, port.hear = ringing.speak, ringing.hear
        call.port = port
        self._calls.append((ringing, port))
        self._new.append(ringing)
        return ringing

    def _obey(self, line: str) -> None:
        command, user, *arguments = line.split()
        ringing = next(r for r, _ in reversed(self._calls) if r.user == user and r.state != "disconnected")
        match command:
            case "answer":
                ringing.call.answer(200)
            case "refuse":
                ringing.call.answer(int(arguments[0]))
            case "bye":
                ringing.call.hangup()

    def _serve(self) -> None:
        while self._new:
            ringing = self._new.pop(0)
            tell("invited", user=ringing.user)
            ringing.call.answer(180)
        self._calls = [(r, port) for r, port in self._calls if r.state != "disconnected"]

    def run(self) -> None:
        """Until standard input ends."""
        self._endpoint.wake_on(0)
        tell("listening", port=self._endpoint.sip_port)
        next_tick_s, rest = time.monotonic(), b""
        while True:
            if time.monotonic() >= next_tick_s:
                self._endpoint.tick()
                next_tick_s += 0.02
            wait_s = max(0.0, next_tick_s - time.monotonic())
            readable = self._endpoint.handle_events(int(wait_s * 1000 + 0.999))
            self._serve()
            if not readable:
                continue
            data = os.read(0, 4096)
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                try:
                    self._obey(line.decode())
                except (StopIteration, PjsipError) as exc:
                    tell("not_done", command=line.decode(), problem=repr(exc))


if __name__ == "__main__":
    Office(Path(sys.argv[1])).run()
    os._exit(0)  # PJSIP must not be torn down by the interpreter
