"""Calls that we place and serve by the plan's routes for outbound calls."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from secrets import token_hex

from gateway.calls.callbacks import Callback
from gateway.calls.conversation import Conversation
from gateway.calls.journal import CallFacts, Journal
from gateway.calls.service import CallService
from gateway.config.trunks import TrunkConfig
from gateway.core.ids import CallId
from gateway.core.targets import SipTarget, TargetError, parse_target
from gateway.core.variables import BUILT_IN
from gateway.dialplan.runtime import CallFactsView, StepFailedError
from gateway.errors import RemoteError
from gateway.legs.contract import Leg
from gateway.legs.dials import DialRequest
from gateway.legs.trunks import dial_request


class OutboundCalls:
    """Makes promised calls real."""

    def __init__(
        self,
        service: CallService,
        trunks: Mapping[str, TrunkConfig],
        place: Callable[[DialRequest], Awaitable[Leg]],
        node: str,
        clock: Callable[[], float],
    ) -> None:
        """`place`: the leg of a call that rings; raises `RemoteError`. `clock`: CLOCK_MONOTONIC seconds."""
        self._service = service
        self._trunks = trunks
        self._place = place
        self._node = node
        self._clock = clock

    def check(self, callback: Callback) -> None:
        """Raises `StepFailedError` when nobody may be called, or no route would serve them."""
        try:
            target = _phone(callback.request.target)
            dial_request(self._trunks, target)
        except TargetError as exc:
            raise StepFailedError("not_allowed", str(exc)) from exc
        if not self._service.decide(_view(CallId(""), target, callback)).taken:
            raise StepFailedError("not_possible", "no route of the plan takes this outbound call")

    async def place(self, callback: Callback) -> bool:
        """One try, with all that follows; whether somebody answered. Raises `RemoteError`."""
        request = callback.request
        target = _phone(request.target)
        caller = request.caller_id or callback.shown
        call_id = CallId("call_" + token_hex(10))
        view = _view(call_id, target, callback)
        decision = self._service.decide(view)
        if not decision.taken:
            # Plans and hours have changed since it was promised: nobody shall pick up for an apology.
            raise RemoteError("no route of the plan takes this outbound call now", retryable=True)
        leg = await self._place(dial_request(self._trunks, target, caller=caller))
        facts = CallFacts(
            id=call_id,
            kind=leg.kind,
            direction="outbound",
            node=self._node,
            sip_call_id="",
            from_number=caller,
            to_number=target.user,
            peer="",
            card=leg.address[0],
            started_at=datetime.now(UTC),
            started_s=self._clock(),
        )
        journal = Journal(facts, self._clock)
        journal.conversation = Conversation(callback.said)
        call = self._service.begin(leg, journal, view, decision, request.ring_s)
        # Whoever forgets the promise does not end the call.
        await asyncio.wait([call])
        return journal.figures.answered_s is not None


def _phone(target: str) -> SipTarget:
    parsed = parse_target(target)
    if not isinstance(parsed, SipTarget):
        raise TargetError("people at a browser are not called back")
    return parsed


def _view(call_id: CallId, target: SipTarget, callback: Callback) -> CallFactsView:
    own = {name: value for name, value in callback.variables.items() if name not in BUILT_IN}
    return CallFactsView("sip", "outbound", target.user, callback.shown, variables=own, call_id=call_id)
