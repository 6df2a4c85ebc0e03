"""N-1 mixing: every party hears all others, never itself. Pure; numpy; one 20 ms tick at a time.

Parties come from cards with clocks of their own. Each has a live run (`gateway.core.playout_runs`)
between its clock and the mixer's tick: it starts when two frames have gathered, and a drift of the
clocks is taken out by cross-fades that leave a frame out or play one twice. All corrections are
counted. The run is bounded, so that no delay can build up over any length of call.

A party that joins, leaves, or changes its gain is ramped over one frame: no click.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from gateway.core.audio import PTIME_MS, PcmFormat
from gateway.core.ids import Mark
from gateway.core.playout import Playout
from gateway.core.playout_runs import LIVE_LIMIT_FRAMES
from gateway.media.resampler import Resampler

Samples = NDArray[np.float32]
Key = TypeVar("Key")

LIMIT_MS: Final = LIVE_LIMIT_FRAMES * PTIME_MS
"""Most that is ever buffered; what comes on top drops the oldest."""
_SPEECH: Final = Mark(1)
_CEILING: Final = 32000.0


@dataclass(frozen=True, slots=True)
class PartyStats:
    """What the buffer of a party had to do; frames of 20 ms."""

    spliced: int = 0
    """Frames left out because the party's clock is faster."""
    stretched: int = 0
    """Frames played twice because it is slower."""
    repeated: int = 0
    """Gaps, each filled with a fading echo of one frame: the party was late, or said no more."""
    dropped: int = 0
    """Frames thrown away by the limit."""

    def __str__(self) -> str:
        """Those that occurred, for people; empty if none did."""
        return " ".join(f"{name} {count}" for name, count in asdict(self).items() if count)


class _Party:
    def __init__(self, source: PcmFormat, mix: PcmFormat) -> None:
        self.size = mix.frame_samples
        self.wanted_gain = 1.0
        self.gain = 0.0
        self.listens = True
        self.leaving = False
        self._in = Resampler(source.sample_rate_hz, mix.sample_rate_hz).process
        self._out = Resampler(mix.sample_rate_hz, source.sample_rate_hz).process
        self._speech = Playout(mix)
        self._ramp = np.linspace(0.0, 1.0, self.size, dtype=np.float32)

    @property
    def stats(self) -> PartyStats:
        speech = self._speech
        return PartyStats(
            speech.live_spliced, speech.live_stretched, speech.live_repeated, speech.live_dropped
        )

    def push(self, pcm: bytes) -> None:
        self._speech.play(self._in(pcm), _SPEECH, live=True)

    def pull(self) -> Samples | None:
        """The party's next frame with its gain; None while it is silent."""
        pcm = self._speech.next_frame()
        if pcm is None:
            return None
        frame: Samples = np.frombuffer(pcm, np.int16).astype(np.float32)
        target = 0.0 if self.leaving else self.wanted_gain
        if self.gain == target:
            return frame if target == 1.0 else frame * np.float32(target)
        ramped: Samples = frame * (self.gain + (target - self.gain) * self._ramp)
        self.gain = target
        return ramped

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
