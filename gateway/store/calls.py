"""The call database: CDRs and timelines. One process writes, any number may read meanwhile."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Self

from sqlalchemy import URL, Connection, delete, event, insert, inspect, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from gateway.core.ids import CallId
from gateway.core.record import CallRecord
from gateway.errors import LocalError
from gateway.store.rows import from_row, to_events, to_row
from gateway.store.tables import SCHEMA_VERSION, calls, metadata, schema, timelines

DATABASE_NAME: Final = "calls.db"
"""Name of the file in run_dir."""

_BUSY_TIMEOUT_MS: Final = 5000
"""How long a writer waits for another one."""


class StoreError(LocalError):
    """The database cannot be used; the message says which and why, in one line."""


class CallStore:
    """Finished calls. Use `open`, then `close`, or `async with await CallStore.open(...)`."""

    def __init__(self, engine: AsyncEngine, name: str) -> None:
        """For `open`, which also prepares the database. name: what messages call it."""
        self._engine = engine
        self._name = name
        self._writing = asyncio.Lock()

    @classmethod
    async def open(cls, path: Path, *, create: bool = True) -> Self:
        """Open the SQLite file, and make it when `create` is set. Raises `StoreError`."""
        _prepare_file(path, create=create)
        engine = create_async_engine(URL.create("sqlite+aiosqlite", database=str(path)))
        event.listen(engine.sync_engine, "connect", _set_up_connection)
        event.listen(engine.sync_engine, "begin", _begin)
        store = cls(engine, str(path))
        try:
            async with store._guarded(), engine.begin() as connection:
                await connection.run_sync(_create_tables if create else _check_tables, store._name)
        except BaseException:
            await engine.dispose()
            raise
        return store

    async def save(self, record: CallRecord) -> None:
        """Write a call; a call of the same id is replaced. Raises `StoreError`."""
        async with self._writing, self._guarded(), self._engine.begin() as connection:
            await _delete(connection, [record.id])
            await connection.execute(insert(calls).values(to_row(record)))
            await connection.execute(
                insert(timelines).values(call_id=record.id, events=to_events(record.timeline))
            )

    async def list_calls(self, *, limit: int = 20, since: datetime | None = None) -> Sequence[CallRecord]:
        """The latest calls, newest first, without their timelines.

        since: only calls that started then or later (an aware time). Raises `StoreError`.
        """
        query = select(calls).order_by(calls.c.started_at.desc(), calls.c.id).limit(limit)
        if since is not None:
            query = query.where(calls.c.started_at >= since)
        async with self._guarded(), self._engine.connect() as connection:
            rows = (await connection.execute(query)).mappings().all()
            return [from_row(dict(row)) for row in rows]

    async def get(self, call_id: CallId) -> CallRecord | None:
        """One call with its timeline; None if there is no such call. Raises `StoreError`."""
        query = (
            select(calls, timelines.c.events)
            .outerjoin(timelines, timelines.c.call_id == calls.c.id)
            .where(calls.c.id == call_id)
        )
        async with self._guarded(), self._engine.connect() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
            return None if row is None else from_row(dict(row), row["events"] or ())

    async def find_ids(self, prefix: str, *, limit: int = 5) -> Sequence[CallId]:
        """Ids that begin with `prefix`. Raises `StoreError`."""
        query = select(calls.c.id).where(calls.c.id.startswith(prefix, autoescape=True))
        async with self._guarded(), self._engine.connect() as connection:
            found = await connection.execute(query.order_by(calls.c.id).limit(limit))
            return [CallId(call_id) for call_id in found.scalars()]

    async def prune(self, older_than: datetime) -> int:
        """Delete the calls that started before `older_than`; returns how many. Raises `StoreError`."""
        old = select(calls.c.id).where(calls.c.started_at < older_than)
        async with self._writing, self._guarded(), self._engine.begin() as connection:
            await connection.execute(delete(timelines).where(timelines.c.call_id.in_(old)))
            result = await connection.execute(delete(calls).where(calls.c.started_at < older_than))
            return int(result.rowcount)

    async def close(self) -> None:
        """Close all connections; the store cannot be used afterwards."""
        await self._engine.dispose()

    async def __aenter__(self) -> Self:
        """The store itself."""
        return self

    async def __aexit__(self, *_exc: object) -> None:
        """Close."""
        await self.close()

    @asynccontextmanager
    async def _guarded(self) -> AsyncIterator[None]:
        """Turn what the database layers raise into `StoreError`."""
        try:
            yield
        except SQLAlchemyError as exc:
            cause = getattr(exc, "orig", None) or exc
            line = str(cause).splitlines()[0] if str(cause) else type(cause).__name__
            raise StoreError(f"call database {self._name}: {line}") from exc
        except (ValueError, TypeError, LookupError) as exc:
            raise StoreError(f"call database {self._name}: a row cannot be understood: {exc}") from exc


def _prepare_file(path: Path, *, create: bool) -> None:
    """The records hold personal data, so only the owner may read the file."""
    try:
        flags = os.O_RDWR | (os.O_CREAT if create else 0)
        os.close(os.open(path, flags, 0o600))
    except FileNotFoundError as exc:
        raise StoreError(f"call database {path} does not exist") from exc
    except OSError as exc:
        raise StoreError(f"call database {path}: {(exc.strerror or str(exc)).lower()}") from exc


def _set_up_connection(dbapi_connection: Any, _record: object) -> None:
    # Left to itself the driver opens no transaction before a CREATE TABLE; `_begin` always does.
    dbapi_connection.isolation_level = None
    cursor = dbapi_connection.cursor()
    # WAL lets readers go on while a call is written; with it NORMAL cannot corrupt the file.
    for pragma in (
        f"busy_timeout={_BUSY_TIMEOUT_MS}",
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "foreign_keys=ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


async def _delete(connection: AsyncConnection, ids: Sequence[CallId]) -> None:
    await connection.execute(delete(timelines).where(timelines.c.call_id.in_(ids)))
    await connection.execute(delete(calls).where(calls.c.id.in_(ids)))


def _create_tables(connection: Connection, name: str) -> None:
    if inspect(connection).get_table_names():
        _check_tables(connection, name)
        return
    metadata.create_all(connection)
    connection.execute(insert(schema).values(version=SCHEMA_VERSION))


def _check_tables(connection: Connection, name: str) -> None:
    tables = inspect(connection).get_table_names()
    if not tables:
        raise StoreError(f"call database {name} is empty")
    if schema.name not in tables:
        raise StoreError(f"{name} is a database, but none of this program")
    version = connection.execute(select(schema.c.version)).scalar()
    if version != SCHEMA_VERSION:
        raise StoreError(
            f"call database {name} has version {version}, this program reads version {SCHEMA_VERSION}; "
            "use the program's version that wrote it, or move the file away"
        )
