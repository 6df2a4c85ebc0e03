"""A core for one card: speaks the wire, remembers everything, waits for what a test expects."""

import asyncio
import os
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Self, TypeVar

from gateway.core.ids import LegId, Mark
from gateway.wire import card as wire
from gateway.wire.frames import (
    WIRE_VERSION,
    FrameDecoder,
    FrameKind,
    HeardFlag,
    PlayFlag,
    pack_play,
    unpack_heard,
)

Message = TypeVar("Message")
WITHIN_S = 10.0


class StandInCore:
    """One connection to a card."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._changed = asyncio.Event()
        self.messages: list[wire.FromCard] = []
        self.arrived: list[float] = []
        """CLOCK_MONOTONIC of each message."""
        self.heard: dict[LegId, bytearray] = defaultdict(bytearray)
        """What each leg said."""
        self.concealed: dict[LegId, int] = defaultdict(int)
        self.ticks: list[float] = []
        """When each HEARD frame arrived."""
        self._round_trips = 0
        self.echo = False
        """Play back what is heard, frame by frame, with mark 1."""
        self.on_message: Callable[[wire.FromCard], None] | None = None
        self.on_heard: Callable[[LegId, int], None] | None = None
        """Told of each 20 ms of a leg: whose, and its flags."""
        self._task: asyncio.Task[None] | None = None
        self.ended = False
        """The card closed the connection."""

    @classmethod
    async def connect(cls, path: Path, *, attach: bool = True) -> Self:
        """Connect, read `Hello`, and attach."""
        core = cls(*await asyncio.open_unix_connection(path))
        core._task = asyncio.create_task(core._read())
        await core.expect(wire.Hello)
        if attach:
            core.send(wire.Attach(WIRE_VERSION, os.getpid()))
            await core.expect(wire.Snapshot)
        return core

    def send(self, message: wire.ToCard) -> None:
        """A command."""
        self._writer.write(wire.pack_control(message))

    def send_raw(self, data: bytes) -> None:
        """Bytes as they are."""
        self._writer.write(data)

    def play(self, leg: LegId, pcm: bytes, mark: int = 1, *, last: bool = False, live: bool = False) -> None:
        """Audio for a leg."""
        flags = (PlayFlag.LAST if last else PlayFlag.NONE) | (PlayFlag.LIVE if live else PlayFlag.NONE)
        self._writer.write(pack_play(leg, Mark(mark), flags, pcm))

    async def expect(
        self,
        kind: type[Message],
        where: Callable[[Message], bool] = lambda _: True,
        *,
        within_s: float = WITHIN_S,
    ) -> Message:
        """The first message of a kind, past or future, that fulfils a condition."""
        found: list[Message] = []

        def there() -> bool:
            found[:] = [m for m in self.messages if isinstance(m, kind) and where(m)]
            return bool(found)

        try:
            await self.until(there, within_s=within_s)
        except TimeoutError:
            raise AssertionError(f"no {kind.__name__} in {self.messages}") from None
        return found[0]

    async def until(self, condition: Callable[[], bool], *, within_s: float = WITHIN_S) -> None:
        """Wait until something that arrived makes a condition true."""
        async with asyncio.timeout(within_s):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def round_trip(self) -> None:
        """Wait until the card has read all commands so far, and we all that it said before."""
        number = self._round_trips = self._round_trips + 1
        self.send(wire.SendDtmf(LegId(0xFFFFFFFF - number), "0"))
        await self.expect(wire.Refused, lambda m: m.leg == 0xFFFFFFFF - number)

    async def hear(self, leg: LegId, duration_s: float, *, skip_s: float = 0.0) -> bytes:
        """The next audio of a leg (8 kHz)."""
        start = len(self.heard[leg]) + int(skip_s * 8000) * 2
        end = start + int(duration_s * 8000) * 2
        await self.until(lambda: len(self.heard[leg]) >= end, within_s=duration_s + skip_s + WITHIN_S)
        return bytes(self.heard[leg][start:end])

    def of(self, kind: type[Message]) -> list[Message]:
        """All messages of a kind so far."""
        return [m for m in self.messages if isinstance(m, kind)]

    async def close(self) -> None:
        """Cut the connection."""
        self._writer.close()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _read(self) -> None:
        decoder = FrameDecoder()
        while data := await self._reader.read(1 << 16):
            for kind, payload in decoder.feed(data):
                if kind == FrameKind.HEARD:
                    self._hear(payload)
                else:
                    self._take(wire.unpack_from_card(payload))
            self._changed.set()
        self.ended = True
        self._changed.set()

    def _hear(self, payload: bytes) -> None:
        self.ticks.append(time.monotonic())
        for leg, flags, pcm in unpack_heard(payload):
            self.heard[leg] += pcm
            self.concealed[leg] += bool(flags & HeardFlag.CONCEALED)
            if self.on_heard is not None:
                self.on_heard(leg, flags)
            if self.echo:
                self.play(leg, pcm)

    def _take(self, message: wire.FromCard) -> None:
        self.messages.append(message)
        self.arrived.append(time.monotonic())
        if self.on_message is not None:
            self.on_message(message)


def auto_answer(core: StandInCore) -> None:
    """Answer every call at once."""

    def answer(message: wire.FromCard) -> None:
        if isinstance(message, wire.Incoming):
            core.send(wire.Answer(message.leg))

    core.on_message = answer
