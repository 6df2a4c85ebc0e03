"""Making and ending WebRTC calls, whichever way a client asks (OpenAI's or WHIP's)."""

import re
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from gateway.api.access import Access, Client
from gateway.api.problems import ProblemError
from gateway.api.wishes import BadWishError, Session, bound_target, check_offer, choose_target
from gateway.backends.contract import Instructions
from gateway.calls.call import Call
from gateway.calls.service import CallService
from gateway.core.ids import CallId
from gateway.core.termination import Reason
from gateway.legs.contract import Leg
from gateway.legs.offers import OfferFailedError, PeerOffer
from gateway.store.keys import ClientSecret, KeyStore

_CALL_ID: Final = re.compile(r"call_[0-9a-f]{20}")
_RETRY_AFTER: Final = {"Retry-After": "2"}

Offering = Callable[[PeerOffer], Awaitable[tuple[Leg, str]]]


@dataclass(frozen=True, slots=True)
class Placed:
    """A call that was made."""

    call_id: CallId
    sdp: str
    """The answer."""


class Signalling:
    """Offers in, calls out."""

    def __init__(
        self,
        service: CallService,
        offering: Offering | None,
        access: Access,
        keys: KeyStore,
        agents: Collection[str],
        not_accepting: Callable[[], str],
        clock: Callable[[], float],
    ) -> None:
        """`offering`: None when WebRTC is off. `not_accepting`: why no calls can come; empty if they can."""
        self._service = service
        self._offering = offering
        self._access = access
        self._keys = keys
        self._agents = agents
        self._not_accepting = not_accepting
        self.clock = clock
        """CLOCK_MONOTONIC seconds."""

    async def place(self, request: web.Request, sdp: str, session: Session) -> Placed:
        """Make a call of an offer. Raises `ProblemError`; a secret that made no call can be used again."""
        received_at_s = self.clock()
        self._check_open()
        client = await self._access.require_call(request)
        try:
            placed = await self._place(request, client, sdp, session, received_at_s)
        except BaseException:
            # Whatever kept the call from being made, a client that left (cancelled) included.
            if client.secret is not None:
                await self._keys.give_back(client.secret.id)
            raise
        try:
            if client.secret is not None:
                await self._keys.bind(client.secret.id, placed.call_id)
        except BaseException:
            self._end(placed.call_id)
            raise
        return placed

    def _end(self, call_id: CallId) -> None:
        """Nobody will hear of this call."""
        call = self._service.find(call_id)
        if call is not None:
            call.end(Reason.CALLER_HANGUP)

    def _check_open(self) -> None:
        self._require_webrtc()
        reason = self._not_accepting()
        if reason:
            raise ProblemError(503, f"no calls can come now: {reason}", headers=_RETRY_AFTER)

    def _require_webrtc(self) -> Offering:
        if self._offering is None:
            raise ProblemError(501, "WebRTC is off: the configuration has no section webrtc")
        return self._offering

    async def _place(
        self,
        request: web.Request,
        client: Client,
        sdp: str,
        session: Session,
        received_at_s: float,
    ) -> Placed:
        try:
            to = self.target(request, session, client.secret)
        except BadWishError as exc:
            raise ProblemError(exc.status, str(exc), param=exc.param) from exc
        leg, answer = await self.offer(request, sdp, to, client.identity, received_at_s)
        call = self._service.find_on(leg)
        if call is None:
            raise ProblemError(503, "the call ended before it began", headers=_RETRY_AFTER)
        instructions = session.instructions or (client.secret.instructions if client.secret else "")
        if instructions:
            call.bridge.agent.wish(Instructions(instructions))
        return Placed(call.id, answer)

    async def offer(
        self, request: web.Request, sdp: str, to: str, identity: str, received_at_s: float
    ) -> tuple[Leg, str]:
        """Give an offer to a card: the leg and the answer, whoever the leg now belongs to.

        Also while no new calls are taken, for this may be part of an old one. Raises `ProblemError`.
        """
        offering = self._require_webrtc()
        try:
            check_offer(sdp)
        except BadWishError as exc:
            raise ProblemError(exc.status, str(exc), param=exc.param) from exc
        peer = f"http:{request.remote or 'unknown'}"
        offer = PeerOffer(sdp=sdp, to=to, identity=identity, peer=peer, received_at_s=received_at_s)
        try:
            return await offering(offer)
        except OfferFailedError as exc:
            headers = _RETRY_AFTER if exc.retryable else None
            status = exc.status if 400 <= exc.status <= 599 else 502
            raise ProblemError(status, str(exc), headers=headers) from exc

    def target(self, request: web.Request, session: Session, secret: ClientSecret | None = None) -> str:
        """Whom the client gets. Raises `BadWishError`."""
        wanted = choose_target(request.query, session, self._agents)
        to = wanted.to if secret is None else bound_target(secret.target, wanted, self._agents)
        refusal = self._service.refusal(to)
        if refusal is not None:
            raise BadWishError(*refusal, "to")
        return to

    async def end(self, request: web.Request, reason: Reason) -> Call:
        """End the call that the address names. Raises `ProblemError`."""
        call_id = call_id_of(request)
        await self._access.require_end(request, call_id)
        call = self._service.find(call_id)
        if call is None:
            raise ProblemError(404, "there is no such call in progress")
        call.end(reason)
        return call


def call_id_of(request: web.Request) -> CallId:
    """The call that the address names. Raises `ProblemError` if it can be none."""
    text = request.match_info["call_id"]
    if _CALL_ID.fullmatch(text) is None:
        raise ProblemError(404, "there is no such call")
    return CallId(text)
