"""How much a peer may say over its data channel: a token bucket. Pure, time injected."""


class Limiter:
    """Allows `rate` units per second on average and `burst` at once."""

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate, self._burst = rate, burst
        self._tokens, self._at_s = burst, now

    def allow(self, units: float, now: float) -> bool:
        """Take `units` if there are as many; else take none."""
        self._tokens = min(self._burst, self._tokens + (now - self._at_s) * self._rate)
        self._at_s = now
        if units > self._tokens:
            return False
        self._tokens -= units
        return True
