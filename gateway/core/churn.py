"""How fast calls may begin at a card. Pure, time injected.

A call opens two sockets. PJSIP's list of sockets has 64 places (`PJ_IOQUEUE_MAX_HANDLES`), a closed one
keeps its place for 500 ms, and a full list aborts the process. So the calls that begin within 700 ms,
together with the four that are there, must not fill it.
"""

from gateway.core.bucket import TokenBucket

BURST = 12
PER_S = 20.0
"""At most 26 calls begin within 700 ms, with four there already: 60 of the 64 sockets."""
REMEMBER_S = 32.0
"""Time in which an INVITE may be sent again (64 T1, RFC 3261 §17.1.1.2)."""


class Churn:
    """Admits INVITEs that begin a call; one that was admitted passes when it is sent again."""

    def __init__(self) -> None:
        self._bucket = TokenBucket(per_s=PER_S, burst=BURST)
        self._admitted: dict[bytes, float] = {}
        """When, by transaction; oldest first."""

    def admit(self, transaction: bytes, now: float) -> bool:
        """Whether it may begin. transaction: what tells an INVITE from others. now: monotonic seconds."""
        while self._admitted and now - next(iter(self._admitted.values())) > REMEMBER_S:
            del self._admitted[next(iter(self._admitted))]
        if transaction in self._admitted:
            return True
        if not self._bucket.take(now):
            return False
        self._admitted[transaction] = now
        return True
