"""Who listens to what happens in calls: a bounded queue for each, and a memory to go on from."""

import asyncio
from collections import deque
from collections.abc import Callable
from secrets import token_hex
from typing import Final

from gateway.api.sse import Told
from gateway.core.ids import CallId
from gateway.core.record import TimelineEvent

MAX_WAITING: Final = 512
"""Events that wait for one client; a client that is further behind is dropped."""
MAX_REMEMBERED: Final = 2048
"""Latest events of all calls, for clients of all calls that come back."""
MAX_CLIENTS: Final = 100


class Subscription:
    """One client's queue."""

    def __init__(self, call_id: CallId | None, number: int) -> None:
        """`call_id`: None for all calls. `number`: of the first event to come."""
        self.call_id = call_id
        self.closed = False
        """The gateway stops."""
        self.overflowed = False
        """Events were lost: what still waits is the last."""
        self.on_overflow: Callable[[], None] | None = None
        self._number = number
        self._waiting: deque[Told] = deque()
        self._news = asyncio.Event()

    def put(self, call_id: CallId, event: TimelineEvent) -> None:
        """Something happened."""
        if self.overflowed or self.call_id not in (None, call_id):
            return
        if len(self._waiting) >= MAX_WAITING:
            self.overflowed = True
            if self.on_overflow is not None:
                self.on_overflow()
        else:
            self._waiting.append(Told(self._number, call_id, event))
            self._number += 1
        self._news.set()

    def close(self) -> None:
        """Nothing more will come."""
        self.closed = True
        self._news.set()

    @property
    def exhausted(self) -> bool:
        """Whether nothing waits and nothing more will come."""
        return (self.overflowed or self.closed) and not self._waiting

    async def take(self, timeout_s: float) -> list[Told]:
        """What has come since; waits for it, but returns empty-handed after `timeout_s` and at the end."""
        try:
            async with asyncio.timeout(max(0.0, timeout_s)):
                await self._news.wait()
        except TimeoutError:
            return []
        if not (self.overflowed or self.closed):
            self._news.clear()
        taken = list(self._waiting)
        self._waiting.clear()
        return taken


class EventHub:
    """Passes on what happens to whoever listens. All methods return at once."""

    def __init__(self) -> None:
        self.epoch = token_hex(4)
        """Names this run of the core in event ids."""
        self._number = 0
        self._remembered: deque[Told] = deque(maxlen=MAX_REMEMBERED)
        self._subscriptions: set[Subscription] = set()
        self._closed = False

    @property
    def clients(self) -> int:
        """How many listen."""
        return len(self._subscriptions)

    def publish(self, call_id: CallId, event: TimelineEvent) -> None:
        """An event was added to a call's timeline."""
        self._remembered.append(Told(self._number, call_id, event))
        self._number += 1
        for subscription in self._subscriptions:
            subscription.put(call_id, event)

    def subscribe_call(self, call_id: CallId, number: int) -> Subscription:
        """Listen to one call, whose next event has this number."""
        return self._add(Subscription(call_id, number))

    def subscribe_all(self) -> Subscription:
        """Listen to all calls."""
        return self._add(Subscription(None, self._number))

    def _add(self, subscription: Subscription) -> Subscription:
        if self._closed:
            subscription.close()
        self._subscriptions.add(subscription)
        return subscription

    def leave(self, subscription: Subscription) -> None:
        """Listen no more."""
        self._subscriptions.discard(subscription)

    def since(self, number: int) -> list[Told] | None:
        """Events of all calls after this one; None if not all of them are remembered."""
        first = self._remembered[0].number if self._remembered else self._number
        if not first - 1 <= number < self._number:
            return None
        return [told for told in self._remembered if told.number > number]

    def close(self) -> None:
        """End every stream."""
        self._closed = True
        for subscription in self._subscriptions:
            subscription.close()
