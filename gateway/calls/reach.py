"""Ringing people for a call: by phone over a trunk, or at their page in a browser."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from gateway.calls.dialling import DialFault, NotReachedError, RingAbout
from gateway.calls.party import Party
from gateway.calls.placed import dial_fault
from gateway.config.trunks import TrunkConfig
from gateway.core.targets import PersonTarget, SipTarget, TargetError, parse_target
from gateway.errors import LocalError, RemoteError
from gateway.legs.contract import Leg
from gateway.legs.dials import DialRequest
from gateway.legs.people.line import PersonLine
from gateway.legs.people.messages import TranscriptLine
from gateway.legs.people.people import People
from gateway.legs.people.ring import RingFailedError, RingFailure, RingInfo
from gateway.legs.trunks import dial_request, refer_uri
from gateway.wire import card as wire

Place = Callable[[DialRequest], Awaitable[Leg]]
"""Places a call; the leg exists and rings when it returns. Raises `RemoteError`."""

_LONGEST_RING_S: Final = 600.0
"""Whoever looks for people gives up sooner."""

_RING_FAULT: Final[dict[RingFailure, DialFault]] = {
    "not_signed_in": "unreachable",
    "away": "unreachable",
    "gone": "unreachable",
    "busy": "busy",
    "declined": "refused",
    "timeout": "no_answer",
    "cancelled": "no_answer",
}


class Reach:
    """Implements `gateway.calls.dialling.Dialler`."""

    def __init__(self, trunks: Mapping[str, TrunkConfig], people: People, place: Place) -> None:
        self._trunks = trunks
        self._people = people
        self._place = place

    async def reach(self, target: str, about: RingAbout, admit: Callable[[Leg], Party]) -> Party:
        """Ring a target until it answers. Raises `NotReachedError`."""
        try:
            parsed = parse_target(target)
            if isinstance(parsed, PersonTarget):
                return await self._at_page(parsed, about, admit)
            return await self._by_phone(parsed, about, admit)
        except TargetError as exc:
            raise NotReachedError("not_allowed", str(exc)) from exc

    def line_again(self, user: str, ring_id: str, leg: Leg) -> PersonLine | None:
        """The line of a person whom an earlier core had called; None if there is no such person."""
        return self._people.resume(user, ring_id, leg)

    def refer_uri(self, target: str) -> str:
        """For Refer-To. Raises `NotReachedError`."""
        try:
            parsed = parse_target(target)
            if isinstance(parsed, PersonTarget):
                raise NotReachedError("not_allowed", "a phone cannot be referred to a browser; use bridge")
            return refer_uri(self._trunks, parsed)
        except TargetError as exc:
            raise NotReachedError("not_allowed", str(exc)) from exc

    async def _at_page(self, target: PersonTarget, about: RingAbout, admit: Callable[[Leg], Party]) -> Party:
        info = RingInfo(
            from_party=about.from_number,
            to=about.to_number,
            agent=about.agent,
            transcript=tuple(TranscriptLine(role, text) for role, text in about.transcript),
            timeout_s=_LONGEST_RING_S,
        )
        try:
            ring = self._people.ring(target.user, info)
        except LocalError as exc:
            raise NotReachedError("unreachable", "the configuration has no such person") from exc
        try:
            leg = await ring.answered()
        except RingFailedError as exc:
            raise NotReachedError(_RING_FAULT[exc.reason], f"the person is {exc.reason}") from exc
        party = admit(leg)
        if ring.line is not None:
            party.talks_at(ring.line)
        leg.answer()
        return await _connected(party)

    async def _by_phone(self, target: SipTarget, about: RingAbout, admit: Callable[[Leg], Party]) -> Party:
        request = dial_request(self._trunks, target, caller=about.caller_id or about.from_number)
        try:
            leg = await self._place(request)
        except RemoteError as exc:
            raise NotReachedError("unreachable", str(exc)) from exc
        return await _connected(admit(leg))


async def _connected(party: Party) -> Party:
    """The party once it has answered; gives the leg up when nobody waits any more."""
    try:
        await asyncio.wait((party.answered, party.closed), return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        party.close("nobody waits for the answer")
        raise
    if party.answered.done() and not party.closed.done():
        return party
    closed: wire.LegClosed = party.closed.result()
    raise NotReachedError(dial_fault(closed.status), f"{closed.status} {closed.reason}")
