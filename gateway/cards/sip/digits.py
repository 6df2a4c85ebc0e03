"""RFC 4733 reports a digit over and over while it lasts; this makes one digit of it. Pure."""

_LOST_END_S = 0.3
"""Updates come every 20 to 50 ms; after this long the end has been lost."""


class DigitCollector:
    """At most one digit is being pressed at a time."""

    def __init__(self) -> None:
        self._digit = ""
        self._duration_ms = 0
        self._seen_at_s = 0.0

    @property
    def waiting(self) -> bool:
        """A digit has begun and not ended."""
        return bool(self._digit)

    def add(
        self, digit: str, duration_ms: int, now: float, *, update: bool, end: bool
    ) -> list[tuple[str, int]]:
        """One report; returns the (digit, duration in ms) that it completes, oldest first."""
        done: list[tuple[str, int]] = []
        if self._digit and (not update or digit != self._digit):
            done.append((self._digit, self._duration_ms))
            self._digit = ""
        if end:
            # An end that is an update of a digit already given up is not a second digit.
            if self._digit or not update:
                done.append((digit, duration_ms))
            self._digit = ""
        elif not update or self._digit:
            self._digit, self._duration_ms, self._seen_at_s = digit, duration_ms, now
        return done

    def expire(self, now: float) -> list[tuple[str, int]]:
        """The digit whose end has been lost, if any."""
        if not self._digit or now - self._seen_at_s < _LOST_END_S:
            return []
        done, self._digit = [(self._digit, self._duration_ms)], ""
        return done
