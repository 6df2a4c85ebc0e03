"""Journals for tests, with a clock that only moves when told to."""

from datetime import UTC, datetime

from gateway.calls.journal import CallFacts, Journal
from gateway.core.ids import CallId, CardId


class Clock:
    """Monotonic seconds."""

    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


def journal(clock: Clock) -> Journal:
    """A call that begins now."""
    return Journal(
        CallFacts(
            id=CallId("call_1"),
            node="gw1",
            sip_call_id="a@b",
            from_number="100",
            to_number="200",
            peer="udp:192.0.2.1:5060",
            card=CardId(3),
            started_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            started_s=clock.now,
        ),
        clock,
    )
