"""How codecs bear loss, each encoded and decoded by the library that SIP cards use.

    python -m tests.bench.codec_loss [--seeds 8]

No network and no clock: of the packets of 20 s of speech some are left out, and the codec conceals them as
it does in a call. Per codec and packet time: how well the rest can be understood (STOI against what was
said), and the Bpl (ITU-T G.107) that goes with it: G.711 at 20 ms has 25.1, and a codec that loses as large a
share of its own intelligibility at twice the loss has twice that. `gateway.core.quality.codecs` has its
figures from here.
"""

import argparse
import ctypes
import sys
import wave
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

import gateway.softphone
from gateway.cards.sip.contract import EndpointSettings
from gateway.cards.sip.pjsip import Endpoint
from gateway.cards.sip.pjsip.native import extension
from tests.stoi import in_step, stoi

Pcm = NDArray[np.int16]
Lost = Callable[[int], bool]

_RATE_HZ: Final = 8000
_LOSSES: Final = (0.0, 0.05, 0.10, 0.15, 0.20)
_CODECS: Final = {
    "PCMU/8000/1": (20, 40, 60),
    "iLBC/8000/1": (30, 60),
    "GSM/8000/1": (20, 40, 60),
    "speex/8000/1": (20, 40, 60),
    "G722/16000/1": (20, 40, 60),
}
_WIDEBAND: Final = "G722/16000/1"
_G711_BPL: Final = 25.1
_WINDOW: Final = 4 * _RATE_HZ
_PARAMETER_BYTES: Final = 8192
"""Room for `pjmedia_codec_param`; 44 bytes in, behind the codec's properties, lie its settings."""
_FRAME_MS_WORD: Final = 5
_FLAGS_BYTE: Final = 41
_VAD: Final = 1


class _Text(ctypes.Structure):
    _fields_ = (("start", ctypes.c_char_p), ("length", ctypes.c_ssize_t))


class _Frame(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("buffer", ctypes.c_void_p),
        ("size", ctypes.c_size_t),
        ("timestamp", ctypes.c_uint64),
        ("bits", ctypes.c_uint32),
    )


class _Codec(ctypes.Structure):
    _fields_ = (
        ("previous", ctypes.c_void_p),
        ("next", ctypes.c_void_p),
        ("data", ctypes.c_void_p),
        ("factory", ctypes.c_void_p),
        ("operations", ctypes.POINTER(ctypes.c_void_p)),
    )


class Library:
    """PJSIP, and memory that its codecs live in."""

    def __init__(self) -> None:
        self.endpoint = Endpoint(EndpointSettings(tuple(_CODECS)))
        self.calls = ctypes.CDLL(extension.__file__)
        self._pointer("pjsua_get_pjmedia_endpt")
        self._pointer("pjmedia_endpt_get_codec_mgr", ctypes.c_void_p)
        self._pointer("pjsua_pool_create", ctypes.c_char_p, ctypes.c_size_t, ctypes.c_size_t)
        self.manager = self.calls.pjmedia_endpt_get_codec_mgr(self.calls.pjsua_get_pjmedia_endpt())
        self.pool = self.calls.pjsua_pool_create(b"codecs", 1 << 20, 1 << 16)

    def _pointer(self, name: str, *takes: Any) -> None:
        function = getattr(self.calls, name)
        function.restype, function.argtypes = ctypes.c_void_p, takes

    def ask(self, name: str, *arguments: Any) -> None:
        """Call a function of the codec manager that takes pointers and returns a status."""
        function = getattr(self.calls, name)
        function.argtypes = [ctypes.c_void_p] * (1 + len(arguments))
        _check(name, function(self.manager, *arguments))


def _check(name: str, status: int) -> None:
    if status:
        raise RuntimeError(f"{name}: {status}")


class Codec:
    """An encoder, or a decoder, without voice activity detection."""

    def __init__(self, library: Library, name: str) -> None:
        text, count, info = _Text(name.encode(), len(name)), ctypes.c_uint(1), ctypes.c_void_p()
        library.ask(
            "pjmedia_codec_mgr_find_codecs_by_id",
            *map(ctypes.addressof, (text, count, info)),
            None,
        )
        parameters = ctypes.create_string_buffer(_PARAMETER_BYTES)
        library.ask("pjmedia_codec_mgr_get_default_param", info, ctypes.addressof(parameters))
        self.frame_ms = int(np.frombuffer(parameters.raw, "<u4")[_FRAME_MS_WORD])
        flags = parameters.raw[_FLAGS_BYTE]
        parameters[_FLAGS_BYTE] = bytes((flags & ~_VAD,))
        self._codec = ctypes.POINTER(_Codec)()
        library.ask("pjmedia_codec_mgr_alloc_codec", info, ctypes.addressof(self._codec))
        self._buffer = ctypes.create_string_buffer(_PARAMETER_BYTES)
        pointer, size, number = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint
        self._operation(0, pointer)(self._codec, library.pool)
        self._operation(1, pointer)(self._codec, ctypes.addressof(parameters))
        self._encode = self._operation(5, pointer, number, pointer)
        self._decode = self._operation(6, pointer, number, pointer)
        self._recover = self._operation(7, size, pointer)

    def _operation(self, index: int, *takes: Any) -> Callable[..., None]:
        prototype = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, *takes)
        function = prototype(self._codec.contents.operations[index])
        return lambda *arguments: _check(f"operation {index}", function(*arguments))

    def encode(self, pcm: bytes) -> bytes:
        """One frame."""
        return self._through(self._encode, pcm)

    def decode(self, payload: bytes) -> bytes:
        """One frame that arrived."""
        return self._through(self._decode, payload)

    def conceal(self, size_bytes: int) -> bytes:
        """One frame that did not."""
        out = self._room()
        self._recover(self._codec, size_bytes, ctypes.addressof(out))
        return ctypes.string_at(out.buffer, size_bytes)

    def _through(self, operation: Callable[..., None], data: bytes) -> bytes:
        source = ctypes.create_string_buffer(data, len(data))
        given, out = _Frame(1, ctypes.addressof(source), len(data), 0, 0), self._room()
        operation(self._codec, ctypes.addressof(given), _PARAMETER_BYTES, ctypes.addressof(out))
        return ctypes.string_at(out.buffer, out.size)

    def _room(self) -> _Frame:
        return _Frame(0, ctypes.addressof(self._buffer), _PARAMETER_BYTES, 0, 0)


