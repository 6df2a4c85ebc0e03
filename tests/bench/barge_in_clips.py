"""Clips of what a caller's line may carry while the agent speaks: words, and what only sounds like them.

8 kHz PCM after a µ-law round trip, a hundred of each kind, the same on every run (seeded). Speech is
flite's four voices and, where Asterisk's recordings are installed, a human's.
"""

import asyncio
import subprocess
import wave
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gateway.media.g711 import ulaw_decode, ulaw_encode
from gateway.media.levels import convert_rate, from_pcm, level, to_pcm, trim
from gateway.media.speech import FLITE_VOICES, Synthesiser
from tests.peers import SOUNDS_DIR

Samples = NDArray[np.float32]

RATE_HZ: Final = 8000
CLIPS: Final = 100
BACKCHANNEL_MS: Final = (120, 600)
LEAD_MS: Final = 1000
"""Line noise before the sound, in which the agent already speaks."""
TAIL_MS: Final = 1200
_QUIET_LINE_DBFS: Final = -66.0
_LOUD: Final = 0.02
"""Share of the loudest 20 ms from which 5 ms are part of the sound (−34 dB)."""
ECHO_DB: Final = -25.0
SUDDEN_MS: Final = (2500, 7000)
"""When an echo begins, and the whole of the clip."""

INTERRUPTIONS: Final = (
    "Hold on, please.",
    "Wait a moment.",
    "I have a question.",
    "Excuse me, that is wrong.",
    "No, I meant billing.",
    "Can you repeat that?",
    "Stop, please stop.",
    "Sorry, can I ask something?",
    "That is not what I want.",
    "Please connect me to somebody.",
    "Actually, I want an operator.",
    "Let me say something.",
    "How much is it?",
    "What did you say?",
    "Thank you, that is enough.",
)
AGENT_TEXTS: Final = (
    "Thank you for calling. Our offices are open from nine to five on weekdays.",
    "I can help you with billing, support or sales. Which one would you like today?",
    "Please stay on the line while I find somebody who can help you with this.",
    "Your appointment is on Thursday at half past three in our main building.",
)
_WORDS: Final = ("Yeah.", "Okay.", "Right.", "Uh-huh.", "Ah.", "Oh.", "Sure.", "Aha.")
_HUMS: Final = ("m hh m", "pau m m hh m pau", "ah hh ah", "m m m")
"""mm-hm, uh-huh and mmm as flite's phones; as words flite spells them."""
_KEYS: Final = {
    key: (row, column)
    for row, keys in zip((697, 770, 852, 941), ("123A", "456B", "789C", "*0#D"), strict=True)
    for key, column in zip(keys, (1209, 1336, 1477, 1633), strict=True)
}


@dataclass(frozen=True, slots=True)
class Clip:
    """One caller's line."""

    name: str
    pcm: bytes
    """s16le at `RATE_HZ`, whole 20 ms frames."""
    onset_ms: float
    """Where the sound begins."""
    end_ms: float
    agent: bytes
    """What the agent says meanwhile."""
    echo_ms: float | None = None
    """So much later the agent comes back from the onset on, as far as it is heard; not in `pcm`."""


