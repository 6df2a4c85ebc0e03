"""How deep the jitter buffer should be: deeper at once, flatter again after a long calm. Pure."""

import math
from typing import Final

from gateway.core.ladder.commands import JitterBuffer
from gateway.core.ladder.trouble import Verdict

_STEP_MS: Final = 20
_LEAST_MS, _MOST_MS = 40, 200
_PER_JITTER: Final = 3.0
"""Evenly spread delays range over three times their RFC 3550 jitter."""
_CALM_S: Final = 20.0


class BufferDepth:
    """For what we receive."""

    def __init__(self) -> None:
        self._least_ms = 0
        self._calm_since: float | None = None

    def handle(self, verdict: Verdict, now: float) -> list[JitterBuffer]:
        """A verdict about the incoming direction."""
        if verdict.trouble == "jittery":
            self._calm_since = None
            steps = math.ceil(verdict.jitter_ms * _PER_JITTER / _STEP_MS)
            return self._set(max(self._least_ms, min(_MOST_MS, max(_LEAST_MS, steps * _STEP_MS))), verdict)
        if verdict.trouble != "good" or not self._least_ms:
            self._calm_since = None
        elif self._calm_since is None:
            self._calm_since = now
        elif now - self._calm_since >= _CALM_S:
            self._calm_since = None
            return self._set(0, verdict)
        return []

    def _set(self, least_ms: int, verdict: Verdict) -> list[JitterBuffer]:
        if least_ms == self._least_ms:
            return []
        self._least_ms = least_ms
        return [JitterBuffer(least_ms, verdict.describe())]
