"""Dead air in a conversation: neither caller nor agent is heard for a while. Pure."""

from dataclasses import dataclass
from typing import Final, Literal

LONG_S: Final = 2.0
"""A shorter silence belongs to a conversation."""
_GAP_S: Final = 0.2
"""Without frames for so long, nobody was in conversation."""

Speaker = Literal["caller", "agent"]


@dataclass(frozen=True, slots=True)
class DeadAir:
    """A long one."""

    began_s: float
    duration_ms: float
    after: Speaker | None
    """Who spoke last; the other one let it happen. None: nobody has spoken yet."""


class SilenceMeter:
    """Of one conversation; times are monotonic seconds."""

    def __init__(self) -> None:
        self._began_s: float | None = None
        self._last_s = 0.0
        self._after: Speaker | None = None

    def frame(self, caller: bool, agent: bool, now: float) -> DeadAir | None:
        """20 ms that ended at `now`: who was heard. A silence that has just ended. Hot path."""
        over = None
        if caller or agent:
            if self._began_s is not None:
                over = self.end()
            self._after = "caller" if caller else "agent"
        elif self._began_s is None:
            self._began_s = now
        elif now - self._last_s > _GAP_S:
            over = self.end()
            self._began_s = now
        self._last_s = now
        return over

    def end(self) -> DeadAir | None:
        """The conversation is over, or somebody speaks: the silence up to the last frame, if it was long."""
        began_s, self._began_s = self._began_s, None
        if began_s is None or self._last_s - began_s < LONG_S:
            return None
        return DeadAir(began_s, (self._last_s - began_s) * 1000, self._after)