class ClipMaker:
    """Makes every kind of clip; needs flite."""

    def __init__(self, agent: list[Samples], speech: list[tuple[str, Samples]], words: list[Samples]) -> None:
        self._agent = agent
        self._speech = speech
        self._words = words
        self.recorded = _recorded()

    @classmethod
    async def create(cls) -> "ClipMaker":
        """Synthesise everything that is spoken."""
        makers = [Synthesiser(voice, engine="flite") for voice in FLITE_VOICES]

        async def spoken(text: str, maker: int) -> Samples:
            return from_pcm(await makers[maker].speak(text, "en", RATE_HZ))

        agent = [await spoken(text, 0) for text in AGENT_TEXTS]
        speech = [
            (f"{voice}: {text}", await spoken(text, index))
            for text in INTERRUPTIONS
            for index, voice in enumerate(FLITE_VOICES)
        ]
        words = [await spoken(text, index) for text in _WORDS for index in range(len(FLITE_VOICES))]
        words += await asyncio.to_thread(_hums)
        return cls(agent, speech, words)

    def clean(self) -> list[Clip]:
        """Interruptions on a quiet line, at everyday levels."""
        return self._interruptions(self._speech, 11, None)

    def human(self) -> list[Clip]:
        """A human's recorded sentences on a quiet line; empty where there are none."""
        return self._interruptions(self.recorded, 12, None) if self.recorded else []

    def noisy(self, snr_db: float = 15) -> list[Clip]:
        """Interruptions in pink noise, by voices and, where installed, a human."""
        return self._interruptions([*self._speech, *self.recorded[:40]], 13, snr_db)

    def _interruptions(
        self, speech: list[tuple[str, Samples]], seed: int, snr_db: float | None
    ) -> list[Clip]:
        random = np.random.default_rng(seed)
        clips = []
        for name, sound in islice(cycle(speech), CLIPS):
            dbfs = random.uniform(-30, -16)
            noise_dbfs = _QUIET_LINE_DBFS if snr_db is None else dbfs - snr_db
            clips.append(self._clip(name, level(sound, dbfs), random, noise_dbfs, tail_ms=400))
        return clips

    def backchannels(self) -> list[Clip]:
        """mm-hm, uh-huh, yeah, okay: the caller listens and does not want the word.

        Of `BACKCHANNEL_MS`: a longer one cannot be told from words in the time that a pause may take.
        """
        random = np.random.default_rng(21)
        low, high = BACKCHANNEL_MS
        usual = [sound for sound in self._words if low <= np.subtract(*_extent(sound)[::-1]) / 8 <= high]
        chosen = islice(cycle(usual), CLIPS)
        return [
            self._clip(f"backchannel {i}", level(sound, random.uniform(-32, -20)), random)
            for i, sound in enumerate(chosen)
        ]

    def echo(self) -> list[Clip]:
        """The agent's own voice coming back 25 dB lower, 60 to 300 ms later."""
        random = np.random.default_rng(22)
        clips = []
        for i in range(CLIPS):
            agent = np.roll(np.tile(self._agent[i % len(self._agent)], 2), int(random.integers(40000)))
            late = int(random.uniform(0.06, 0.3) * RATE_HZ)
            heard = np.concatenate([np.zeros(late, np.float32), agent])[: len(agent)]
            # A little room: one reflection, half as loud.
            heard[400:] += heard[:-400] * np.float32(0.5)
            gain = 10 ** (ECHO_DB / 20) * _rms(agent) / _rms(heard)
            line = heard * np.float32(gain) + _noise(random, len(heard), _QUIET_LINE_DBFS)
            clips.append(Clip(f"echo {i}", _phone(line), 0.0, len(line) / 8, to_pcm(agent)))
        return clips

    def sudden_echo(self) -> list[Clip]:
        """An echo 25 dB down that begins when the agent has been heard without one for two seconds.

        A telephone that is put on its loudspeaker. Unlike `echo` it ends when the agent is stopped.
        """
        random = np.random.default_rng(26)
        clips = []
        for i in range(CLIPS):
            agent = np.roll(np.tile(self._agent[i % len(self._agent)], 3), int(random.integers(40000)))
            agent = agent[: SUDDEN_MS[1] * 8]
            line = _noise(random, len(agent), _QUIET_LINE_DBFS)
            late_ms = float(random.uniform(60, 300))
            clips.append(
                Clip(f"sudden echo {i}", _phone(line), SUDDEN_MS[0], len(line) / 8, to_pcm(agent), late_ms)
            )
        return clips

    def keys(self) -> list[Clip]:
        """One to six DTMF digits in the audio."""
        random = np.random.default_rng(23)
        clips = []
        for i in range(CLIPS):
            parts = []
            for key in random.choice(list(_KEYS), int(random.integers(1, 7))):
                t = np.arange(int(random.uniform(0.06, 0.4) * RATE_HZ)) / RATE_HZ
                low, high = _KEYS[str(key)]
                twist = 10 ** (random.uniform(-4, 4) / 20)
                parts += [
                    np.sin(2 * np.pi * low * t) + twist * np.sin(2 * np.pi * high * t),
                    np.zeros(int(random.uniform(0.05, 0.2) * RATE_HZ)),
                ]
            sound = level(np.concatenate(parts).astype(np.float32), random.uniform(-24, -10))
            clips.append(self._clip(f"keys {i}", sound, random))
        return clips

    def noises(self) -> list[Clip]:
        """Hiss, rumble, hum, breath, clicks, knocks, ringback, busy tone, passing cars."""
        random = np.random.default_rng(24)
        kinds = list(_NOISES.items())
        return [
            self._clip(f"{name} {i}", level(make(random), random.uniform(-45, -22)), random)
            for i, (name, make) in enumerate(islice(cycle(kinds), CLIPS))
        ]

    def babble(self) -> list[Clip]:
        """Six voices at once, 20 to 30 dB below a caller's: people in the background. No goal is set."""
        random = np.random.default_rng(25)
        clips = []
        for i in range(CLIPS):
            length = 3 * RATE_HZ
            chosen = random.integers(len(self._speech), size=6)
            sound = sum(
                np.resize(np.roll(self._speech[k][1], int(random.integers(8000))), length) for k in chosen
            )
            assert isinstance(sound, np.ndarray)
            clips.append(self._clip(f"babble {i}", level(sound, random.uniform(-50, -40)), random))
        return clips

    def _clip(
        self,
        name: str,
        sound: Samples,
        random: np.random.Generator,
        noise_dbfs: float = _QUIET_LINE_DBFS,
        tail_ms: int = TAIL_MS,
    ) -> Clip:
        """`sound` after the lead, at any phase of the frames."""
        lead = LEAD_MS * 8 + int(random.integers(160))
        line = np.concatenate([np.zeros(lead, np.float32), sound, np.zeros(tail_ms * 8, np.float32)])
        line = line[: len(line) // 160 * 160]
        begin, end = _extent(sound)
        line = line + _noise(random, len(line), noise_dbfs)
        agent = np.resize(self._agent[int(random.integers(len(self._agent)))], len(line))
        return Clip(name, _phone(line), (lead + begin) / 8, (lead + end) / 8, to_pcm(agent))


def _phone(line: Samples) -> bytes:
    return ulaw_decode(ulaw_encode(to_pcm(line[: len(line) // 160 * 160])))


def _rms(samples: Samples) -> float:
    return float(np.sqrt(np.mean(np.square(samples))))


def _extent(sound: Samples) -> tuple[int, int]:
    """First and last sample that is loud enough to be heard."""
    step = RATE_HZ // 200
    power = np.square(sound[: len(sound) // step * step]).reshape(-1, step).mean(axis=1)
    loudest = np.convolve(power, np.ones(4) / 4, "valid").max()
    loud = np.flatnonzero(power > loudest * _LOUD**2)
    return int(loud[0]) * step, (int(loud[-1]) + 1) * step


def _shaped(random: np.random.Generator, n: int, low_hz: float, high_hz: float, slope: float) -> Samples:
    """Noise between two frequencies whose power falls by `slope` × 3 dB an octave."""
    spectrum = np.fft.rfft(random.standard_normal(n))
    hz = np.fft.rfftfreq(n, 1 / RATE_HZ)
    spectrum *= ((hz >= low_hz) & (hz <= high_hz)) / np.maximum(hz, 20) ** (slope / 2)
    return np.fft.irfft(spectrum, n).astype(np.float32)


def _noise(random: np.random.Generator, n: int, dbfs: float) -> Samples:
    return level(_shaped(random, n, 50, 4000, 1), dbfs)


def _pulses(random: np.random.Generator, decay_s: float) -> Samples:
    sound = np.zeros(2 * RATE_HZ, np.float32)
    for _ in range(int(random.integers(2, 9))):
        n = int(decay_s * 6 * RATE_HZ)
        at = int(random.integers(len(sound) - n))
        sound[at : at + n] += random.standard_normal(n) * np.exp(-np.arange(n) / RATE_HZ / decay_s)
    return sound


def _breath(random: np.random.Generator) -> Samples:
    sound = _shaped(random, 2 * RATE_HZ, 300, 3000, 1)
    return sound * np.float32(np.sin(np.linspace(0, 2 * np.pi, len(sound))) ** 2)


def _tone(*hz: float) -> Samples:
    t = np.arange(int(1.2 * RATE_HZ)) / RATE_HZ
    return np.asarray(sum(np.sin(2 * np.pi * f * t) for f in hz), np.float32)


def _hum(random: np.random.Generator) -> Samples:
    t = np.arange(2 * RATE_HZ) / RATE_HZ
    mains = float(random.choice([50, 60]))
    return np.asarray(sum(np.sin(2 * np.pi * mains * k * t) / k for k in range(1, 12, 2)), np.float32)


def _passing(random: np.random.Generator) -> Samples:
    sound = _shaped(random, 3 * RATE_HZ, 100, 1500, 2)
    return sound * np.float32(np.hanning(len(sound)))


_NOISES: Final[dict[str, Callable[[np.random.Generator], Samples]]] = {
    "hiss": lambda random: _shaped(random, 2 * RATE_HZ, 50, 4000, 0),
    "pink": lambda random: _shaped(random, 2 * RATE_HZ, 50, 4000, 1),
    "rumble": lambda random: _shaped(random, 2 * RATE_HZ, 50, 1000, 2),
    "hum": _hum,
    "breath": _breath,
    "clicks": lambda random: _pulses(random, 0.002),
    "knocks": lambda random: _pulses(random, 0.02),
    "ringback": lambda _random: _tone(440, 480),
    "busy": lambda _random: np.concatenate(
        [_tone(425)[:4000], np.zeros(4000, np.float32), _tone(425)[:4000]]
    ),
    "passing car": _passing,
}


def _recorded() -> list[tuple[str, Samples]]:
    """A hundred of Asterisk's recorded sentences between 1 and 5 s, spread over the alphabet."""
    found = []
    for path in sorted(SOUNDS_DIR.glob("*.wav")):
        with wave.open(str(path)) as reader:
            duration_s = reader.getnframes() / reader.getframerate()
            if 1 <= duration_s <= 5 and reader.getframerate() == RATE_HZ and "tone" not in path.stem:
                sound = from_pcm(reader.readframes(reader.getnframes()))
                found.append((path.stem, trim(level(sound), RATE_HZ)))
    return found[:: max(1, len(found) // CLIPS)][:CLIPS]


def _hums() -> list[Samples]:
    made = []
    with TemporaryDirectory() as directory:
        path = Path(directory) / "hum.wav"
        for voice in FLITE_VOICES:
            for phones in _HUMS:
                for stretch in ("1.2", "1.5", "1.8"):
                    command = ["flite", "-voice", voice, "--setf", f"duration_stretch={stretch}"]
                    subprocess.run([*command, "-p", phones, "-o", str(path)], check=True, capture_output=True)
                    with wave.open(str(path)) as reader:
                        sound = from_pcm(reader.readframes(reader.getnframes()))
                        rate_hz = reader.getframerate()
                    made.append(trim(level(convert_rate(sound, rate_hz, RATE_HZ)), RATE_HZ))
    return made
