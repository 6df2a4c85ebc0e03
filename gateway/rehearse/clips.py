"""The sounds of all callers of a rehearsal, made once at its set-up: speech by the synthesiser, the rest by
`noises`. Seeded: the same seed gives the same calls.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from gateway.errors import LocalError
from gateway.media.g711 import ulaw_decode, ulaw_encode
from gateway.media.levels import from_pcm, level, to_pcm
from gateway.media.speech import FLITE_VOICES, SpeechError, Synthesiser
from gateway.rehearse.noises import RATE_HZ, Samples, keys, mm_hm, noise, shaped
from gateway.rehearse.script import Clip, Kind

QUESTIONS: Final = (
    "Could you tell me your opening hours, please?",
    "I would like to talk to the support department, please.",
    "I have a question about my invoice.",
    "Can you help me, please?",
)
INTERRUPTIONS: Final = (
    "Excuse me, hold on a second.",
    "Hold on, please. I have a question.",
    "Wait a moment, I want to ask something.",
    "No, that is not what I want.",
    "Sorry, can you repeat that?",
    "Please let me say something.",
)
BACKCHANNELS: Final = ("Yeah.", "Okay.", "Right.", "Uh-huh.", "Sure.", "I see.")
FAREWELL: Final = "Thank you, goodbye."

_BACKCHANNEL_MS: Final = (120.0, 600.0)
"""A longer one cannot be told from words in the time a pause may take."""
_TAIL_MS: Final = 60
_AUDIBLE: Final = 0.02
"""Share of the loudest 20 ms from which 5 ms belong to the sound (−34 dB)."""
_SPEECH_DBFS: Final = (-28.0, -18.0)
_BACKCHANNEL_DBFS: Final = (-32.0, -22.0)
_NOISE_DBFS: Final = (-42.0, -24.0)
_KEYS_DBFS: Final = (-24.0, -12.0)
_BACKGROUND_S: Final = 10


def extent_ms(sound: Samples) -> tuple[float, float]:
    """First and last audible moment; the whole of a sound that is silent."""
    step = RATE_HZ // 200
    power = np.square(sound[: len(sound) // step * step]).reshape(-1, step).mean(axis=1)
    if not len(power) or not power.any():
        return 0.0, len(sound) / RATE_HZ * 1000
    loudest = np.convolve(power, np.ones(4) / 4, "same").max()
    audible = np.flatnonzero(power > loudest * _AUDIBLE**2)
    return float(audible[0]) * 5, (float(audible[-1]) + 1) * 5


def clip_of(kind: Kind, name: str, sound: Samples, echo_ms: float | None = None) -> Clip:
    """A clip of a sound: whole frames, with a little silence behind, as a µ-law line carries it."""
    rest = -(len(sound) + _TAIL_MS * 8) % 160
    padded = np.concatenate([sound, np.zeros(_TAIL_MS * 8 + rest, np.float32)])
    onset_ms, end_ms = extent_ms(sound)
    return Clip(name, kind, ulaw_decode(ulaw_encode(to_pcm(padded))), onset_ms, end_ms, echo_ms)


@dataclass(frozen=True, slots=True)
class Speech:
    """What has been synthesised: by text, one sound for every voice."""

    by_text: Mapping[str, tuple[Samples, ...]]
    voices: str
    """Who speaks, for the report."""


async def synthesise() -> Speech:
    """Everything that callers say. Raises `LocalError`."""
    try:
        synthesiser = Synthesiser()
        if synthesiser.voice("en").engine == "flite":
            # kal16 is too robotic for a caller.
            makers = [Synthesiser(voice) for voice in FLITE_VOICES[:3]]
        else:
            makers = [synthesiser]
        texts = (*QUESTIONS, *INTERRUPTIONS, *BACKCHANNELS, FAREWELL)
        spoken = {
            text: tuple([from_pcm(await maker.speak(text, "en", RATE_HZ)) for maker in makers])
            for text in texts
        }
    except SpeechError as exc:
        raise LocalError(f"the callers cannot be given voices: {exc}") from exc
    return Speech(spoken, ", ".join(str(maker.voice("en")) for maker in makers))


class Wardrobe:
    """The clips of one call: its voice, its level, its luck."""

    def __init__(self, speech: Speech, seed: int, number: int) -> None:
        self._speech = speech
        self._random = np.random.default_rng([seed, number])
        self._count = number
        voices = len(next(iter(speech.by_text.values())))
        self._voice = number % voices
        self._dbfs = float(self._random.uniform(*_SPEECH_DBFS))

    def say(self, text: str, kind: Kind = "speech") -> Clip:
        """Words in the call's voice."""
        return clip_of(kind, text, level(self._speech.by_text[text][self._voice], self._dbfs))

    def question(self) -> Clip:
        """Any question."""
        return self.say(self._pick(QUESTIONS))

    def interruption(self) -> Clip:
        """Words that take the word."""
        return self.say(self._pick(INTERRUPTIONS), "interruption")

    def backchannel(self) -> Clip:
        """A word that does not take it: spoken, or hummed."""
        dbfs = float(self._random.uniform(*_BACKCHANNEL_DBFS))
        text = self._pick(BACKCHANNELS)
        sound = self._speech.by_text[text][self._voice]
        begin_ms, end_ms = extent_ms(sound)
        if self._next() % 2 or not _BACKCHANNEL_MS[0] <= end_ms - begin_ms <= _BACKCHANNEL_MS[1]:
            return clip_of("backchannel", "mm-hm", level(mm_hm(self._random), dbfs))
        return clip_of("backchannel", text, level(sound, dbfs))

    def noise(self) -> Clip:
        """Something that is no voice."""
        name, sound = noise(self._random, self._next())
        return clip_of("noise", name, level(sound, float(self._random.uniform(*_NOISE_DBFS))))

    def keys(self) -> Clip:
        """Keys, as tones in the audio."""
        name, sound = keys(self._random)
        return clip_of("keys", name, level(sound, float(self._random.uniform(*_KEYS_DBFS))))

    def echo(self) -> Clip:
        """Two seconds in which the agent's voice comes back, 60 to 300 ms later."""
        late_ms = float(self._random.uniform(60, 300))
        return clip_of("echo", f"{late_ms:.0f} ms late", np.zeros(2 * RATE_HZ, np.float32), late_ms)

    def nothing(self) -> Clip:
        """Silence that is looked at like a noise."""
        return clip_of("nothing", "silence", np.zeros(3 * RATE_HZ // 2, np.float32))

    def background(self, snr_db: float) -> bytes:
        """Pink noise, so much below the call's speech."""
        sound = shaped(self._random, _BACKGROUND_S * RATE_HZ, 50, 4000, 1)
        return to_pcm(level(sound, self._dbfs - snr_db))

    def between(self, low: float, high: float) -> float:
        """A number of the call's luck."""
        return float(self._random.uniform(low, high))

    def shuffled(self, clips: list[Clip]) -> list[Clip]:
        """In another order."""
        return [clips[int(i)] for i in self._random.permutation(len(clips))]

    def _next(self) -> int:
        self._count += 1
        return self._count

    def _pick(self, texts: tuple[str, ...]) -> str:
        return texts[self._next() % len(texts)]
