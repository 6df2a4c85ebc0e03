"""Who may do what over HTTP: keys with roles, client secrets, people, and programs on this machine.

As long as no key is in force, programs on this machine may do everything and all others nothing.
"On this machine" means a loopback connection that no proxy passed on, for a host that is an address
or `localhost`: a page in a browser here cannot pose as one by a name that leads to 127.0.0.1.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Final

from aiohttp import web

from gateway.api.accounts import TOKEN_PREFIX, Accounts, PersonSession
from gateway.api.problems import ProblemError
from gateway.core.ids import CallId
from gateway.store.keys import SECRET_PREFIX, ClientSecret, KeyStore, Role

_PROXIED: Final = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")
_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="gateway"'}


@dataclass(frozen=True, slots=True)
class Client:
    """Who sends a request."""

    identity: str
    """For the call's record: a key's name, a secret's id, or `local`."""
    key_id: str = ""
    secret: ClientSecret | None = None
    """The secret that this request used up."""
    session: PersonSession | None = None
    """The person's sign-in."""


class Access:
    """Decides by the database, on every request, so that a revoked key is of no use at once."""

    def __init__(
        self,
        keys: KeyStore,
        accounts: Accounts,
        clock: Callable[[], float],
        maker_of: Callable[[CallId], str | None] = lambda _call_id: None,
    ) -> None:
        """`maker_of`: identity of the client that made a call in progress; None if there is no such call."""
        self._maker_of = maker_of
        self._keys = keys
        self._accounts = accounts
        self._clock = clock

    async def require(self, request: web.Request, role: Role) -> Client:
        """A client with at least this role. Raises `ProblemError` 401 or 403."""
        token = bearer(request)
        if token.startswith(SECRET_PREFIX):
            raise ProblemError(403, "a client secret can make one call and end it, nothing else")
        if token.startswith(TOKEN_PREFIX):
            raise ProblemError(403, "people can make and take calls on the phone page, nothing else")
        key = await self._keys.key_of(token) if token else None
        if key is None:
            return await self._without_key(request, presented=bool(token))
        if not key.may(role):
            raise ProblemError(403, f"this key may {key.role}; this request needs {role}")
        return Client(f"key {key.name}", key.id)

    async def require_call(self, request: web.Request) -> Client:
        """A client that may make a call; its secret, if it comes with one, is used up."""
        token = bearer(request)
        if token.startswith(TOKEN_PREFIX):
            session = self.require_person(request)
            return Client(f"person {session.user}", session=session)
        if not token.startswith(SECRET_PREFIX):
            return await self.require(request, "operate")
        secret = await self._keys.redeem(token, datetime.now(UTC))
        if secret is None:
            raise ProblemError(
                401, "this client secret is unknown, used, expired or revoked", headers=_CHALLENGE
            )
        return Client(f"secret {secret.id}", secret=secret)

    async def require_end(self, request: web.Request, call_id: CallId) -> Client:
        """A client that may end this call: an operator, or the secret or the person that made it."""
        token = bearer(request)
        if token.startswith(TOKEN_PREFIX):
            session = self.require_person(request)
            person = f"person {session.user}"
            if self._maker_of(call_id) not in (person, None):
                raise ProblemError(403, "you did not make that call")
            return Client(person, session=session)
        if not token.startswith(SECRET_PREFIX):
            return await self.require(request, "operate")
        if not await self._keys.made(token, call_id):
            raise ProblemError(403, "this client secret did not make that call")
        return Client("the caller")

    def require_person(self, request: web.Request) -> PersonSession:
        """Somebody who has signed in. Raises `ProblemError` 401."""
        token = bearer(request)
        session = self._accounts.session_of(token, self._clock()) if token else None
        if session is None:
            raise ProblemError(401, "sign in first", headers=_CHALLENGE)
        return session

    async def require_phone(self, request: web.Request) -> Client:
        """Somebody who may use the phone page: a person, or a client that may read."""
        if bearer(request).startswith(TOKEN_PREFIX):
            session = self.require_person(request)
            return Client(f"person {session.user}", session=session)
        return await self.require(request, "read")

    async def _without_key(self, request: web.Request, *, presented: bool) -> Client:
        if await self._keys.any_key():
            why = "this key is unknown or revoked" if presented else "a key is needed"
            raise ProblemError(401, f"{why}: Authorization: Bearer …", headers=_CHALLENGE)
        if not is_local(request.remote, request.host, proxied=any(h in request.headers for h in _PROXIED)):
            raise ProblemError(
                403,
                "without a key in force only programs on the gateway's machine are served; "
                "make one: gateway keys create NAME",
            )
        return Client("local")


def bearer(request: web.Request) -> str:
    """The token of the Authorization header (RFC 6750 section 2.1); empty if there is none."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def is_local(remote: str | None, host: str, *, proxied: bool) -> bool:
    """Whether a request comes from a program on this machine. `host`: the request's Host header."""
    if proxied or remote is None or not _is_address(remote, loopback=True):
        return False
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    return name.lower() == "localhost" or _is_address(name.strip("[]"), loopback=False)


def _is_address(text: str, *, loopback: bool) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return not loopback or bool(mapped.is_loopback)
