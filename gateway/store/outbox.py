"""Webhook messages that have not arrived yet, so that the next process goes on delivering them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select, tuple_

from gateway.store.database import Database
from gateway.store.tables import webhook_outbox

Key = tuple[str, str]
"""(receiver, message id)."""

_AT_ONCE = 400
"""Keys in one statement; SQLite takes a thousand values."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """One message for one receiver."""

    receiver: str
    """Names the receiver without its address, which may hold secrets."""
    message_id: str
    event: str
    created_at: datetime
    """Aware."""
    body: bytes
    """Personal data."""

    @property
    def key(self) -> Key:
        """Tells it from all others."""
        return self.receiver, self.message_id


class Outbox:
    """Messages in a database. Every method raises `StoreError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def change(self, added: Sequence[Waiting], removed: Collection[Key]) -> None:
        """Add and remove in one transaction. What is added must not be there yet."""
        table, keys = webhook_outbox, list(removed)
        rows = [
            {
                "receiver": each.receiver,
                "message_id": each.message_id,
                "event": each.event,
                "created_at": each.created_at,
                "body": each.body,
            }
            for each in added
        ]
        async with self._database.writing() as connection:
            for start in range(0, len(keys), _AT_ONCE):
                these = tuple_(table.c.receiver, table.c.message_id).in_(keys[start : start + _AT_ONCE])
                await connection.execute(delete(table).where(these))
            if rows:
                await connection.execute(insert(table), rows)

    async def waiting(self) -> list[Waiting]:
        """All of them, oldest first."""
        table = webhook_outbox
        query = select(table).order_by(table.c.created_at, table.c.message_id)
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
            return [
                Waiting(row.receiver, row.message_id, row.event, row.created_at, row.body) for row in rows
            ]
