"""Voice activity of 20 ms frames: WebRTC's detector, tightened by level; about 3 µs a frame.

A cheap first stage: it marks speech reliably and noise, breath and tones too often. The detector
alone goes on for about 200 ms after the last word, so that a frame counts only while it is not
far below the loudest ones of late.
"""

from typing import Final

import webrtcvad

from gateway.media.g711 import rms

_PEAK_DECAY: Final = 0.997
"""Per frame; the reference falls by 6 dB in 4.6 s, so that a quieter voice takes over."""
_FLOOR_RATIO: Final = 0.04
"""28 dB below the reference."""
_FLOOR_RMS: Final = 60.0
"""−55 dBFS: below any voice on a phone line."""


class VoiceActivity:
    """One per stream, at 8000 or 16000 Hz."""

    def __init__(self, sample_rate_hz: int, aggressiveness: int = 2) -> None:
        if sample_rate_hz not in (8000, 16000):
            raise ValueError(f"expected 8000 or 16000 Hz, not {sample_rate_hz}")
        self._rate_hz = sample_rate_hz
        self._is_speech = webrtcvad.Vad(aggressiveness).is_speech
        self._reference = 0.0

    def is_speech(self, pcm: bytes) -> bool:
        """Whether a frame of exactly 20 ms (s16le) holds speech."""
        return self.measure(pcm)[0]

    def measure(self, pcm: bytes) -> tuple[bool, float]:
        """The same, and the frame's RMS, full scale 32768."""
        level = float(rms(pcm))
        if not self._is_speech(pcm, self._rate_hz):
            self._reference *= _PEAK_DECAY
            return False, level
        self._reference = max(level, self._reference * _PEAK_DECAY)
        return level > _FLOOR_RMS and level > self._reference * _FLOOR_RATIO, level
