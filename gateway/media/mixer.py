"""N-1 mixing: every party hears all others, never itself. Pure; numpy; one 20 ms tick at a time.

Parties come from cards with clocks of their own. Each has a small buffer between its clock and the
mixer's tick: it starts to play when `TARGET_MS` have gathered, and a drift of the clocks is taken
out by splicing one frame away (two frames cross-faded into one) when the buffer has stayed too
full, or by playing a frame a second time, faded, when it ran dry. Both are counted. The buffer is
bounded, so that no delay can build up over any length of call.

A party that joins, leaves, or changes its gain is ramped over one frame: no click.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from gateway.core.audio import PTIME_MS, PcmFormat
from gateway.media.resampler import Resampler

Samples = NDArray[np.float32]
Key = TypeVar("Key")

TARGET_MS: Final = 40
"""Buffered when a party starts to be heard."""
LIMIT_MS: Final = 120
"""Most that is ever buffered; what comes on top drops the oldest."""
_FULL_TICKS: Final = 50
"""A buffer that was never below the target for a second holds delay that nobody needs."""
_CEILING: Final = 32000.0


@dataclass(slots=True)
class PartyStats:
    """What the buffer of a party had to do; frames of 20 ms."""

    spliced: int = 0
    """Frames taken out because the party's clock is faster."""
    repeated: int = 0
    """Frames played twice because it is slower, or late."""
    dropped: int = 0
    """Frames thrown away by the limit."""


class _Party:
    def __init__(self, source: PcmFormat, mix: PcmFormat) -> None:
        self.size = mix.frame_samples
        self.stats = PartyStats()
        self.gain = self.wanted_gain = 1.0
        self.listens = True
        self.leaving = False
        self._in = Resampler(source.sample_rate_hz, mix.sample_rate_hz).process
        self._out = Resampler(mix.sample_rate_hz, source.sample_rate_hz).process
        self._rest = b""
        self._frames: deque[Samples] = deque()
        self._primed = False
        self._full_ticks = 0
        self._last: Samples | None = None
        self._ramp = np.linspace(0.0, 1.0, self.size, dtype=np.float32)
        self.gain = 0.0

    def push(self, pcm: bytes) -> None:
        data = self._rest + self._in(pcm)
        step = self.size * 2
        whole = len(data) // step * step
        self._rest = data[whole:]
        for start in range(0, whole, step):
            self._frames.append(np.frombuffer(data, np.int16, self.size, start).astype(np.float32))
        while len(self._frames) > LIMIT_MS // PTIME_MS:
            self._frames.popleft()
            self.stats.dropped += 1

    def pull(self) -> Samples | None:
        """The party's next frame with its gain; None while it is silent."""
        frame = self._next()
        if frame is None:
            return None
        target = 0.0 if self.leaving else self.wanted_gain
        if self.gain == target:
            return frame if target == 1.0 else frame * np.float32(target)
        ramped: Samples = frame * (self.gain + (target - self.gain) * self._ramp)
        self.gain = target
        return ramped

    def _next(self) -> Samples | None:
        depth = len(self._frames)
        if not self._primed:
            if depth * PTIME_MS < TARGET_MS:
                return None
            self._primed = True
        if not depth:
            return self._conceal()
        self._full_ticks = self._full_ticks + 1 if depth * PTIME_MS > TARGET_MS else 0
        frame = self._frames.popleft()
        if self._full_ticks >= _FULL_TICKS and self._frames:
            self._full_ticks = 0
            self.stats.spliced += 1
            frame = frame * (1 - self._ramp) + self._frames.popleft() * self._ramp
        self._last = frame
        return frame

    def _conceal(self) -> Samples | None:
        """The last frame once more, fading out; then silence until the buffer has filled again."""
        last, self._last = self._last, None
        self._primed = False
        if last is None:
            return None
        self.stats.repeated += 1
        faded: Samples = last[::-1] * (1 - self._ramp)
        return faded

    def render(self, mix: Samples) -> bytes:
        clipped: Samples = np.clip(mix, -_CEILING, _CEILING)
        return self._out(np.rint(clipped).astype(np.int16).tobytes())


class Mixer(Generic[Key]):
    """Mixes any number of parties, each with a sample rate of its own."""

    def __init__(self, mix_format: PcmFormat) -> None:
        """`mix_format`: the rate of the mix; take the highest of the parties."""
        self._format = mix_format
        self._parties: dict[Key, _Party] = {}

    @property
    def parties(self) -> tuple[Key, ...]:
        """Who takes part, in order of joining."""
        return tuple(key for key, party in self._parties.items() if not party.leaving)

    def join(self, key: Key, pcm_format: PcmFormat, *, speaks: bool = True, listens: bool = True) -> None:
        """A party comes; `speaks` False: nobody hears it, `listens` False: it gets nothing."""
        party = self._parties[key] = _Party(pcm_format, self._format)
        party.wanted_gain = 1.0 if speaks else 0.0
        party.listens = listens

    def leave(self, key: Key) -> None:
        """A party goes; its last frame is faded out. Raises `KeyError` for a stranger."""
        self._parties[key].leaving = True

    def set_gain(self, key: Key, gain: float) -> None:
        """0 mutes, 1 is as it came. Raises `KeyError` for a stranger."""
        self._parties[key].wanted_gain = gain

    def stats(self, key: Key) -> PartyStats:
        """Counters of a party's buffer. Raises `KeyError` for a stranger."""
        return self._parties[key].stats

    def push(self, key: Key, pcm: bytes) -> None:
        """Audio of a party, any length; after `leave` it is ignored."""
        party = self._parties.get(key)
        if party is not None and not party.leaving:
            party.push(pcm)

    def tick(self) -> Mapping[Key, bytes]:
        """20 ms of what each listening party hears, in its own format.

        The frame of a party that listens is always there, silent if nobody speaks, so that its
        clock never runs dry.
        """
        heard = {key: frame for key, party in self._parties.items() if (frame := party.pull()) is not None}
        total: Samples = np.zeros(self._format.frame_samples, np.float32)
        for frame in heard.values():
            total += frame
        out: dict[Key, bytes] = {}
        for key, party in self._parties.items():
            if party.listens and not party.leaving:
                own = heard.get(key)
                out[key] = party.render(total if own is None else total - own)
        for key in [key for key, party in self._parties.items() if party.leaving]:
            del self._parties[key]
        return out
