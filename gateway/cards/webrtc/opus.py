"""Opus (RFC 6716) by ctypes on the libopus inside PyAV's wheel, else the system's.

FFmpeg's wrapper can neither decode in-band FEC nor change an encoder that runs; libopus can both.
A state is used by one thread only; a call takes 20 to 150 µs.
"""

import ctypes
import ctypes.util
from pathlib import Path
from typing import Final

import av

from gateway.core.audio import SAMPLE_BYTES
from gateway.errors import LocalError, RemoteError

_APPLICATION_VOIP: Final = 2048
_SET_BITRATE: Final = 4002
_SET_COMPLEXITY: Final = 4010
_SET_INBAND_FEC: Final = 4012
_SET_PACKET_LOSS: Final = 4014
_SET_SIGNAL: Final = 4024
_SIGNAL_VOICE: Final = 3001
_MAX_PACKET_BYTES: Final = 1275
_MAX_PACKET_MS: Final = 120

COMPLEXITY: Final = 1
"""A third of the default's CPU; 0 leaves the FEC out at 24 kbit/s."""
FRUGAL_COMPLEXITY: Final = 2
"""1 leaves the FEC out at 20 kbit/s."""


def _library_path() -> str:
    beside = sorted((Path(av.__file__).parent.parent / "av.libs").glob("libopus-*.so*"))
    path = str(beside[0]) if beside else ctypes.util.find_library("opus")
    if path is None:
        raise LocalError("libopus is missing: install the av wheel or the system's libopus0")
    return path


def _load() -> ctypes.CDLL:
    library = ctypes.CDLL(_library_path())
    pointer, integer, data = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p
    state = ctypes.c_void_p
    signatures: dict[str, tuple[object, list[object]]] = {
        "opus_get_version_string": (data, []),
        "opus_encoder_create": (state, [integer, integer, integer, ctypes.POINTER(integer)]),
        "opus_encoder_destroy": (None, [state]),
        "opus_encode": (integer, [state, data, integer, pointer, ctypes.c_int32]),
        "opus_decoder_create": (state, [integer, integer, ctypes.POINTER(integer)]),
        "opus_decoder_destroy": (None, [state]),
        "opus_decode": (integer, [state, data, ctypes.c_int32, pointer, integer, integer]),
        "opus_packet_has_lbrr": (integer, [data, ctypes.c_int32]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name, None)
        if function is None:
            raise LocalError(f"libopus is too old: it has no {name} (1.5 or later is needed)")
        function.restype, function.argtypes = result, arguments
    library.opus_encoder_ctl.restype = integer
    return library


_opus = _load()


class OpusError(RemoteError):
    """A packet that is no Opus."""


def version() -> str:
    """libopus's name and version."""
    text: bytes = _opus.opus_get_version_string()
    return text.decode()


def has_fec(packet: bytes) -> bool:
    """Whether a packet carries a copy of the one before it."""
    return int(_opus.opus_packet_has_lbrr(packet, len(packet))) > 0


class OpusEncoder:
    """Mono speech; everything can be changed while it runs."""

    def __init__(self, sample_rate_hz: int) -> None:
        error = ctypes.c_int()
        self._state = _opus.opus_encoder_create(sample_rate_hz, 1, _APPLICATION_VOIP, ctypes.byref(error))
        if error.value:
            raise LocalError(f"libopus refuses to encode at {sample_rate_hz} Hz (error {error.value})")
        self._buffer = ctypes.create_string_buffer(_MAX_PACKET_BYTES)
        self._set(_SET_COMPLEXITY, COMPLEXITY)
        self._set(_SET_SIGNAL, _SIGNAL_VOICE)

    def tune(self, *, bitrate_bps: int, fec: bool, loss_percent: int, complexity: int = COMPLEXITY) -> None:
        """From the next packet on. In-band FEC needs 17 kbit/s and 10 percent at the least to appear."""
        self._set(_SET_COMPLEXITY, complexity)
        self._set(_SET_BITRATE, bitrate_bps)
        self._set(_SET_INBAND_FEC, int(fec))
        self._set(_SET_PACKET_LOSS, loss_percent)

    def encode(self, pcm: bytes) -> bytes:
        """A packet of 20, 40 or 60 ms of s16le PCM."""
        size = int(
            _opus.opus_encode(self._state, pcm, len(pcm) // SAMPLE_BYTES, self._buffer, _MAX_PACKET_BYTES)
        )
        if size < 0:
            raise LocalError(f"libopus does not encode {len(pcm)} bytes of PCM (error {size})")
        return ctypes.string_at(self._buffer, size)

    def _set(self, request: int, value: int) -> None:
        state = ctypes.c_void_p(self._state)
        error = int(_opus.opus_encoder_ctl(state, ctypes.c_int(request), ctypes.c_int32(value)))
        if error:
            raise LocalError(f"libopus refuses {value} for setting {request} (error {error})")

    def __del__(self) -> None:
        if getattr(self, "_state", None):
            _opus.opus_encoder_destroy(self._state)


class OpusDecoder:
    """Mono, at whatever sample rate is wanted; the sender's does not matter."""

    def __init__(self, sample_rate_hz: int) -> None:
        error = ctypes.c_int()
        self._state = _opus.opus_decoder_create(sample_rate_hz, 1, ctypes.byref(error))
        if error.value:
            raise LocalError(f"libopus refuses to decode to {sample_rate_hz} Hz (error {error.value})")
        self._max_samples = sample_rate_hz * _MAX_PACKET_MS // 1000
        self._buffer = ctypes.create_string_buffer(self._max_samples * SAMPLE_BYTES)
        self._last_samples = sample_rate_hz // 50

    def decode(self, packet: bytes) -> bytes:
        """PCM of a packet. Raises `OpusError`."""
        if not packet:
            raise OpusError("empty packet")
        pcm = self._run(packet, self._max_samples, fec=False)
        self._last_samples = len(pcm) // SAMPLE_BYTES
        return pcm

    def recover(self, following: bytes) -> bytes:
        """PCM of the lost packet before `following`, from its copy if there is one, else invented."""
        if not following or not has_fec(following):
            return self.conceal()
        return self._run(following, self._last_samples, fec=True)

    def conceal(self) -> bytes:
        """PCM in place of a lost packet."""
        return self._run(None, self._last_samples, fec=False)

    def _run(self, packet: bytes | None, samples: int, *, fec: bool) -> bytes:
        size = len(packet) if packet is not None else 0
        count = int(_opus.opus_decode(self._state, packet, size, self._buffer, samples, int(fec)))
        if count < 0:
            raise OpusError(f"not a packet of Opus (error {count})")
        return ctypes.string_at(self._buffer, count * SAMPLE_BYTES)

    def __del__(self) -> None:
        if getattr(self, "_state", None):
            _opus.opus_decoder_destroy(self._state)
