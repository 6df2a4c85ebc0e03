"""Sign-ins of people, so that they outlive the process that people signed in at."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select

from gateway.store.database import Database
from gateway.store.tables import person_sessions


@dataclass(frozen=True, slots=True)
class SignIn:
    """One sign-in, without anything that would let somebody else use it."""

    digest: str
    """Of the token."""
    id: str
    user: str
    """Personal data."""
    proof: str
    """Of the password, under the token as the key: worth nothing to whoever does not have the token."""
    expires_at: datetime
    """Aware."""


class SignIns:
    """Sign-ins in a database. Every method raises `StoreError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, sign_in: SignIn, ended: Collection[str] = ()) -> None:
        """Somebody has signed in; `ended`: digests of the sign-ins that this one ends."""
        table = person_sessions
        row = {
            "digest": sign_in.digest,
            "id": sign_in.id,
            "user": sign_in.user,
            "proof": sign_in.proof,
            "expires_at": sign_in.expires_at,
        }
        async with self._database.writing() as connection:
            await connection.execute(delete(table).where(table.c.digest.in_(list(ended))))
            await connection.execute(insert(table).values(row))

    async def remove(self, digest: str) -> None:
        """Somebody has signed out."""
        async with self._database.writing() as connection:
            await connection.execute(delete(person_sessions).where(person_sessions.c.digest == digest))

    async def load(self, now: datetime) -> list[SignIn]:
        """Those that are in force, the first to expire first; all others are forgotten."""
        table = person_sessions
        async with self._database.writing() as connection:
            await connection.execute(delete(table).where(table.c.expires_at <= now))
            rows = (await connection.execute(select(table).order_by(table.c.expires_at))).all()
            return [SignIn(row.digest, row.id, row.user, row.proof, row.expires_at) for row in rows]