def _speech() -> Pcm:
    """What softphones say, over and over."""
    said = []
    for path in sorted((Path(gateway.softphone.__file__).parent / "speech").glob("*.wav")):
        with wave.open(str(path)) as file:
            said += [np.frombuffer(file.readframes(file.getnframes()), "<i2"), np.zeros(2400, np.int16)]
    return np.concatenate(said * 3)


def _stretched(pcm: Pcm, length: int) -> Pcm:
    """At another sample rate, by the spectrum."""
    spectrum = np.fft.rfft(pcm.astype(float))
    kept = np.zeros(length // 2 + 1, dtype=complex)
    count = min(len(kept), len(spectrum))
    kept[:count] = spectrum[:count]
    return np.clip(np.fft.irfft(kept, length) * length / len(pcm), -32768, 32767).astype(np.int16)


def _heard(library: Library, name: str, ptime_ms: int, said: Pcm, lost: Lost) -> Pcm:
    encoder, decoder = Codec(library, name), Codec(library, name)
    wide = _stretched(said, 2 * len(said)) if name == _WIDEBAND else said
    samples = encoder.frame_ms * len(wide) // (len(said) * 1000 // _RATE_HZ)
    per_packet = ptime_ms // encoder.frame_ms
    out = []
    for index in range(len(wide) // samples):
        payload = encoder.encode(wide[index * samples : (index + 1) * samples].tobytes())
        gone = lost(index // per_packet)
        out.append(decoder.conceal(2 * samples) if gone else decoder.decode(payload))
    heard = np.frombuffer(b"".join(out), "<i2")
    return _stretched(heard, len(heard) // 2) if name == _WIDEBAND else heard


def _understood(said: Pcm, heard: Pcm) -> float:
    scores = []
    for at in range(_RATE_HZ, len(said) - _WINDOW - _RATE_HZ, _WINDOW):
        clean = said[at : at + _WINDOW].astype(np.float64)
        came = heard[at : at + _WINDOW + _RATE_HZ // 10].astype(np.float64)
        scores.append(stoi(clean, in_step(clean, came, _RATE_HZ, 100), _RATE_HZ))
    return float(np.mean(scores))


def _by_chance(packets: int, loss: float, seed: int) -> Lost:
    """That share of the packets exactly, whichever they are."""
    return frozenset(Random(seed).sample(range(packets), round(packets * loss))).__contains__


def _scores(library: Library, name: str, ptime_ms: int, said: Pcm, seeds: int) -> list[float]:
    def score(loss: float, seed: int) -> float:
        lost = _by_chance(len(said) * 1000 // _RATE_HZ // ptime_ms, loss, seed)
        return _understood(said, _heard(library, name, ptime_ms, said, lost))

    return [float(np.mean([score(loss, seed) for seed in range(seeds if loss else 1)])) for loss in _LOSSES]


def _bpl(scores: Sequence[float], g711: Sequence[float]) -> float:
    """Median over the losses that G.711 has a match for."""
    kept, match = (np.array(each) / each[0] for each in (scores, g711))
    alike, most = np.interp(-kept[1:], -match, _LOSSES), _LOSSES[-1]
    found = [_G711_BPL * loss / other for loss, other in zip(_LOSSES[1:], alike, strict=True) if other < most]
    return float(np.median(found)) if found else _G711_BPL


def main() -> int:
    """Print one Markdown row per codec and packet time."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.codec_loss", description=__doc__)
    parser.add_argument("--seeds", type=int, default=8)
    seeds = parser.parse_args().seeds
    library, said = Library(), _speech()
    sys.stdout.write("| codec | " + " | ".join(f"{loss:.0%}" for loss in _LOSSES) + " | Bpl |\n")
    sys.stdout.write("|---" * (2 + len(_LOSSES)) + "|\n")
    g711: list[float] = []
    for name, ptimes_ms in _CODECS.items():
        for ptime_ms in ptimes_ms:
            scores = _scores(library, name, ptime_ms, said, seeds)
            g711 = g711 or scores
            row = " | ".join(f"{score:.3f}" for score in scores)
            sys.stdout.write(f"| {name.partition('/')[0]}/{ptime_ms} | {row} | {_bpl(scores, g711):.1f} |\n")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
