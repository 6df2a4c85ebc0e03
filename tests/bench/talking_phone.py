"""A phone of the bench's that says turns when it is told to, and knows whom it hears by the tone."""

import struct
import time
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import numpy as np

from gateway.bench.callers import Caller
from gateway.bench.dialog import DialogState
from gateway.media.g711 import ulaw_decode, ulaw_encode
from tests.bench.turn_service import is_loud
from tests.sounds import frames, voiced

Kind = Literal["quiet", "first", "second", "words"]
TONES: Final[Mapping[Kind, float]] = {"first": 1000.0, "second": 1500.0}
TURN_MS: Final = 600
_TURN: Final = tuple(ulaw_encode(frame) for frame in frames(voiced(TURN_MS)))
_SILENCE: Final = b"\xff" * 160
_HEADER: Final = struct.Struct("!BBHII")
_RUN_FRAMES: Final = 3
"""So many of a kind in a row are that kind: a vowel may look like a tone for a moment."""


class TalkingPhone(Caller):
    """Says what it is told to, and keeps all it hears."""

    __slots__ = ("_run", "_to_say", "heard", "loud_s", "toned_s", "turns_s")

    def __init__(self, slot: int) -> None:
        super().__init__(slot)
        self.heard: list[tuple[float, Kind]] = []
        """20 ms each: when they came, and what they sound like."""
        self.loud_s = self.toned_s = 0.0
        """When anything, and an answer, was heard last."""
        self._run = 0
        self.turns_s: list[float] = []
        """When each turn's last frame went out."""
        self._to_say: list[bytes] = []

    @property
    def up(self) -> bool:
        """Whether the call lives."""
        return self.dialog.state is DialogState.UP

    def speak(self, _now_s: float) -> None:
        """Begin a turn."""
        self._to_say = list(_TURN)

    def on_rtp(self, data: bytes, _source: tuple[str, int], arrived_s: float) -> None:
        """A datagram at our RTP port."""
        if len(data) <= _HEADER.size or data[1] & 0x7F:
            return
        kind = kind_of(data[_HEADER.size :])
        self.heard.append((arrived_s, kind))
        self._run = self._run + 1 if kind in TONES else 0
        if kind != "quiet":
            self.loud_s = arrived_s
        if self._run >= _RUN_FRAMES:
            self.toned_s = arrived_s

    def send_frame(self) -> bool:
        """The next 20 ms."""
        media = self.dialog.media
        if self.dialog.state is not DialogState.UP or media is None:
            return True
        if self._to_say:
            payload = self._to_say.pop(0)
            if not self._to_say:
                self.turns_s.append(time.time())
        else:
            payload = _SILENCE
        return self.socket.send(self.sender.packet(payload), media)


def kind_of(payload: bytes) -> Kind:
    """What 20 ms sound like."""
    if not is_loud(payload):
        return "quiet"
    x = np.frombuffer(ulaw_decode(payload), "<i2").astype(np.float64)
    power = float(np.sum(x * x))
    turn = -2j * np.pi * np.arange(len(x)) / 8000
    for kind, hz in TONES.items():
        if 2 * abs(np.sum(x * np.exp(turn * hz))) ** 2 / len(x) > 0.8 * power:
            return kind
    return "words"


def first_s(heard: Sequence[tuple[float, Kind]], kinds: Sequence[Kind], after_s: float) -> float | None:
    """When a sound of one of these kinds began after a moment, None if none did."""
    run: list[float] = []
    for at_s, kind in heard:
        if at_s < after_s:
            continue
        run = [*run, at_s] if kind in kinds else []
        if len(run) == _RUN_FRAMES:
            return run[0]
    return None
