"""Speech recognition with pocketsphinx: small grammars, a tiny dictionary, and a measure of doubt.

A recogniser without a language model hears one of its phrases in everything. What was heard is
therefore trusted only if its acoustic score is good: pocketsphinx gives it relative to the best
sound that the grammar allowed in each frame, and the mean over the frames of the words separates
phrases of the grammar from other speech (figures in README.md).

Decoders are pooled: one costs 6 MB and 10 ms, and is needed only while somebody speaks.
"""

import math
import tempfile
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import pocketsphinx

from gateway.bot.grammar import Carriers, Pronunciations, dictionary, jsgf, read_dictionary, words_of
from gateway.media.levels import Samples, to_pcm

SAMPLE_RATE_HZ: Final = 16000

MEAN_SCORE_MIN: Final = -1.75
"""log10 likelihood per 10 ms frame relative to the best sound allowed; below it is other speech."""
WORD_SCORE_MIN: Final = -5.0
"""The same for the worst word."""

CepstralMean = tuple[float, ...]

PHONE_CEPSTRAL_MEAN: Final[CepstralMean] = (
    41.3,
    2.45,
    -1.63,
    4.9,
    -0.96,
    -0.71,
    1.44,
    -1.99,
    -0.15,
    -0.46,
    -0.2,
    1.5,
    -0.77,
)
"""Mean of three voices on a quiet phone line; where recognition starts with an unknown caller."""

MISMATCH: Final = 5.5
"""Mean difference of a turn's own cepstral mean from the one it was decoded with, from which it is
decoded again. Turns on a quiet line: 4.2 (95%: 5.7); at 25 dB SNR 8.6, at 20 dB 10.2."""

_MEAN_WINDOW_FRAMES: Final = 500
"""Weight of the mean a decoder is given, in frames (CMN_WIN in pocketsphinx)."""
_FRAME_BYTES: Final = SAMPLE_RATE_HZ // 100 * 2

_AGAIN_MAX_BYTES: Final = 4 * SAMPLE_RATE_HZ * 2
"""Longest turn that is decoded twice: 4 s."""
_BEAMS: Final = {"beam": 1e-40, "pbeam": 1e-40, "wbeam": 1e-24}
"""A little narrower than the default: as many words right in four fifths of the time."""

_SPARE_DECODERS: Final = 24
_DITHER_LSB: Final = 30.0
"""Digital silence from a phone breaks the cepstral normalisation; this is −61 dBFS of noise."""
_DITHER_SAMPLES: Final = SAMPLE_RATE_HZ
_CATCH_UP_CHUNKS: Final = 3
"""Chunks decoded for each new one, until the audio from before the onset has been worked off."""
_LOG_FLOOR: Final = 1e-320

pocketsphinx.set_loglevel("FATAL")


@lru_cache(maxsize=1)
def pronunciations() -> Pronunciations:
    """The CMU dictionary that comes with pocketsphinx."""
    with (_model_dir() / "cmudict-en-us.dict").open(encoding="utf-8") as lines:
        return read_dictionary(lines)


def _model_dir() -> Path:
    return Path(pocketsphinx.get_model_path()) / "en-us"


class Vocabulary:
    """The grammars of one dialogue and the decoders that know them."""

    def __init__(self, grammars: Mapping[str, Collection[str]], carriers: Carriers) -> None:
        """grammars: phrases by name. Raises `KeyError` for a word that has no pronunciation."""
        self._phrases = {name: tuple(phrases) for name, phrases in grammars.items()}
        self._grammars = {name: jsgf(phrases, carriers) for name, phrases in grammars.items() if phrases}
        phrases = [phrase for some in grammars.values() for phrase in some]
        words = words_of([*phrases, *carriers.before, *carriers.after])
        self._dictionary = dictionary(words, pronunciations())
        self._free: list[pocketsphinx.Decoder] = []

    def warm_up(self, decoders: int) -> None:
        """Have so many decoders ready."""
        while len(self._free) < decoders:
            self._free.append(self._make())

    def take(self) -> pocketsphinx.Decoder:
        """A decoder, new if none is free; give it back."""
        return self._free.pop() if self._free else self._make()

    def give_back(self, decoder: pocketsphinx.Decoder) -> None:
        """Return a decoder that is not in an utterance."""
        if len(self._free) < _SPARE_DECODERS:
            self._free.append(decoder)

    def knows(self, grammar: str) -> bool:
        """Whether there is anything to listen for."""
        return grammar in self._grammars

    def is_whole(self, grammar: str, text: str) -> bool:
        """Whether `text` has a phrase in it; a decoder that lost its way returns the words so far."""
        return any(f" {phrase} " in f" {text} " for phrase in self._phrases[grammar])

    def _make(self) -> pocketsphinx.Decoder:
        with tempfile.NamedTemporaryFile("w", suffix=".dict", encoding="utf-8") as file:
            file.write(self._dictionary)
            file.flush()
            config = pocketsphinx.Config(
                samprate=SAMPLE_RATE_HZ, lm=None, dict=file.name, loglevel="FATAL", **_BEAMS
            )
            decoder = pocketsphinx.Decoder(config)
        for name, text in self._grammars.items():
            decoder.add_jsgf_string(name, text)
        return decoder


