"""Answers of the service to what took the word from nobody: a sound of listening, a noise. Pure.

A service that answers by itself answers those, too. The agent that was not stopped by them must not be
stopped by the answer: it is left out, or waits for its place if what the agent says is nearly over, since a
"yes" into its last words may answer its question. Where the service writes down what it hears, words that
do take the word are noticed by that; where it does not, its answer is all that tells of them.
"""

from collections import deque
from typing import Final, Literal

from gateway.config.barge_in import BargeInConfig

NEARLY_OVER_S: Final = 2.0
_REMEMBERED: Final = 8

Fate = Literal["cut", "wait", "drop"]
"""Of the agent's words and the answer: the answer takes their place, follows them, or is left out."""


class Asides:
    """Of one call and one service."""

    def __init__(self, policy: BargeInConfig) -> None:
        self._gateway_judges = policy.action == "pause" and policy.by != "backend"
        self._writes = False
        """The service writes down what it hears."""
        self._over_agent = False
        """The latest turn began while the agent was heard."""
        self._noise = False
        """It is known to be none of speech."""
        self._dropped: deque[str] = deque(maxlen=_REMEMBERED)

    def turn_began(self, *, over_agent: bool, noise: bool) -> None:
        """The service hears the caller. noise: what it hears is known to be none of speech."""
        self._over_agent, self._noise = over_agent, noise

    def caller_speaks(self) -> None:
        """It is known to be speech after all."""
        self._noise = False

    def written(self) -> None:
        """The service has written down a turn."""
        self._writes = True

    def fate(self, item_id: str, ahead_s: float) -> Fate:
        """An answer comes while the agent is heard. ahead_s: what the agent has still to say."""
        taken_back = self._gateway_judges and self._over_agent and (self._noise or self._writes)
        if not taken_back:
            return "cut"
        if ahead_s < NEARLY_OVER_S:
            return "wait"
        self._dropped.append(item_id)
        return "drop"

    def is_dropped(self, item_id: str) -> bool:
        """Whether an answer was left out."""
        return item_id in self._dropped
