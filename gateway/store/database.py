"""The gateway's database: calls, timelines, API keys. One process writes calls, any number read meanwhile."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, Self

from sqlalchemy import URL, Connection, event, insert, inspect, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.schema import CreateColumn

from gateway.errors import LocalError
from gateway.store.tables import ADDED_COLUMNS, OLDEST_SCHEMA_VERSION, SCHEMA_VERSION, metadata, schema

DATABASE_NAME: Final = "calls.db"
"""Name of the file in run_dir."""

_BUSY_TIMEOUT_MS: Final = 5000
"""How long a writer waits for another one."""


class StoreError(LocalError):
    """The database cannot be used; the message says which and why, in one line."""


class Database:
    """An open database; the stores work on it."""

    def __init__(self, engine: AsyncEngine, name: str) -> None:
        """For `open`, which also prepares the database. name: what messages call it."""
        self._engine = engine
        self._name = name
        self._lock = asyncio.Lock()

    @classmethod
    async def open(cls, path: Path, *, create: bool = True) -> Self:
        """Open the SQLite file, and make it when `create` is set. Raises `StoreError`.

        A database of an earlier version gets the tables and columns that it lacks.
        """
        _prepare_file(path, create=create)
        engine = create_async_engine(URL.create("sqlite+aiosqlite", database=str(path)))
        event.listen(engine.sync_engine, "connect", _set_up_connection)
        event.listen(engine.sync_engine, "begin", _begin)
        database = cls(engine, str(path))
        try:
            async with database.writing() as connection:
                await connection.run_sync(_create_tables if create else _check_tables, database._name)
        except BaseException:
            await engine.dispose()
            raise
        return database

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection for queries. Raises `StoreError`."""
        async with self._guarded(), self._engine.connect() as connection:
            yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A transaction, one at a time. Raises `StoreError`."""
        async with self._lock, self._guarded(), self._engine.begin() as connection:
            yield connection

    async def close(self) -> None:
        """Close all connections; the database cannot be used afterwards."""
        await self._engine.dispose()

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


def _create_tables(connection: Connection, name: str) -> None:
    if inspect(connection).get_table_names():
        _check_tables(connection, name)
        return
    metadata.create_all(connection)
    connection.execute(insert(schema).values(version=SCHEMA_VERSION))


def _bring_up_to_date(connection: Connection, version: int) -> None:
    """So far versions only added tables and columns."""
    metadata.create_all(connection)
    for since, column in ADDED_COLUMNS:
        present = {found["name"] for found in inspect(connection).get_columns(column.table.name)}
        if since > version and column.name not in present:
            definition = CreateColumn(column).compile(dialect=connection.dialect)
            connection.exec_driver_sql(f"ALTER TABLE {column.table.name} ADD COLUMN {definition}")


def _check_tables(connection: Connection, name: str) -> None:
    tables = inspect(connection).get_table_names()
    if not tables:
        raise StoreError(f"call database {name} is empty")
    if schema.name not in tables:
        raise StoreError(f"{name} is a database, but none of this program")
    version = connection.execute(select(schema.c.version)).scalar()
    if version is not None and OLDEST_SCHEMA_VERSION <= version < SCHEMA_VERSION:
        _bring_up_to_date(connection, version)
        connection.execute(update(schema).values(version=SCHEMA_VERSION))
        return
    if version != SCHEMA_VERSION:
        raise StoreError(
            f"call database {name} has version {version}, this program reads version {SCHEMA_VERSION}; "
            "use the program's version that wrote it, or move the file away"
        )
