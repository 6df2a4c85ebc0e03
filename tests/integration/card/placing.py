"""Calls that a test asks a card to place."""

import itertools
from typing import Protocol

from gateway.core.ids import LegId
from gateway.wire import card as wire
from tests.integration.card.core import StandInCore

_numbers = itertools.count(1)


class Callee(Protocol):
    """Whoever is called."""

    @property
    def uri(self) -> str:
        """Where."""


def order(callee: Callee, **more: object) -> wire.Dial:
    """A call to somebody."""
    number = next(_numbers)
    values: dict[str, object] = {
        "request": number,
        "sip_call_id": f"call-{number}-for-a-test",
        "target_uri": callee.uri,
        "from_uri": '"Ann" <sip:+49301@example.org>',
    }
    return wire.Dial(**{**values, **more})  # type: ignore[arg-type]


async def dial(core: StandInCore, callee: Callee, **more: object) -> LegId:
    """The leg of a call that was started; asks again while too many have begun at the card."""
    while True:
        message = order(callee, **more)
        core.send(message)
        started, failed = await _outcome(core, message.request)
        if started is not None:
            assert started.sip_call_id == message.sip_call_id
            return started.leg
        assert failed is not None
        assert (failed.status, failed.reason) == (503, "too many calls began within a second")


async def _outcome(core: StandInCore, request: int) -> tuple[wire.DialStarted | None, wire.DialFailed | None]:
    started: list[wire.DialStarted] = []
    failed: list[wire.DialFailed] = []

    def there() -> bool:
        started[:] = [m for m in core.of(wire.DialStarted) if m.request == request]
        failed[:] = [m for m in core.of(wire.DialFailed) if m.request == request]
        return bool(started or failed)

    await core.until(there)
    return next(iter(started), None), next(iter(failed), None)
