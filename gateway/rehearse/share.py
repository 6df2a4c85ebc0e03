"""The gateway's own share of a response delay: what is left without the agent. Pure.

Between gateway and bot a tap notes when the caller's last words passed and when the answer's first audio
did. The gateway's share is the way of the words from the phone to the tap, and the way of the answer from
the tap to the phone; jitter buffer, playout and both network paths are in it, the bot is not.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from gateway.media.g711 import ulaw_decode

_AUDIBLE: Final = 400
"""Of 32768: −38 dB."""
_WORDS_WITHIN_S: Final = 0.5
"""What was said has passed the tap by then."""


class TapNotes(msgspec.Struct, frozen=True):
    """What passed in one session; seconds of the system's clock."""

    opened_s: float
    heard_s: tuple[float, ...]
    """When each loud 20 ms of the caller went to the bot."""
    answers: tuple[tuple[float, float], ...]
    """Of each answer: when its first audio came, and the silence at its beginning in ms."""


def first_loud_ms(ulaw: bytes) -> float | None:
    """Where in a stretch of µ-law audio it becomes audible; None if it does not."""
    first = first_loud(np.frombuffer(ulaw_decode(ulaw), "<i2").astype(np.float32))
    return None if first is None else first / 8


def first_loud(samples: NDArray[np.float32]) -> int | None:
    """Number of the first audible sample; None if there is none."""
    audible = np.abs(samples) >= _AUDIBLE
    return int(np.argmax(audible)) if audible.any() else None


def gateway_share_ms(notes: TapNotes, last_words_s: float, answer_s: float) -> float | None:
    """For a turn whose last loud packet left the phone at `last_words_s`, answered there at `answer_s`.

    answer_s: arrival of the answer's first audible sample. None when the tap did not see the turn.
    """
    low, high = bisect_left(notes.heard_s, last_words_s), bisect_right(notes.heard_s, answer_s)
    within = [at for at in notes.heard_s[low:high] if at - last_words_s <= _WORDS_WITHIN_S]
    if not within:
        return None
    words_s = within[-1]
    begun = [answer for answer in notes.answers if words_s < answer[0] < answer_s]
    if not begun:
        return None
    at_s, silence_ms = begun[-1]
    up_ms, down_ms = (words_s - last_words_s) * 1000, (answer_s - at_s) * 1000 - silence_ms
    return up_ms + down_ms


def match_sessions(invited_s: Sequence[float], sessions: Sequence[TapNotes]) -> list[TapNotes | None]:
    """The session of each call: sessions open in the order of the INVITEs.

    None for all when there are not as many sessions as calls: then it cannot be told whose they are.
    """
    if len(invited_s) != len(sessions):
        return [None] * len(invited_s)
    found: list[TapNotes | None] = [None] * len(invited_s)
    by_call = sorted(range(len(invited_s)), key=lambda index: invited_s[index])
    for index, notes in zip(by_call, sorted(sessions, key=lambda each: each.opened_s), strict=True):
        found[index] = notes
    return found
