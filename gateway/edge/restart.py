"""When to start a process again that has died. Pure."""

from typing import Final

HEALTHY_S: Final = 10.0
FIRST_DELAY_S: Final = 0.25
MAX_DELAY_S: Final = 10.0


class RestartPolicy:
    """At once the first time, then after growing delays while it keeps dying early."""

    def __init__(self) -> None:
        self.early_deaths = 0
        """In a row."""

    def delay_after(self, ran_s: float) -> float:
        """Seconds to wait before the next start, after a run of `ran_s`."""
        if ran_s >= HEALTHY_S:
            self.early_deaths = 0
            return 0.0
        self.early_deaths += 1
        if self.early_deaths == 1:
            return 0.0
        return min(FIRST_DELAY_S * 2.0 ** min(self.early_deaths - 2, 16), MAX_DELAY_S)
