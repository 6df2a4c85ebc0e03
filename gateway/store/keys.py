"""API keys and the short-lived client secrets made with them.

Both are random texts of 256 bits, and only their SHA-256 is kept. A slow hash (scrypt) protects
secrets that people choose and that can be guessed; 256 random bits cannot, and a slow hash would
only make every request slow. Looking the digest up tells nothing by its timing: nobody can choose
an input whose digest comes near to one that is stored.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from secrets import token_hex, token_urlsafe
from typing import Final, Literal, cast, get_args

from sqlalchemy import Row, delete, exists, insert, or_, select, update

from gateway.core.ids import CallId
from gateway.store.database import Database
from gateway.store.tables import api_keys, client_secrets

Role = Literal["read", "operate", "admin"]
"""read: see calls · operate: make and end them too · admin: everything. Each includes those before it."""

ROLES: Final[tuple[Role, ...]] = get_args(Role)

KEY_PREFIX: Final = "gw_"
SECRET_PREFIX: Final = "ek_"

_FORGET_AFTER: Final = timedelta(days=1)
"""How long an expired secret is kept, so that it can still end the call that was made with it."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key, without the key itself."""

    id: str
    name: str
    role: Role
    created_at: datetime
    revoked_at: datetime | None = None

    def may(self, role: Role) -> bool:
        """Whether the key's role includes `role`."""
        return ROLES.index(self.role) >= ROLES.index(role)


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """What a secret is good for: one call."""

    id: str
    target: str
    """The agent or number that it is bound to."""
    instructions: str
    """For the agent of the call; empty for the agent's own."""
    expires_at: datetime


class KeyStore:
    """Keys and secrets in a database. Every method raises `StoreError`; times are aware."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # ---- API keys ------------------------------------------------------------------------------

    async def create_key(self, name: str, role: Role, now: datetime) -> tuple[ApiKey, str]:
        """A new key, and its text, which nobody can find out later."""
        text = KEY_PREFIX + token_urlsafe(32)
        key = ApiKey(f"key_{token_hex(6)}", name, role, now)
        row = {"id": key.id, "name": name, "role": role, "digest": _digest(text), "created_at": now}
        async with self._database.writing() as connection:
            await connection.execute(insert(api_keys).values(row))
        return key, text

    async def list_keys(self) -> Sequence[ApiKey]:
        """All keys, oldest first, revoked ones included."""
        query = select(api_keys).order_by(api_keys.c.created_at, api_keys.c.id)
        async with self._database.reading() as connection:
            return [_key(row) for row in (await connection.execute(query)).all()]

    async def revoke_key(self, key_id: str, now: datetime) -> bool:
        """End a key, and with it every secret made with it; False if there is no such key in force."""
        where = (api_keys.c.id == key_id) & api_keys.c.revoked_at.is_(None)
        async with self._database.writing() as connection:
            done = await connection.execute(update(api_keys).where(where).values(revoked_at=now))
            return bool(done.rowcount)

    async def any_key(self) -> bool:
        """Whether any key is in force."""
        async with self._database.reading() as connection:
            query = select(exists().where(api_keys.c.revoked_at.is_(None)))
            return bool((await connection.execute(query)).scalar())

    async def key_of(self, text: str) -> ApiKey | None:
        """The key in force that this is the text of."""
        query = select(api_keys).where(api_keys.c.digest == _digest(text), api_keys.c.revoked_at.is_(None))
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).one_or_none()
            return None if row is None else _key(row)

    # ---- client secrets --------------------------------------------------------------------------

    async def create_secret(
        self, target: str, instructions: str, *, created_by: str, now: datetime, lives_s: int
    ) -> tuple[ClientSecret, str]:
        """A new secret and its text. `created_by`: id of a key; empty where no key is needed."""
        text = SECRET_PREFIX + token_urlsafe(32)
        expires_at = now + timedelta(seconds=lives_s)
        secret = ClientSecret(f"cs_{token_hex(6)}", target, instructions, expires_at)
        row = {
            "id": secret.id,
            "digest": _digest(text),
            "target": target,
            "instructions": instructions,
            "created_by": created_by,
            "created_at": now,
            "expires_at": expires_at,
            "call_id": "",
        }
        old = client_secrets.c.expires_at < now - _FORGET_AFTER
        async with self._database.writing() as connection:
            await connection.execute(delete(client_secrets).where(old))
            await connection.execute(insert(client_secrets).values(row))
        return secret, text

    async def redeem(self, text: str, now: datetime) -> ClientSecret | None:
        """Use a secret up; None if it is unknown, used, expired or revoked, or its key is."""
        table = client_secrets
        in_force = select(api_keys.c.id).where(api_keys.c.revoked_at.is_(None))
        usable = (
            (table.c.digest == _digest(text))
            & table.c.used_at.is_(None)
            & table.c.revoked_at.is_(None)
            & (table.c.expires_at > now)
            & or_(table.c.created_by == "", table.c.created_by.in_(in_force))
        )
        async with self._database.writing() as connection:
            # One statement decides, so that of two calls at once only one gets it.
            done = await connection.execute(update(table).where(usable).values(used_at=now))
            if not done.rowcount:
                return None
            query = select(table).where(table.c.digest == _digest(text))
            row = (await connection.execute(query)).one()
            return ClientSecret(row.id, row.target, row.instructions, row.expires_at)

    async def give_back(self, secret_id: str) -> None:
        """The call could not be made: the secret may be used again."""
        async with self._database.writing() as connection:
            mine = client_secrets.c.id == secret_id
            await connection.execute(update(client_secrets).where(mine).values(used_at=None))

    async def bind(self, secret_id: str, call_id: CallId) -> None:
        """Remember which call was made with a secret: it may also end that call."""
        async with self._database.writing() as connection:
            mine = client_secrets.c.id == secret_id
            await connection.execute(update(client_secrets).where(mine).values(call_id=call_id))

    async def made(self, text: str, call_id: CallId) -> bool:
        """Whether this secret made that call."""
        table = client_secrets
        query = select(exists().where(table.c.digest == _digest(text), table.c.call_id == call_id))
        async with self._database.reading() as connection:
            return bool((await connection.execute(query)).scalar())

    async def revoke_secret(self, secret_id: str, now: datetime) -> bool:
        """End a secret before its time; False if there is none that could still be used."""
        table = client_secrets
        where = (
            (table.c.id == secret_id)
            & table.c.used_at.is_(None)
            & table.c.revoked_at.is_(None)
            & (table.c.expires_at > now)
        )
        async with self._database.writing() as connection:
            done = await connection.execute(update(table).where(where).values(revoked_at=now))
            return bool(done.rowcount)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


def _key(row: Row[tuple[object, ...]]) -> ApiKey:
    if row.role not in ROLES:
        raise ValueError(f"a key has the unknown role {row.role!r}")
    return ApiKey(row.id, row.name, cast(Role, row.role), row.created_at, row.revoked_at)