@dataclass(slots=True)
class Acquaintance:
    """What the recogniser has learnt of one caller's line: the mean of the cepstra of what they said.

    Noise moves it far away: at 20 dB SNR a third of the wishes is understood with the mean of a
    quiet line, and three quarters with the right one.
    """

    cepstral_mean: CepstralMean = PHONE_CEPSTRAL_MEAN
    turns: int = 0

    def learn(self, own: CepstralMean) -> None:
        """A turn had this mean; half of it counts, all of it for the first turn."""
        share = 0.5 if self.turns else 1.0
        self.cepstral_mean = tuple(
            old + share * (new - old) for old, new in zip(self.cepstral_mean, own, strict=True)
        )
        self.turns += 1


class Utterance:
    """One turn being recognised; audio is s16le PCM at 16 kHz.

    It is decoded while it is spoken, with the caller's cepstral mean. If its own mean turns out to be
    far from that, or a first turn is not understood, it is decoded once more with its own.
    """

    def __init__(self, vocabulary: Vocabulary, grammar: str, acquaintance: Acquaintance) -> None:
        self._vocabulary = vocabulary
        self._grammar = grammar
        self._acquaintance = acquaintance
        self._decoder = vocabulary.take() if vocabulary.knows(grammar) else None
        self._waiting: deque[bytes] = deque()
        self._audio: list[bytes] = []
        self._bytes = 0
        if self._decoder is not None:
            self._decoder.activate_search(grammar)
            self._start(self._decoder, acquaintance.cepstral_mean)

    @staticmethod
    def _start(decoder: pocketsphinx.Decoder, mean: CepstralMean) -> None:
        decoder.set_cmn(",".join(f"{value:.3f}" for value in mean))
        decoder.start_utt()

    def push(self, pcm: bytes, *, later: bool = False) -> None:
        """Next audio; `later`: decode it with the chunks that follow, spread over them."""
        if self._decoder is None:
            return
        self._waiting.append(pcm)
        if not later:
            for _ in range(min(_CATCH_UP_CHUNKS, len(self._waiting))):
                self._decode(self._decoder, self._waiting.popleft())

    def _decode(self, decoder: pocketsphinx.Decoder, pcm: bytes) -> None:
        self._bytes += len(pcm)
        if self._bytes <= _AGAIN_MAX_BYTES:
            self._audio.append(pcm)
        decoder.process_raw(pcm, False, False)

    def finish(self) -> str:
        """What was said: a phrase of the grammar with its carriers, or nothing if in doubt."""
        decoder = self._decoder
        if decoder is None:
            return ""
        while self._waiting:
            self._decode(decoder, self._waiting.popleft())
        text = self._result(decoder)
        known = self._acquaintance.cepstral_mean
        own = self._own_mean(decoder, known)
        distance = sum(abs(a - b) for a, b in zip(own, known, strict=True)) / len(own)
        stranger = not text and not self._acquaintance.turns
        if self._bytes <= _AGAIN_MAX_BYTES and (stranger or distance > MISMATCH):
            self._start(decoder, own)
            decoder.process_raw(b"".join(self._audio), False, False)
            text = self._result(decoder)
        self._acquaintance.learn(own)
        self._release()
        return text

    def _own_mean(self, decoder: pocketsphinx.Decoder, given: CepstralMean) -> CepstralMean:
        """Mean of this turn alone: the decoder's is one of the turn and of what it was given."""
        frames = max(1, self._bytes // _FRAME_BYTES)
        stretch = (_MEAN_WINDOW_FRAMES + frames) / frames
        after = (float(value) for value in str(decoder.get_cmn(True)).split(","))
        return tuple(old + (new - old) * stretch for old, new in zip(given, after, strict=True))

    def abandon(self) -> None:
        """Forget it; idempotent, also after `finish`."""
        if self._decoder is not None:
            self._decoder.end_utt()
            self._release()

    def _release(self) -> None:
        if self._decoder is not None:
            self._vocabulary.give_back(self._decoder)
        self._decoder = None
        self._waiting.clear()
        self._audio.clear()

    def _result(self, decoder: pocketsphinx.Decoder) -> str:
        decoder.end_utt()
        hypothesis = decoder.hyp()
        text = str(hypothesis.hypstr) if hypothesis is not None else ""
        return text if self._vocabulary.is_whole(self._grammar, text) and _trusted(decoder) else ""


def _trusted(decoder: pocketsphinx.Decoder) -> bool:
    total, frames, worst = 0.0, 0, 0.0
    for segment in decoder.seg() or ():
        length = segment.end_frame - segment.start_frame + 1
        if segment.word[0] in "<[(" or length < 2:
            continue
        score = math.log10(max(segment.ascore, _LOG_FLOOR))
        total += score
        frames += length
        worst = min(worst, score / length)
    return frames > 0 and total / frames >= MEAN_SCORE_MIN and worst >= WORD_SCORE_MIN


class Dither:
    """Quiet noise added to what the recogniser hears; the same on every run."""

    def __init__(self) -> None:
        self._noise = _noise()
        self._at = 0

    def add(self, samples: Samples) -> bytes:
        """float32 samples (full scale 32768, at most one second) to s16le PCM with dither."""
        if self._at + len(samples) > len(self._noise):
            self._at = 0
        noisy = samples + self._noise[self._at : self._at + len(samples)]
        self._at += len(samples)
        return to_pcm(noisy)


@lru_cache(maxsize=1)
def _noise() -> Samples:
    noise = np.random.default_rng(1).standard_normal(_DITHER_SAMPLES) * _DITHER_LSB
    return noise.astype(np.float32)
