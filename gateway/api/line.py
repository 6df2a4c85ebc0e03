"""`GET /v1/people/line`: the WebSocket that a person's page holds while it is open.

First the page says {"type": "sign_in", "token", "resume"?: RING_ID}, and is answered
{"type": "signed_in", "line_id", "user", "name"}; then both speak as `gateway.legs.people.messages` says.
A page that vanishes is noticed by the pongs it does not send; so that the page notices when we do, it is
told {"type": "alive"} when there has been nothing else to say for `HEARTBEAT_S`.

Closed with 4401 when the token is not or no longer good, 4408 when the page does not sign in or does not
keep up, 4429 for too many pages or messages, 1001 when the gateway stops.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from secrets import token_hex
from typing import Final, Literal

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web

from gateway.api.accounts import Accounts, PersonSession
from gateway.api.problems import ProblemError
from gateway.core.bucket import TokenBucket
from gateway.legs.people.line import Tab
from gateway.legs.people.messages import (
    MAX_REQUEST_BYTES,
    BadPageRequestError,
    Refused,
    ToPage,
    read_request,
    to_text,
)
from gateway.legs.people.people import People, TooManyTabsError
from gateway.observe.log import get_logger

HEARTBEAT_S: Final = 5.0
"""Between pings; a pong may take half of it, so that a page is missed after 7.5 s at the latest."""

_SIGN_IN_S: Final = 5.0
_CLOSE_S: Final = 1.0
"""How long a page may take to confirm that its connection is closed."""
_MAX_UNSIGNED: Final = 256
_OUTBOX: Final = 64
_PER_S: Final = 10.0
_BURST: Final = 30
_ALIVE: Final = '{"type":"alive"}'
_STOPS: Final = "the gateway stops"

log = get_logger()


class _SignIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    type: Literal["sign_in"]
    token: str
    resume: str = ""


class _SignedIn(msgspec.Struct, frozen=True, tag="signed_in", tag_field="type"):
    line_id: str
    user: str
    name: str


@dataclass(frozen=True, slots=True)
class _Close:
    """The last thing that is sent."""

    code: int
    reason: str


class _Line:
    """One connection of one page; `tell` never blocks."""

    def __init__(self, session: PersonSession) -> None:
        self.session = session
        self._outbox: asyncio.Queue[str | _Close] = asyncio.Queue(_OUTBOX)

    def tell(self, message: ToPage) -> None:
        """Send a message; a page that does not keep up loses its connection and comes back."""
        self.send(to_text(message))

    def send(self, text: str) -> None:
        """Send a text."""
        try:
            self._outbox.put_nowait(text)
        except asyncio.QueueFull:
            self.end(4408, "the page does not keep up")

    def end(self, code: int, reason: str) -> None:
        """Close the connection; what waits to be sent is dropped."""
        while not self._outbox.empty():
            self._outbox.get_nowait()
        self._outbox.put_nowait(_Close(code, reason))

    async def write(self, socket: web.WebSocketResponse) -> None:
        """Send until the end."""
        while True:
            try:
                async with asyncio.timeout(HEARTBEAT_S):
                    item = await self._outbox.get()
            except TimeoutError:
                item = _ALIVE
            if isinstance(item, _Close):
                await socket.close(code=item.code, message=item.reason.encode())
                return
            await socket.send_str(item)


async def _let_go(socket: web.WebSocketResponse) -> None:
    await socket.close(code=WSCloseCode.GOING_AWAY, message=_STOPS.encode())


class Lines:
    """All connections of pages."""

    def __init__(self, people: People, accounts: Accounts, clock: Callable[[], float]) -> None:
        self._people = people
        self._accounts = accounts
        self._clock = clock
        self._open: set[_Line] = set()
        self._unsigned: set[web.WebSocketResponse] = set()
        self._stopping = False

    def end(self, session: PersonSession) -> None:
        """A session is over: its pages go."""
        for line in self._open:
            if line.session is session:
                line.end(4401, "signed out")

    async def close(self) -> None:
        """Let all pages go; they come back to the next process."""
        for line in self._open:
            line.end(WSCloseCode.GOING_AWAY, _STOPS)
        self._stopping = True
        outcomes = await asyncio.gather(
            *(_let_go(socket) for socket in self._unsigned), return_exceptions=True
        )
        for error in outcomes:
            if isinstance(error, Exception):
                log.error("closing a page's connection failed", exc_info=error)

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """One connection from its beginning to its end."""
        if len(self._unsigned) >= _MAX_UNSIGNED:
            raise ProblemError(503, "too many pages are signing in", headers={"Retry-After": "2"})
        socket = web.WebSocketResponse(
            timeout=_CLOSE_S, heartbeat=HEARTBEAT_S, max_msg_size=MAX_REQUEST_BYTES, compress=False
        )
        await socket.prepare(request)
        if self._stopping:
            await _let_go(socket)
            return socket
        self._unsigned.add(socket)
        try:
            found = await self._signed_in(socket)
        finally:
            self._unsigned.discard(socket)
        if found is not None:
            session, resume = found
            await self._run(socket, _Line(session), resume)
        return socket

    async def _signed_in(self, socket: web.WebSocketResponse) -> tuple[PersonSession, str] | None:
        """Whose page it is; None if the connection was closed because nobody knows."""
        try:
            async with asyncio.timeout(_SIGN_IN_S):
                message = await socket.receive()
        except TimeoutError:
            await socket.close(code=4408, message=b"sign in first")
            return None
        if message.type is not WSMsgType.TEXT:
            await socket.close(code=4401, message=b"sign in first")
            return None
        try:
            wanted = msgspec.json.decode(message.data, type=_SignIn)
        # msgspec lets text that is not UTF-8 and too deep nesting through as they are.
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            await socket.close(code=4401, message=b"sign in first")
            return None
        session = self._accounts.session_of(wanted.token, self._clock())
        if session is None:
            await socket.close(code=4401, message=b"sign in again")
            return None
        return session, wanted.resume

    async def _run(self, socket: web.WebSocketResponse, line: _Line, resume: str) -> None:
        session = line.session
        tab = Tab(f"ln_{token_hex(8)}", session.user, line.tell)
        line.send(msgspec.json.encode(_SignedIn(tab.id, session.user, session.name)).decode())
        try:
            self._people.open(session.user, tab, resume)
        except TooManyTabsError as exc:
            await socket.close(code=4429, message=str(exc).encode())
            return
        self._open.add(line)
        writer = asyncio.create_task(line.write(socket), name=f"write {tab.id}")
        expiry = asyncio.get_running_loop().call_later(
            session.expires_s - self._clock(), line.end, 4401, "sign in again"
        )
        try:
            await self._read(socket, tab, line)
        finally:
            expiry.cancel()
            self._open.discard(line)
            self._people.close(tab)
            writer.cancel()
            (error,) = await asyncio.gather(writer, return_exceptions=True)
            if isinstance(error, Exception) and not isinstance(error, ConnectionError):
                log.error("writing to a page failed", exc_info=error)

    async def _read(self, socket: web.WebSocketResponse, tab: Tab, line: _Line) -> None:
        bucket = TokenBucket(per_s=_PER_S, burst=_BURST)
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                line.tell(Refused(message="expected text"))
                continue
            if not bucket.take(self._clock()):
                line.end(4429, "too many messages")
                continue
            try:
                self._people.handle(tab, read_request(message.data))
            except BadPageRequestError as exc:
                line.tell(Refused(message=str(exc)))
