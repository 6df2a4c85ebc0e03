"""What the far end says, tick by tick, also while PJSIP replaces the stream that it comes by. Pure.

Offer and answer of another codec make PJSIP throw the stream away, with what its jitter buffer and decoder
hold. The new one is zeros for a tick or two, and then begins with nothing to conceal from. So the hole is
filled here, as ITU-T G.711 Appendix I does it: the last pitch period over and over, ever quieter.
"""

import warnings
from typing import Final

from gateway.cards.sip.contract import MediaInfo
from gateway.core.audio import PTIME_MS, PcmFormat
from gateway.core.ids import LegId
from gateway.wire.frames import HeardFlag, pack_heard_record

with warnings.catch_warnings():
    # In the standard library up to 3.12, from audioop-lts after.
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop

_WATCHED_TICKS: Final = 12
"""So long after the change a hole is one of its making."""
_HISTORY_MS: Final = 60
_SHORTEST_MS, _LONGEST_MS = 2.5, 20
"""Of pitch periods; the latter is also what two of them are compared by."""
_STEP_MS: Final = 5
_LOUD_STEPS: Final = 4
"""Before it gets quieter."""
_FADE: Final = 0.05
"""Per step."""
_GRAIN_MS: Final = 1
"""What is judged at once."""
_RAMP_STEPS: Final = 16
"""In which the real speech comes in, a quarter of a millisecond each."""
_QUIET: Final = 16
"""That far below what was heard before, a stream that begins says nothing yet."""


class Ear:
    """Of one leg. PCM is s16le at the leg's sample rate, 20 ms a frame."""

    def __init__(self, pcm_format: PcmFormat) -> None:
        self._silence = pcm_format.silence(PTIME_MS)
        self._byte_rate = len(self._silence) // PTIME_MS
        self._heard = b""
        self._before = (self._silence,) * (_HISTORY_MS // PTIME_MS)
        self._coding: tuple[str, int, int] | None = None
        self._watched = 0
        self._begun = False
        """Whether the new stream has said something."""
        self._period = b""
        self._filled = 0
        """Bytes made up in a row."""

    def hear(self, pcm: bytes) -> None:
        """The frame of this tick; empty: the decoder had nothing."""
        self._heard = pcm

    def coded(self, media: MediaInfo) -> None:
        """Offer and answer were agreed on; another coding comes in another stream."""
        coding = (media.codec, media.clock_rate_hz, media.ptime_ms)
        if self._coding not in (None, coding):
            self._watched, self._begun, self._filled = _WATCHED_TICKS, False, 0
        self._coding = coding

    def record(self, leg: LegId) -> bytes:
        """This tick as a record of a HEARD frame."""
        pcm, self._heard = self._heard, b""
        missing = 0 if pcm else len(self._silence)
        if self._watched:
            self._watched -= 1
            if pcm and not self._begun:
                missing = self._quiet_bytes(pcm)
            pcm = self._bridged(pcm, missing)
        elif not pcm:
            pcm = self._silence
        self._before = (*self._before[1:], pcm)
        flag = HeardFlag.CONCEALED if missing == len(self._silence) else HeardFlag.NONE
        return pack_heard_record(leg, flag, pcm)

    def _bridged(self, pcm: bytes, missing: int) -> bytes:
        """A frame whose first bytes are missing."""
        if missing == len(self._silence):
            return self._fill(missing)
        self._begun = True
        if not (missing or self._filled):
            return pcm
        grain = self._byte_rate // 4
        end = min(missing + _RAMP_STEPS * grain, len(pcm))
        made = self._fill(end)
        self._filled = 0
        joined = [
            _mixed(made[at : at + grain], pcm[at : at + grain], (step + 1) / (_RAMP_STEPS + 1))
            for step, at in enumerate(range(missing, end, grain))
        ]
        return made[:missing] + b"".join(joined) + pcm[end:]

    def _quiet_bytes(self, pcm: bytes) -> int:
        """How much of a frame comes before the stream says something."""
        limit = max(_QUIET, max(audioop.max(each, 2) for each in self._before) // _QUIET)
        grain = _GRAIN_MS * self._byte_rate
        starts = range(0, len(pcm), grain)
        return next((at for at in starts if audioop.max(pcm[at : at + grain], 2) > limit), len(pcm))

    def _fill(self, size: int) -> bytes:
        """The next bytes of what is made up."""
        if not self._filled:
            self._period = self._last_period()
        step, out = _STEP_MS * self._byte_rate, []
        while size > 0:
            count = min(size, step - self._filled % step)
            at = self._filled % len(self._period)
            rounds = self._period * (1 + (at + count) // len(self._period))
            quieter = max(0, self._filled // step + 1 - _LOUD_STEPS) * _FADE
            out.append(audioop.mul(rounds[at : at + count], 2, max(0.0, 1.0 - quieter)))
            self._filled += count
            size -= count
        return b"".join(out)

    def _last_period(self) -> bytes:
        """The end of what was heard, as long as the lag at which it resembles itself most."""
        heard = b"".join(self._before)
        window, shortest = _LONGEST_MS * self._byte_rate, int(_SHORTEST_MS * self._byte_rate)
        latest = len(heard) - window
        offset, factor = audioop.findfit(heard[latest - window : len(heard) - shortest], heard[latest:])
        lag = window - 2 * offset
        # It takes the opposite for alike, too.
        return heard[len(heard) - (lag if factor >= 0 else 2 * lag) :]


def _mixed(made: bytes, real: bytes, share: float) -> bytes:
    return audioop.add(audioop.mul(made, 2, 1 - share), audioop.mul(real, 2, share), 2)
