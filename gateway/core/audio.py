"""Audio formats and the arithmetic between bytes, samples and milliseconds.

PCM inside the gateway is always signed 16-bit little-endian mono, as `bytes`.
"""

from dataclasses import dataclass
from enum import StrEnum

PTIME_MS = 20
"""The media clock: one frame per leg every 20 ms."""

SAMPLE_BYTES = 2


class WireFormat(StrEnum):
    """How audio is written on a backend's connection."""

    PCMU = "pcmu"
    """G.711 µ-law, 8000 Hz."""
    PCMA = "pcma"
    """G.711 A-law, 8000 Hz."""
    PCM24K = "pcm24k"
    """Linear PCM, 24000 Hz."""

    @property
    def sample_rate_hz(self) -> int:
        """PCM sample rate of the format."""
        return 24000 if self is WireFormat.PCM24K else 8000

    @property
    def bytes_per_sample(self) -> int:
        """Bytes one sample takes on the wire."""
        return SAMPLE_BYTES if self is WireFormat.PCM24K else 1


@dataclass(frozen=True, slots=True)
class PcmFormat:
    """Linear PCM at a sample rate."""

    sample_rate_hz: int
    """Samples per second (the RTP clock rate may differ: G.722 is 8000 there, 16000 here)."""

    @property
    def frame_samples(self) -> int:
        """Samples in one 20 ms frame."""
        return self.sample_rate_hz * PTIME_MS // 1000

    @property
    def frame_bytes(self) -> int:
        """Bytes in one 20 ms frame."""
        return self.frame_samples * SAMPLE_BYTES

    def duration_ms(self, n_bytes: int) -> float:
        """Milliseconds that `n_bytes` of PCM last."""
        return n_bytes * 1000 / (self.sample_rate_hz * SAMPLE_BYTES)

    def silence(self, duration_ms: int) -> bytes:
        """Digital silence of the given length."""
        return bytes(self.sample_rate_hz * duration_ms // 1000 * SAMPLE_BYTES)
