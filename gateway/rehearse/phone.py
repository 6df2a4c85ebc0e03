"""A synthetic caller's phone: one of the bench's that follows a script and keeps all it hears."""

import struct
import time
from array import array
from dataclasses import dataclass, field
from typing import Final

from gateway.bench.callers import Caller
from gateway.bench.dialog import DialogState
from gateway.rehearse.ear import Packet
from gateway.rehearse.player import Player, Spoken
from gateway.rehearse.script import Script

_HEADER: Final = struct.Struct("!BBHII")
_MAX_PACKETS: Final = 50 * 60 * 15
"""Of one call; a far end that sends more is not listened to any longer."""


@dataclass(frozen=True, slots=True)
class Trace:
    """A call as it went, for the analysis. Times are seconds of one clock."""

    number: int
    script: str
    invited_s: float
    answered_s: float | None
    ended_s: float
    far_end_hung_up: bool
    failure: str
    """Empty if the call came about and ended as it should."""
    heard: tuple[Packet, ...]
    sent_s: tuple[float, ...]
    """When each frame went out."""
    sent: tuple[bytes, ...] = field(repr=False)
    """µ-law payload of each frame; empty for keys."""
    spoken: tuple[Spoken, ...] = ()
    quiet: tuple[tuple[float, float], ...] = ()
    skipped: int = 0
    noisy: bool = False
    """There is noise under the caller's speech."""

    def mouth_s(self, spoken: Spoken, offset_ms: float) -> float:
        """When a moment of something spoken was at the mouth: a packet goes out when its 20 ms are over."""
        frame = min(spoken.first_frame + int(offset_ms // 20), len(self.sent_s) - 1)
        return self.sent_s[frame] - 0.02 + (offset_ms % 20) / 1000


class Phone(Caller):
    """Speaks by script; `trace` tells all about it afterwards."""

    __slots__ = ("_number", "_player", "_script", "_sent", "_sent_s", "ended_s", "heard")

    def __init__(self, slot: int, number: int, script: Script) -> None:
        super().__init__(slot)
        self._number = number
        self._script = script
        self._player = Player(script)
        self.heard: list[Packet] = []
        """Packets with audio, in the order of their arrival."""
        self._sent_s = array("d")
        self._sent: list[bytes] = []
        self.ended_s: float | None = None
        """When the script was through, or the far end hung up."""

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to do but to hang up."""
        return self._player.finished

    @property
    def progress(self) -> float:
        """Share of the script."""
        return 1.0 if self.ended_s is not None else self._player.progress

    def on_rtp(self, data: bytes, _source: tuple[str, int], arrived_s: float) -> None:
        """A datagram at our RTP port; what is no µ-law is ignored."""
        if len(data) <= _HEADER.size or data[1] & 0x7F or data[0] >> 6 != 2:
            return
        first, _, seq, timestamp, ssrc = _HEADER.unpack_from(data)
        at = _HEADER.size + 4 * (first & 0x0F)
        if first & 0x10:
            at += 4 + 4 * int.from_bytes(data[at + 2 : at + 4], "big")
        payload = data[at : len(data) - data[-1]] if first & 0x20 else data[at:]
        if payload and len(self.heard) < _MAX_PACKETS:
            self.heard.append(Packet(arrived_s, seq, timestamp, ssrc, payload))
            self._player.on_agent(payload, arrived_s)

    def send_frame(self) -> bool:
        """Send the next 20 ms; False when the packet could not be sent."""
        now_s = time.time()
        media = self.dialog.media
        if self.dialog.state is not DialogState.UP or media is None:
            return True
        frame = self._player.frame(now_s)
        self._sent_s.append(now_s)
        self._sent.append(frame.payload if not frame.payload_type else b"")
        packet = self.sender.packet(frame.payload, frame.payload_type, begun_ago=frame.begun_ago)
        return self.socket.send(packet, media)

    def trace(self, now_s: float) -> Trace:
        """How the call went."""
        dialog, player = self.dialog, self._player
        assert dialog.invited_s is not None, "placed"
        failure = dialog.failure
        if not failure and dialog.answered_s is None:
            failure = "not answered in time"
        return Trace(
            self._number,
            self._script.name,
            dialog.invited_s,
            dialog.answered_s,
            self.ended_s or now_s,
            dialog.ended_by == "far_end",
            failure,
            tuple(self.heard),
            tuple(self._sent_s),
            tuple(self._sent),
            tuple(player.spoken),
            tuple(player.quiet),
            player.skipped,
            bool(self._script.background),
        )
