"""Frames of known loudness for the softphone's unit tests."""

from gateway.core.audio import PcmFormat
from gateway.softphone.recording import cut_frames, tone

FORMAT = PcmFormat(8000)
FRAME_S = 0.02
QUIET = FORMAT.silence(20)
LOUD = cut_frames(tone(400, 100, FORMAT), FORMAT)[2]


def frames(pattern: str) -> list[bytes]:
    """One frame per character: `#` is loud, anything else quiet."""
    return [LOUD if c == "#" else QUIET for c in pattern]
