"""The four audio codecs a peer may speak, behind one face: PCM at the card's sample rate in and out."""

import fractions
from dataclasses import dataclass
from typing import Final, Literal, Protocol

import av
from av import AudioFrame, CodecContext
from av.audio.codeccontext import AudioCodecContext
from av.packet import Packet

from gateway.cards.webrtc.opus import OpusDecoder, OpusEncoder
from gateway.core.audio import SAMPLE_BYTES
from gateway.errors import RemoteError
from gateway.media import g711
from gateway.media.resampler import Resampler

CodecName = Literal["opus", "G722", "PCMU", "PCMA"]

_G722_RATE_HZ: Final = 16000
_G711_RATE_HZ: Final = 8000
_FADE: Final = 0.5
"""Of the level, per packet of concealment."""


@dataclass(frozen=True, slots=True)
class CodecKind:
    """A codec as SDP names it."""

    name: CodecName
    clock_rate_hz: int
    channels: int
    """In SDP; the audio is mono all the same."""
    static_payload_type: int | None
    """RFC 3551 table 4."""


KINDS: Final = (
    CodecKind("opus", 48000, 2, None),
    CodecKind("G722", 8000, 1, 9),
    CodecKind("PCMU", 8000, 1, 0),
    CodecKind("PCMA", 8000, 1, 8),
)
"""In our order of preference."""


class PacketError(RemoteError):
    """A packet that its codec does not understand."""


class Encoder(Protocol):
    """PCM to packets."""

    def encode(self, pcm: bytes) -> bytes:
        """One packet."""


class Decoder(Protocol):
    """Packets to PCM; each call returns one packet's worth and may raise `RemoteError`."""

    def decode(self, packet: bytes) -> bytes:
        """A packet that arrived."""

    def recover(self, following: bytes) -> bytes:
        """A lost packet, when the one behind it is there."""

    def conceal(self) -> bytes:
        """A lost packet of which nothing is there."""


def make_encoder(name: CodecName, sample_rate_hz: int) -> Encoder:
    """An encoder for PCM at a sample rate."""
    if name == "opus":
        return OpusEncoder(sample_rate_hz)
    if name == "G722":
        return _G722Encoder(sample_rate_hz)
    return _G711Encoder(name, sample_rate_hz)


def make_decoder(name: CodecName, sample_rate_hz: int) -> Decoder:
    """A decoder that yields PCM at a sample rate."""
    if name == "opus":
        return OpusDecoder(sample_rate_hz)
    if name == "G722":
        return _WithConcealment(_G722Decoder(), _G722_RATE_HZ, sample_rate_hz)
    return _WithConcealment(_G711Decoder(name), _G711_RATE_HZ, sample_rate_hz)


class _Bare(Protocol):
    def decode(self, packet: bytes) -> bytes: ...


class _WithConcealment:
    """Repeats the last packet ever more quietly where one is lost; resamples."""

    def __init__(self, bare: _Bare, in_hz: int, out_hz: int) -> None:
        self._bare = bare
        self._resampler = Resampler(in_hz, out_hz)
        self._last = bytes(in_hz // 50 * SAMPLE_BYTES)

    def decode(self, packet: bytes) -> bytes:
        self._last = self._bare.decode(packet)
        return self._resampler.process(self._last)

    def recover(self, following: bytes) -> bytes:
        return self.conceal()

    def conceal(self) -> bytes:
        self._last = g711.scaled(self._last, _FADE)
        return self._resampler.process(self._last)


class _G711Decoder:
    def __init__(self, name: CodecName) -> None:
        self._expand = g711.ulaw_decode if name == "PCMU" else g711.alaw_decode

    def decode(self, packet: bytes) -> bytes:
        return self._expand(packet)


class _G711Encoder:
    def __init__(self, name: CodecName, sample_rate_hz: int) -> None:
        self._compress = g711.ulaw_encode if name == "PCMU" else g711.alaw_encode
        self._resampler = Resampler(sample_rate_hz, _G711_RATE_HZ)

    def encode(self, pcm: bytes) -> bytes:
        return self._compress(self._resampler.process(pcm))


def _g722_context(mode: Literal["r", "w"]) -> AudioCodecContext:
    context = CodecContext.create("g722", mode)
    assert isinstance(context, AudioCodecContext)
    context.sample_rate, context.layout, context.format = _G722_RATE_HZ, "mono", "s16"
    return context


class _G722Decoder:
    def __init__(self) -> None:
        self._context = _g722_context("r")

    def decode(self, packet: bytes) -> bytes:
        try:
            frames = self._context.decode(Packet(packet)) if packet else []
        except av.FFmpegError as exc:
            raise PacketError("not G.722") from exc
        # A plane may be longer than its audio.
        return b"".join(bytes(frame.planes[0])[: frame.samples * SAMPLE_BYTES] for frame in frames)


class _G722Encoder:
    def __init__(self, sample_rate_hz: int) -> None:
        self._context = _g722_context("w")
        self._context.time_base = fractions.Fraction(1, _G722_RATE_HZ)
        self._resampler = Resampler(sample_rate_hz, _G722_RATE_HZ)
        self._pts = 0

    def encode(self, pcm: bytes) -> bytes:
        wide = self._resampler.process(pcm)
        frame = AudioFrame(format="s16", layout="mono", samples=len(wide) // SAMPLE_BYTES)
        frame.planes[0].update(wide)
        frame.sample_rate, frame.pts = _G722_RATE_HZ, self._pts
        frame.time_base = fractions.Fraction(1, _G722_RATE_HZ)
        self._pts += frame.samples
        return b"".join(bytes(packet) for packet in self._context.encode(frame))
