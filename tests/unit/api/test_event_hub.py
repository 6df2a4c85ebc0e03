"""Who gets which events, and what becomes of those who don't fetch them."""

from gateway.api.event_hub import MAX_REMEMBERED, MAX_WAITING, EventHub, Subscription
from gateway.core.ids import CallId
from gateway.core.record import TimelineEvent, TimelineKind

ONE, TWO = CallId("call_1"), CallId("call_2")


def event(at_ms: float) -> TimelineEvent:
    return TimelineEvent(at_ms, TimelineKind.NOTE)


def state(subscription: Subscription) -> tuple[bool, bool]:
    """Whether it overflowed, and whether nothing more will come."""
    return subscription.overflowed, subscription.exhausted


async def test_each_gets_what_it_listens_to() -> None:
    hub = EventHub()
    one, everything = hub.subscribe_call(ONE, 4), hub.subscribe_all()
    assert hub.clients == 2
    for at_ms, call_id in enumerate((ONE, TWO, ONE)):
        hub.publish(call_id, event(at_ms))
    assert [(told.number, told.event.at_ms) for told in await one.take(1)] == [(4, 0), (5, 2)]
    assert [(told.number, told.call_id) for told in await everything.take(1)] == [
        (0, ONE),
        (1, TWO),
        (2, ONE),
    ]
    assert await one.take(0) == []
    hub.leave(one)
    hub.publish(ONE, event(9))
    assert await one.take(0) == []
    assert hub.clients == 1


async def test_a_queue_is_bounded_and_says_so_once() -> None:
    hub = EventHub()
    slow = hub.subscribe_all()
    overflows: list[bool] = []
    slow.on_overflow = lambda: overflows.append(True)
    for at_ms in range(MAX_WAITING):
        hub.publish(ONE, event(at_ms))
    assert state(slow) == (False, False)
    for at_ms in range(3):
        hub.publish(ONE, event(at_ms))
    assert state(slow) == (True, False)
    assert overflows == [True]
    assert [told.number for told in await slow.take(1)] == list(range(MAX_WAITING))
    assert state(slow) == (True, True)
    assert await slow.take(1) == []


async def test_all_calls_are_remembered_for_a_while() -> None:
    hub = EventHub()
    assert hub.since(0) is None
    for at_ms in range(10):
        hub.publish(ONE, event(at_ms))
    missed = hub.since(6)
    assert missed is not None
    assert [told.number for told in missed] == [7, 8, 9]
    assert hub.since(9) == []
    assert hub.since(10) is None
    for at_ms in range(MAX_REMEMBERED):
        hub.publish(ONE, event(at_ms))
    assert hub.since(8) is None
    assert len(hub.since(9) or []) == MAX_REMEMBERED


async def test_closing_ends_every_stream_also_later_ones() -> None:
    hub = EventHub()
    before = hub.subscribe_all()
    hub.publish(ONE, event(1))
    hub.close()
    assert state(before) == (False, False)
    assert len(await before.take(1)) == 1
    assert state(before) == (False, True)
    assert hub.subscribe_all().exhausted
