"""Whether the agent's words were cut: sounds that begin or end at full level with nothing around. Pure.

Speech fades in and out, over 10 ms at the very least; a word that is cut goes from full level to digital
silence within 5 ms. It is an estimate: the bang of a *p* after a silence can look like a cut beginning,
which is why beginnings must come out of digital silence at the utterance's own peak level.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from gateway.rehearse.activity import BLOCK_MS, Levels, Sound

_FULL_DB: Final = -3.0
"""Below the utterance's loudest blocks, what counts as full level."""
_EMPTY_DBFS: Final = -75.0
"""Digital silence, with G.711's least step."""
_EMPTY_BLOCKS: Final = 4
_NEAR_S: Final = 0.06


def clipped(
    levels: Levels, sounds: Sequence[Sound], gaps: Sequence[tuple[float, float]], cut: Sequence[float]
) -> tuple[float, ...]:
    """Moments at which words were cut.

    gaps: where packets were missing, which is counted as loss. cut: where the agent was stopped for good
    reason.
    """
    excused = [at for gap in gaps for at in gap] + list(cut)
    found = []
    for sound in sounds:
        loudest = np.percentile(levels.between(sound.start_s, sound.end_s), 95)
        for at_s, inside, outside in _edges(levels, sound):
            abrupt = len(inside) and inside.max() >= loudest + _FULL_DB
            empty = len(outside) == _EMPTY_BLOCKS and outside.max() <= _EMPTY_DBFS
            if abrupt and empty and all(abs(at_s - each) > _NEAR_S for each in excused):
                found.append(at_s)
    return tuple(found)


def _edges(
    levels: Levels, sound: Sound
) -> list[tuple[float, "np.typing.NDArray[np.float32]", "np.typing.NDArray[np.float32]"]]:
    block_s = BLOCK_MS / 1000
    before_s, after_s = sound.start_s - _EMPTY_BLOCKS * block_s, sound.end_s + _EMPTY_BLOCKS * block_s
    return [
        (
            sound.start_s,
            levels.between(sound.start_s, sound.start_s + block_s),
            levels.between(before_s, sound.start_s),
        ),
        (
            sound.end_s,
            levels.between(sound.end_s - block_s, sound.end_s),
            levels.between(sound.end_s, after_s),
        ),
    ]
