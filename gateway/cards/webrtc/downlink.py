"""What a peer gets to hear: playout, packet time, encoder. No I/O.

The encoder is told to expect at least 10 % loss, since libopus leaves the FEC out below. Lasting silence
is encoded by Opus once and that packet sent again and again, which costs nothing and harms no word after it.
(G.722 adapts from sample to sample, so that its two ends would lose each other.)
"""

from dataclasses import dataclass
from typing import Final

from gateway.cards.webrtc.codecs import CodecKind, make_encoder
from gateway.cards.webrtc.opus import COMPLEXITY, FRUGAL_COMPLEXITY, OpusEncoder
from gateway.cards.webrtc.outgoing import Outgoing
from gateway.core.audio import PcmFormat
from gateway.core.playout import Playout

_LEAST_LOSS_PERCENT: Final = 10
_MOST_LOSS_PERCENT: Final = 30
_ON_ITS_WAY_FRAMES: Final = 25
"""Half a second: network and a browser's playout buffer hardly hold more."""


@dataclass(frozen=True, slots=True)
class Tier:
    """How much network a peer's downlink takes."""

    name: str
    bitrate_bps: int
    """Opus only."""
    ptime_ms: int
    fec: bool = True
    complexity: int = COMPLEXITY


TIERS: Final = (
    Tier("32k/20ms", 32000, 20),
    Tier("24k/20ms", 24000, 20),
    Tier("24k/40ms", 24000, 40),
    Tier("24k/60ms", 24000, 60),
    Tier("20k/60ms", 20000, 60, complexity=FRUGAL_COMPLEXITY),
    Tier("12k/60ms", 12000, 60, fec=False),
)
"""From the best to the most frugal; 55, 47, 35, 31, 28 and 19 kbit/s on the wire."""

DEFAULT_TIER: Final = TIERS[1]


class Downlink:
    """Playout buffer and encoder."""

    def __init__(self, kind: CodecKind, pcm_format: PcmFormat) -> None:
        self.playout = Playout(pcm_format)
        self.tier = DEFAULT_TIER
        self._outgoing = Outgoing(pcm_format.frame_bytes, kind.clock_rate_hz)
        self._encoder = make_encoder(kind.name, pcm_format.sample_rate_hz)
        self._loss_percent = _LEAST_LOSS_PERCENT
        self._silence = b""
        """Packet of the silence that lasts; empty while there is none."""
        self._silent_frames = _ON_ITS_WAY_FRAMES
        self._tune()

    @property
    def ptime_ms(self) -> int:
        """Audio per packet."""
        return self._outgoing.ptime_ms

    @property
    def sound_ends(self) -> int | None:
        """RTP timestamp where sound that may be on its way ends, if no more follows; None: no sound."""
        quiet = self.playout.paused or self._silent_frames >= _ON_ITS_WAY_FRAMES
        return None if quiet else self._outgoing.timestamp

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
        frame = self.playout.next_frame()
        self._silent_frames = self._silent_frames + 1 if frame is None else 0
        block = self._outgoing.tick(frame)
        if block is None:
            return None
        if not block.settled or not isinstance(self._encoder, OpusEncoder):
            self._silence = b""
            return self._encoder.encode(block.pcm), block.timestamp
        self._silence = self._silence or self._encoder.encode(block.pcm)
        return self._silence, block.timestamp

    def _tune(self) -> None:
        self._silence = b""
        if isinstance(self._encoder, OpusEncoder):
            self._encoder.tune(
                bitrate_bps=self.tier.bitrate_bps,
                fec=self.tier.fec,
                loss_percent=self._loss_percent,
                complexity=self.tier.complexity,
            )
