"""What a peer gets to hear: playout, packet time, encoder. No I/O.

The encoder is told to expect at least 10 % loss, since libopus leaves the FEC out below.
"""

from dataclasses import dataclass
from typing import Final

from gateway.cards.webrtc.codecs import CodecKind, make_encoder
from gateway.cards.webrtc.opus import OpusEncoder
from gateway.cards.webrtc.outgoing import Outgoing
from gateway.core.audio import PcmFormat
from gateway.core.playout import Playout

_LEAST_LOSS_PERCENT: Final = 10
_MOST_LOSS_PERCENT: Final = 30


@dataclass(frozen=True, slots=True)
class Tier:
    """How much network a peer's downlink takes."""

    name: str
    bitrate_bps: int
    """Opus only."""
    ptime_ms: int


TIERS: Final = (
    Tier("32k/20ms", 32000, 20),
    Tier("24k/20ms", 24000, 20),
    Tier("24k/40ms", 24000, 40),
    Tier("24k/60ms", 24000, 60),
)
"""From the best to the most frugal; 55, 47, 35 and 31 kbit/s on the wire.

libopus 1.6 leaves the FEC out below 24 kbit/s at the loss we tell it."""

DEFAULT_TIER: Final = TIERS[1]


class Downlink:
    """Playout buffer and encoder."""

    def __init__(self, kind: CodecKind, pcm_format: PcmFormat) -> None:
        self.playout = Playout(pcm_format)
        self.tier = DEFAULT_TIER
        self._outgoing = Outgoing(pcm_format.frame_bytes, kind.clock_rate_hz)
        self._encoder = make_encoder(kind.name, pcm_format.sample_rate_hz)
        self._loss_percent = _LEAST_LOSS_PERCENT
        self._tune()

    @property
    def ptime_ms(self) -> int:
        """Audio per packet."""
        return self._outgoing.ptime_ms

    def set_tier(self, name: str) -> None:
        """Change it while audio runs. Raises `ValueError` for an unknown name."""
        tier = next((each for each in TIERS if each.name == name), None)
        if tier is None:
            raise ValueError(f"no tier is called {name!r}")
        self.tier = tier
        self._outgoing.set_ptime(tier.ptime_ms)
        self._tune()

    def expect_loss(self, percent: float) -> None:
        """What the far end reports; decides how much FEC is sent."""
        bounded = min(_MOST_LOSS_PERCENT, max(_LEAST_LOSS_PERCENT, round(percent)))
        if bounded != self._loss_percent:
            self._loss_percent = bounded
            self._tune()

    def tick(self) -> tuple[bytes, int] | None:
        """20 ms passed: payload and RTP timestamp of a packet, if one is due."""
        block = self._outgoing.tick(self.playout.next_frame())
        if block is None:
            return None
        return self._encoder.encode(block.pcm), block.timestamp

    def _tune(self) -> None:
        if isinstance(self._encoder, OpusEncoder):
            self._encoder.tune(bitrate_bps=self.tier.bitrate_bps, fec=True, loss_percent=self._loss_percent)
