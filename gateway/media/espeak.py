"""espeak-ng by its C library (from `espeakng-loader`): every language, robotic, 3 ms a sentence.

The library has global state: one lock, one voice at a time. Calls block; use a thread.
Source: espeak-ng's `speak_lib.h`.
"""

import ctypes
import threading
from functools import lru_cache
from typing import Final

import espeakng_loader

_SYNCHRONOUS: Final = 2
"""AUDIO_OUTPUT_SYNCHRONOUS of `espeak_AUDIO_OUTPUT`: audio comes by callback before `Synth` returns."""
_DONT_EXIT: Final = 0x8000
"""espeakINITIALIZE_DONT_EXIT: report a missing voice directory instead of ending the process."""
_UTF8: Final = 1
"""espeakCHARS_UTF8."""
_RATE_PARAMETER: Final = 1
_WORDS_PER_MINUTE: Final = 155
_OK: Final = 0

_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class EspeakError(Exception):
    """The library could not be loaded, knows no such language, or failed to speak."""


class Espeak:
    """The one instance a process may have; see `shared`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._chunks: list[bytes] = []
        try:
            self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        except OSError as exc:
            raise EspeakError(f"espeak-ng cannot be loaded: {exc}") from exc
        data_path = str(espeakng_loader.get_data_path()).encode()
        rate = int(self._library.espeak_Initialize(_SYNCHRONOUS, 100, data_path, _DONT_EXIT))
        if rate <= 0:
            raise EspeakError("espeak-ng found no voice data")
        self.sample_rate_hz = rate
        """Rate of what `speak` returns, 22050 as a rule."""
        self._on_audio = _Callback(self._collect)
        self._library.espeak_SetSynthCallback(self._on_audio)
        self._library.espeak_SetParameter(_RATE_PARAMETER, _WORDS_PER_MINUTE, 0)

    def _collect(self, samples: object, count: int, _events: object) -> int:
        if count > 0:
            self._chunks.append(ctypes.string_at(samples, 2 * count))  # type: ignore[arg-type]
        return 0

    def speak(self, text: str, language: str) -> bytes:
        """PCM s16le of `text`; `language` is a BCP 47 tag such as `en` or `pt-BR`. Raises `EspeakError`."""
        encoded = text.encode()
        with self._lock:
            self._choose(language)
            self._chunks.clear()
            status = self._library.espeak_Synth(
                ctypes.c_char_p(encoded), len(encoded) + 1, 0, 1, 0, _UTF8, None, None
            )
            pcm = b"".join(self._chunks)
            self._chunks.clear()
        if status != _OK or not pcm:
            raise EspeakError(f"espeak-ng made no audio (status {status})")
        return pcm

    def _choose(self, language: str) -> None:
        wanted = language.lower()
        for name in dict.fromkeys((wanted, wanted.split("-")[0])):
            if self._library.espeak_SetVoiceByName(name.encode()) == _OK:
                return
        raise EspeakError(f"espeak-ng has no voice for the language {language}")


@lru_cache(maxsize=1)
def shared() -> Espeak:
    """The process's instance. Raises `EspeakError`."""
    return Espeak()
