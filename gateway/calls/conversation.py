"""Who said what in a call, in the order in which it was said. Pure.

A service writes down the caller's words beside answering them, so that they often arrive after the
words of the answer. The caller's place is therefore kept from the end of their turn on.
"""

from collections.abc import Iterable
from typing import Final

from gateway.backends.contract import Utterance

MAX_REPLAY: Final = 40
"""Utterances that a reconnected backend gets to know."""

MAX_TEXT_CHARS: Final = 4000
"""Longer texts are cut: about five minutes of speech."""


class Conversation:
    """The last utterances of one call."""

    def __init__(self, said: Iterable[Utterance] = ()) -> None:
        self._turns: list[tuple[str, Utterance]] = [("", utterance) for utterance in said]

    @property
    def utterances(self) -> tuple[Utterance, ...]:
        """What is known to have been said; personal data."""
        return tuple(utterance for _, utterance in self._turns if utterance.text)

    @property
    def begun(self) -> bool:
        """Whether anybody has said anything, written down or not."""
        return bool(self._turns)

    @property
    def caller_spoke_last(self) -> bool:
        """Whether the caller waits for an answer, written down or not."""
        return bool(self._turns) and self._turns[-1][1].role == "caller"

    def caller_finished(self, item_id: str) -> None:
        """The caller's turn is over; its words may come later under the same id."""
        if all(known != item_id for known, _ in self._turns):
            self._append(item_id, Utterance("caller", ""))

    def add(self, item_id: str, utterance: Utterance) -> None:
        """Somebody's words are known."""
        utterance = Utterance(utterance.role, utterance.text[:MAX_TEXT_CHARS])
        for index, (known, place) in enumerate(self._turns):
            if item_id and known == item_id and place.role == utterance.role and not place.text:
                self._turns[index] = (item_id, utterance)
                return
        if utterance.text:
            self._append(item_id, utterance)

    def _append(self, item_id: str, utterance: Utterance) -> None:
        self._turns.append((item_id, utterance))
        del self._turns[:-MAX_REPLAY]
