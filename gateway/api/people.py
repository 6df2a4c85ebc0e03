"""People at the page `/phone`: signing in, and answering the calls that ring there.

POST   /v1/people/sign-in          {"user", "password"} → {"token", "user", "name", "expires_in"}
POST   /v1/people/sign-out         with the token
GET    /v1/people/line             WebSocket; see `gateway.api.line`
POST   /v1/realtime/calls?answer=RING_ID&line=LINE_ID    the page's offer → 201, answer
DELETE /v1/people/rings/{ring_id}  the person hangs up

The token goes into the Authorization header, never into a cookie or an address, so that no other
page can use it.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import msgspec
from aiohttp import web
from msgspec import Meta

from gateway.api.access import Access, bearer
from gateway.api.accounts import (
    SESSION_S,
    Accounts,
    PersonSession,
    SignInError,
    TooManyFailuresError,
    token_digest,
)
from gateway.api.bodies import read_text
from gateway.api.handlings import Handlings
from gateway.api.line import Lines
from gateway.api.problems import ProblemError
from gateway.api.signalling import Signalling
from gateway.config.users import MAX_PASSWORD_CHARS
from gateway.legs.people.people import CannotAnswerError, People
from gateway.observe.log import get_logger
from gateway.store.database import StoreError
from gateway.store.sign_ins import SignIn, SignIns

_MAX_SIGN_IN_BYTES: Final = 4096

log = get_logger()


class _SignIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    user: Annotated[str, Meta(max_length=64)]
    password: Annotated[str, Meta(max_length=MAX_PASSWORD_CHARS)]


class PeopleResource:
    """The resource."""

    def __init__(
        self,
        people: People,
        accounts: Accounts,
        sign_ins: SignIns,
        access: Access,
        signalling: Signalling,
        lines: Lines,
        handlings: Handlings,
    ) -> None:
        """`sign_ins`: where the next process finds those of `accounts`."""
        self._people = people
        self._accounts = accounts
        self._sign_ins = sign_ins
        self._access = access
        self._signalling = signalling
        self._lines = lines
        self._handlings = handlings

    def routes(self) -> list[web.RouteDef]:
        """Its addresses."""
        whole = self._handlings.to_the_end
        return [
            web.post("/v1/people/sign-in", whole(self._sign_in)),
            web.post("/v1/people/sign-out", whole(self._sign_out)),
            web.get("/v1/people/line", self._lines.serve),
            web.delete("/v1/people/rings/{ring_id}", self._hang_up),
        ]

    async def _sign_in(self, request: web.Request) -> web.Response:
        if request.content_type != "application/json":
            raise ProblemError(415, "expected application/json")
        try:
            wanted = msgspec.json.decode(await read_text(request, _MAX_SIGN_IN_BYTES), type=_SignIn)
        # msgspec lets text that is not UTF-8 and too deep nesting through as they are.
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as exc:
            raise ProblemError(400, "expected a JSON object with user and password") from exc
        address = request.remote or "unknown"
        personal = {"user": wanted.user, "address": address}
        now = self._signalling.clock()
        try:
            session, token, ended = self._accounts.sign_in(wanted.user, wanted.password, address, now)
        except TooManyFailuresError as exc:
            log.warning("too many failed sign-ins", personal=personal)
            retry = {"Retry-After": f"{exc.retry_after_s:.0f}"}
            raise ProblemError(429, "too many failed attempts; wait a while", headers=retry) from exc
        except SignInError as exc:
            log.warning("a sign-in failed", personal=personal)
            raise ProblemError(401, "the name or the password is wrong") from exc
        log.info("a person signed in", session=session.id, personal=personal)
        for old in ended:
            self._lines.end(old)
        await self._keep(session, ended)
        body = {"token": token, "user": session.user, "name": session.name, "expires_in": SESSION_S}
        return web.json_response(body, headers={"Cache-Control": "no-store"})

    async def _keep(self, session: PersonSession, ended: Sequence[PersonSession]) -> None:
        expires_at = datetime.now(UTC) + timedelta(seconds=SESSION_S)
        kept = SignIn(session.digest, session.id, session.user, session.proof, expires_at)
        try:
            await self._sign_ins.add(kept, [old.digest for old in ended])
        except StoreError as exc:
            log.error("a sign-in will end with this process", session=session.id, error=str(exc))

    async def _sign_out(self, request: web.Request) -> web.Response:
        token = bearer(request)
        # First here, where it always works, then for the next process.
        session = self._accounts.sign_out(token)
        if session is not None:
            log.info("a person signed out", session=session.id)
            self._lines.end(session)
        await self._sign_ins.remove(token_digest(token))
        return web.Response(status=204)

    async def _hang_up(self, request: web.Request) -> web.Response:
        session = self._access.require_person(request)
        line = self._people.line(session.user, request.match_info["ring_id"])
        if line is None:
            raise ProblemError(404, "you are not in this call")
        line.ask("hang_up")
        return web.Response(status=204)

    async def answer(self, request: web.Request, sdp: str) -> tuple[str, str]:
        """Answer a ring with an offer: SDP answer, and the address that hangs up. Raises `ProblemError`."""
        received_at_s = self._signalling.clock()
        session = self._access.require_person(request)
        ring_id, tab_id = request.query.get("answer", ""), request.query.get("line", "")
        try:
            with self._people.answering(session.user, ring_id, tab_id) as address:
                _, answer = await self._signalling.offer(
                    request, sdp, address, f"person {session.user}", received_at_s
                )
                if self._people.line(session.user, ring_id) is None:
                    raise CannotAnswerError("this call does not ring any more")
        except CannotAnswerError as exc:
            raise ProblemError(409, str(exc)) from exc
        return answer, f"/v1/people/rings/{ring_id}"
