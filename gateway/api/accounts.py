"""Who is signed in: passwords, the tokens given for them, and how often one may guess. Sans-IO.

Passwords are kept as HMAC-SHA-256 under a key of this process, never at rest, so that a slow hash
would protect nothing; guessing is limited by counting failures. Digests of one length are compared in
constant time, and an unknown name costs the same as a wrong password.

Sessions outlive the process (`restore`). What is at rest of one is the SHA-256 of its token (256 random
bits: nothing to guess), and an HMAC of the password with the token as its key, which the token's owner
has to bring before anybody could try passwords on it. A changed password ends the sessions made with it.
"""

import hashlib
import hmac
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from secrets import token_bytes, token_hex, token_urlsafe
from typing import Final

from gateway.config.users import UserConfig
from gateway.core.bucket import TokenBucket
from gateway.errors import RemoteError
from gateway.store.sign_ins import SignIn

TOKEN_PREFIX: Final = "ps_"
SESSION_S: Final = 12 * 3600
MAX_SESSIONS: Final = 16
"""Of one person; one more ends the oldest."""

_RETRY_S: Final = 30.0
_FAILURES: Final = 10
"""From one address at once, then one every `_RETRY_S`; twice that for one name from all addresses."""
_COUNTED: Final = 4096
_TRUSTED: Final = 16


class SignInError(RemoteError):
    """Wrong name or password."""


class TooManyFailuresError(RemoteError):
    """Guessing; `retry_after_s` later it may be tried again."""

    retry_after_s: Final = _RETRY_S


@dataclass(frozen=True, slots=True)
class PersonSession:
    """One sign-in."""

    id: str
    user: str
    name: str
    expires_s: float
    """Monotonic seconds."""
    digest: str = field(repr=False)
    """Of its token."""
    proof: str = field(repr=False)
    """That the password was the right one; see above."""


class _Failures:
    """How often each of many was wrong; who was not wrong for longest is forgotten."""

    def __init__(self, burst: int) -> None:
        self._burst = burst
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def count(self, key: str, now: float) -> bool:
        """Count one; False if there are too many already."""
        bucket = self._buckets.setdefault(key, TokenBucket(per_s=1 / _RETRY_S, burst=self._burst))
        self._buckets.move_to_end(key)
        if len(self._buckets) > _COUNTED:
            self._buckets.popitem(last=False)
        return bucket.take(now)

    def forgive(self, key: str) -> None:
        """It was right after all."""
        self._buckets.pop(key, None)


class Accounts:
    """All people of the configuration. Times are monotonic seconds."""

    def __init__(self, users: Mapping[str, UserConfig]) -> None:
        self._key = token_bytes(32)
        self._users = users
        self._names = {user: config.name or user for user, config in users.items()}
        self._passwords = {
            user: self._digest(config.password.get_secret_value()) for user, config in users.items()
        }
        self._nobody = token_bytes(32)
        self._sessions: OrderedDict[str, PersonSession] = OrderedDict()
        """By the digest of their token; the first to expire first."""
        self._unproved: set[str] = set()
        """Restored ones whose token nobody has shown since."""
        self._by_address = _Failures(_FAILURES)
        self._by_user = _Failures(2 * _FAILURES)
        self._trusted: dict[str, deque[str]] = {user: deque(maxlen=_TRUSTED) for user in users}
        """Addresses that people signed in from: strangers' failures don't lock them out there."""

    def sign_in(
        self, user: str, password: str, address: str, now: float
    ) -> tuple[PersonSession, str, list[PersonSession]]:
        """A new session, its token, and the sessions that it ended.

        Raises `SignInError`, `TooManyFailuresError`.
        """
        trusted = address in self._trusted.get(user, ())
        # Every attempt counts as a failure first, so that many at once are no way round the limit.
        allowed = self._by_address.count(address, now) and (trusted or self._by_user.count(user, now))
        if not allowed:
            raise TooManyFailuresError("too many failed attempts", retryable=True)
        right = hmac.compare_digest(self._passwords.get(user, self._nobody), self._digest(password))
        if not right:
            raise SignInError("wrong name or password")
        self._by_address.forgive(address)
        self._by_user.forgive(user)
        if not trusted:
            self._trusted[user].append(address)
        return self._begin(user, now)

    def _begin(self, user: str, now: float) -> tuple[PersonSession, str, list[PersonSession]]:
        self._forget_expired(now)
        mine = [digest for digest, session in self._sessions.items() if session.user == user]
        ended = [self._sessions.pop(digest) for digest in mine[: max(0, len(mine) + 1 - MAX_SESSIONS)]]
        token = TOKEN_PREFIX + token_urlsafe(32)
        session = PersonSession(
            f"pss_{token_hex(6)}",
            user,
            self._names[user],
            now + SESSION_S,
            token_digest(token),
            self._proof(user, token),
        )
        self._sessions[session.digest] = session
        return session, token, ended

    def restore(self, kept: Iterable[SignIn], now: float, wall: datetime) -> None:
        """Sign-ins of an earlier process, the first to expire first; to be called before anything else.

        `wall`: the time of day at `now`.
        """
        for each in kept:
            if each.user in self._names:
                expires_s = now + (each.expires_at - wall).total_seconds()
                self._sessions[each.digest] = PersonSession(
                    each.id, each.user, self._names[each.user], expires_s, each.digest, each.proof
                )
                self._unproved.add(each.digest)

    def _forget_expired(self, now: float) -> None:
        # They all last equally long, so the oldest are in front.
        while self._sessions and next(iter(self._sessions.values())).expires_s <= now:
            self._sessions.popitem(last=False)

    def session_of(self, token: str, now: float) -> PersonSession | None:
        """The session in force that this is the token of."""
        self._forget_expired(now)
        digest = token_digest(token)
        session = self._sessions.get(digest)
        if session is not None and digest in self._unproved:
            self._unproved.discard(digest)
            if not hmac.compare_digest(session.proof, self._proof(session.user, token)):
                del self._sessions[digest]
                return None
        return session

    def sign_out(self, token: str) -> PersonSession | None:
        """End a session; None if it was over."""
        return self._sessions.pop(token_digest(token), None)

    def _proof(self, user: str, token: str) -> str:
        password = self._users[user].password.get_secret_value()
        return hmac.new(token.encode(), password.encode(), hashlib.sha256).hexdigest()

    def _digest(self, text: str) -> bytes:
        return hmac.new(self._key, text.encode(errors="replace"), hashlib.sha256).digest()


def token_digest(token: str) -> str:
    """What is kept in the place of a token."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
