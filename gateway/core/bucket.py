"""A token bucket: so many at once, so many a second on average."""


class TokenBucket:
    """Starts full."""

    def __init__(self, *, per_s: float, burst: float) -> None:
        self._per_s = per_s
        self._burst = burst
        self._tokens = float(burst)
        self._at: float | None = None

    def ready(self, now: float) -> bool:
        """Whether one more is allowed. now: monotonic seconds."""
        self._fill(now)
        return self._tokens >= 1

    def take(self, now: float, units: float = 1) -> bool:
        """Whether so many more are allowed; they then count. now: monotonic seconds."""
        self._fill(now)
        if self._tokens < units:
            return False
        self._tokens -= units
        return True

    def _fill(self, now: float) -> None:
        if self._at is not None:
            self._tokens = min(self._burst, self._tokens + max(0.0, now - self._at) * self._per_s)
        self._at = now
