"""A phone in a process of its own: PJSIP driven by commands on standard input.

    python -m tests.integration.card.phone URI TONE_HZ

Commands, one per line: `dtmf DIGITS`, `info DIGITS`, `hold`, `resume`, `mute`, `record MS`, `bye`.
Answers are JSON lines: {"state": ...}, {"media": ...}, {"digit": ...}, {"pcm": base64}.
"""

import asyncio
import base64
import json
import math
import os
import sys
import time
from array import array
from dataclasses import asdict
from typing import Any, Self

from gateway.cards.sip.contract import CallState, DtmfMethod, EndpointSettings, MediaInfo, PjsipError
from gateway.cards.sip.pjsip import Endpoint, SipCall

RATE_HZ = 8000
CODECS = ("PCMU/8000/1", "PCMA/8000/1", "G722/16000/1", "GSM/8000/1", "iLBC/8000/1", "speex/8000/1")


def say(**what: object) -> None:
    """One answer."""
    os.write(1, json.dumps(what).encode() + b"\n")


class Phone:
    """Handler, tone and recorder of the one call."""

    def __init__(self, tone_hz: float) -> None:
        self.state = "calling"
        self._tone_hz, self._sample = tone_hz, 0
        self._record_bytes, self._recording = 0, b""
        self.muted = False
        self.hold_wanted: bool | None = None
        """Hold or resume, as soon as that can be offered: not before the ACK of what was offered to us."""

    def on_state(self, state: CallState, status: int, reason: str) -> None:
        self.state = state
        say(state=state, status=status, reason=reason)

    def on_media(self, media: MediaInfo) -> None:
        say(media=asdict(media))

    def on_digit(self, digit: str, duration_ms: int, method: DtmfMethod) -> None:
        say(digit=digit, duration_ms=duration_ms, method=method)

    def on_refused(self, status: int, reason: str) -> None:
        say(refused=status, reason=reason)

    def on_transfer(self, status: int, reason: str, *, final: bool) -> None:
        say(transfer=status, reason=reason, final=final)

    def speak(self) -> bytes | None:
        """20 ms of the tone, in phase with the last."""
        if self.muted:
            return None
        step = 2 * math.pi * self._tone_hz / RATE_HZ
        start, self._sample = self._sample, self._sample + 160
        return array("h", [int(8000 * math.sin(step * i)) for i in range(start, start + 160)]).tobytes()

    def hear(self, pcm: bytes) -> None:
        """Collect what was asked for."""
        if self._record_bytes:
            self._recording += pcm or bytes(320)
            if len(self._recording) >= self._record_bytes:
                say(pcm=base64.b64encode(self._recording[: self._record_bytes]).decode())
                self._record_bytes, self._recording = 0, b""

    def record(self, duration_ms: int) -> None:
        """Answer with the next audio."""
        self._record_bytes, self._recording = duration_ms * RATE_HZ // 1000 * 2, b""


def obey(phone: Phone, call: SipCall, line: str) -> None:
    """Carry out one command."""
    command, _, argument = line.partition(" ")
    if command == "dtmf":
        call.send_dtmf(argument, "rfc4733")
    elif command == "info":
        call.send_dtmf(argument, "info")
    elif command in ("hold", "resume"):
        phone.hold_wanted = command == "hold"
    elif command == "mute":
        phone.muted = True
    elif command == "record":
        phone.record(int(argument))
    elif command == "bye":
        call.hangup()


def settle_hold(phone: Phone, call: SipCall) -> None:
    """Try again at every tick; whoever waits for the result has no patience without end."""
    if phone.hold_wanted is not None:
        try:
            call.hold(phone.hold_wanted)
        except PjsipError:
            return
        phone.hold_wanted = None


def main() -> None:
    """Call, obey, leave."""
    uri, tone_hz, *codecs = sys.argv[1:]
    phone = Phone(float(tone_hz))
    endpoint = Endpoint(EndpointSettings(tuple(codecs) or CODECS, srtp="SRTP" in os.environ))
    port = endpoint.create_port()
    port.speak, port.hear = phone.speak, phone.hear
    call = endpoint.dial(uri, phone, port)
    endpoint.wake_on(0)
    next_tick_s, rest = time.monotonic(), b""
    while phone.state != "disconnected":
        if time.monotonic() >= next_tick_s:
            endpoint.tick()
            settle_hold(phone, call)
            next_tick_s += 0.02
        if endpoint.handle_events(max(0, int((next_tick_s - time.monotonic()) * 1000 + 0.999))):
            data = os.read(0, 4096)
            if not data:
                break
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                obey(phone, call, line.decode())
    os._exit(0)


class RemotePhone:
    """The test's handle on a phone process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.said: list[dict[str, Any]] = []

    @classmethod
    async def dial(cls, uri: str, tone_hz: float = 1000.0, codecs: tuple[str, ...] = ()) -> Self:
        """Start a phone that calls."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.integration.card.phone", uri, str(tone_hz), *codecs),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=1 << 20,
        )
        return cls(process)

    def do(self, command: str) -> None:
        """Send a command."""
        assert self._process.stdin is not None
        self._process.stdin.write(command.encode() + b"\n")

    async def expect(self, **wanted: object) -> dict[str, Any]:
        """The next answer with these values."""
        assert self._process.stdout is not None
        async with asyncio.timeout(15):
            while line := await self._process.stdout.readline():
                answer: dict[str, Any] = json.loads(line)
                self.said.append(answer)
                if all(k in answer and v in (..., answer[k]) for k, v in wanted.items()):
                    return answer
        raise AssertionError(f"the phone left without {wanted}; it said {self.said}")

    async def record(self, duration_ms: int) -> bytes:
        """What the phone hears from now on."""
        self.do(f"record {duration_ms}")
        answer = await self.expect(pcm=...)
        return base64.b64decode(answer["pcm"])

    async def hang_up(self) -> None:
        """BYE, and wait for the process."""
        self.do("bye")
        await self.expect(state="disconnected")
        await self._process.wait()

    async def kill(self) -> None:
        """Vanish without a word."""
        self._process.kill()
        await self._process.wait()


if __name__ == "__main__":
    main()
