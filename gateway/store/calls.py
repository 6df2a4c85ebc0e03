"""CDRs and timelines in the database."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, Self

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.core.ids import CallId
from gateway.core.record import CallRecord
from gateway.store.database import DATABASE_NAME, Database, StoreError
from gateway.store.rows import from_row, to_events, to_points, to_row
from gateway.store.tables import calls, timelines

__all__ = ["DATABASE_NAME", "CallStore", "StoreError"]

_PRUNED_AT_ONCE: Final = 200


class CallStore:
    """Finished calls. On an open database, or `async with await CallStore.open(...)` for one of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    async def open(cls, path: Path, *, create: bool = True) -> Self:
        """Open the SQLite file, and make it when `create` is set. Raises `StoreError`."""
        return cls(await Database.open(path, create=create))

    async def save(self, record: CallRecord) -> None:
        """Write a call; a call of the same id is replaced. Raises `StoreError`."""
        async with self._database.writing() as connection:
            await _delete(connection, [record.id])
            await connection.execute(insert(calls).values(to_row(record)))
            await connection.execute(
                insert(timelines).values(
                    call_id=record.id, events=to_events(record.timeline), quality=to_points(record.quality)
                )
            )

    async def list_calls(self, *, limit: int = 20, since: datetime | None = None) -> Sequence[CallRecord]:
        """The latest calls, newest first, without their timelines and their lines' quality.

        since: only calls that started then or later (an aware time). Raises `StoreError`.
        """
        query = select(calls).order_by(calls.c.started_at.desc(), calls.c.id).limit(limit)
        if since is not None:
            query = query.where(calls.c.started_at >= since)
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).mappings().all()
            return [from_row(dict(row)) for row in rows]

    async def get(self, call_id: CallId) -> CallRecord | None:
        """One call with its timeline; None if there is no such call. Raises `StoreError`."""
        query = (
            select(calls, timelines.c.events, timelines.c.quality)
            .outerjoin(timelines, timelines.c.call_id == calls.c.id)
            .where(calls.c.id == call_id)
        )
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
            return None if row is None else from_row(dict(row), row["events"] or (), row["quality"] or ())

    async def find_ids(self, prefix: str, *, limit: int = 5) -> Sequence[CallId]:
        """Ids that begin with `prefix`. Raises `StoreError`."""
        query = select(calls.c.id).where(calls.c.id.startswith(prefix, autoescape=True))
        async with self._database.reading() as connection:
            found = await connection.execute(query.order_by(calls.c.id).limit(limit))
            return [CallId(call_id) for call_id in found.scalars()]

    async def prune(self, older_than: datetime) -> int:
        """Delete the calls that started before `older_than`; returns how many. Raises `StoreError`.

        A few at a time, so that no call waits long to be saved.
        """
        old = select(calls.c.id).where(calls.c.started_at < older_than).limit(_PRUNED_AT_ONCE)
        deleted = 0
        while True:
            async with self._database.writing() as connection:
                ids = [CallId(call_id) for call_id in (await connection.execute(old)).scalars()]
                await _delete(connection, ids)
            deleted += len(ids)
            if len(ids) < _PRUNED_AT_ONCE:
                return deleted

    async def close(self) -> None:
        """Close the database; the store cannot be used afterwards."""
        await self._database.close()

    async def __aenter__(self) -> Self:
        """The store itself."""
        return self

    async def __aexit__(self, *_exc: object) -> None:
        """Close."""
        await self.close()


async def _delete(connection: AsyncConnection, ids: Sequence[CallId]) -> None:
    await connection.execute(delete(timelines).where(timelines.c.call_id.in_(ids)))
    await connection.execute(delete(calls).where(calls.c.id.in_(ids)))
