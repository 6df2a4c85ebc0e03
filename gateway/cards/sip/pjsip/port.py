"""PCM in and out of PJSIP's conference bridge."""

from collections.abc import Callable
from typing import Any

from gateway.cards.sip import pcm
from gateway.cards.sip.border import callback
from gateway.cards.sip.pjsip.native import extension, pj


def fast_path_works() -> bool:
    """Whether frames lie in memory as `pcm.py` says; checked with patterns, about 1 ms."""
    for size in (320, 640, 960):
        pattern = bytes((i * 7 + size) & 255 for i in range(size))
        frame, other, own = pj.MediaFrame(), pj.MediaFrame(), pj.ByteVector(bytes(size))
        frame.buf, frame.size, frame.type = pj.ByteVector(pattern), size, pj.PJMEDIA_FRAME_TYPE_AUDIO
        if not pcm.layout_holds(int(frame.this), int(frame.buf.this), pattern, frame.type):
            return False
        pcm.write_span(pcm.vector_span(int(own.this))[0], pattern)
        extension.MediaFrame_buf_set(other, own)
        if bytes(other.buf) != pattern:
            return False
    return True


class PcmPort(pj.AudioMediaPort):
    """A port of the conference bridge that swaps 20 ms PCM frames with us on every tick.

    Ports are never freed: create one per call slot and reuse it. `hear` gets what the far end sent
    (empty when the decoder had nothing); `speak` returns exactly one frame, or None for silence.
    """

    def __init__(self, sample_rate_hz: int, *, fast: bool) -> None:
        super().__init__()
        self.hear: Callable[[bytes], None] | None = None
        self.speak: Callable[[], bytes | None] | None = None
        self._bytes = sample_rate_hz // 50 * 2
        self._vector = pj.ByteVector(bytes(self._bytes))
        self._begin = pcm.vector_span(int(self._vector.this))[0] if fast else 0
        layout = pj.MediaFormatAudio()
        layout.init(pj.PJMEDIA_FORMAT_L16, sample_rate_hz, 1, 20000, 16)
        self.createPort("pcm", layout)

    def onFrameReceived(self, frame: Any) -> None:
        """PJSIP hands over decoded audio."""
        try:
            if self.hear is not None:
                self.hear(pcm.read_frame(int(frame.this)) if self._begin else bytes(frame.buf))
        except Exception:
            with callback("onFrameReceived"):
                raise

    def onFrameRequested(self, frame: Any) -> None:
        """PJSIP asks for audio; a frame left untouched is silence."""
        try:
            data = self.speak() if self.speak is not None else None
            if data is None:
                return
            if len(data) != self._bytes:
                raise ValueError(f"frame of {len(data)} bytes, expected {self._bytes}")
            if self._begin:
                pcm.write_span(self._begin, data)
                extension.MediaFrame_buf_set(frame, self._vector)
                pcm.set_frame_type(int(frame.this), pj.PJMEDIA_FRAME_TYPE_AUDIO)
            else:
                frame.buf, frame.size = pj.ByteVector(data), len(data)
                frame.type = pj.PJMEDIA_FRAME_TYPE_AUDIO
        except Exception:
            with callback("onFrameRequested"):
                raise
