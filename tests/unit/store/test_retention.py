"""Old calls go at the start and day by day; the database is real, the days are not."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from gateway.store.calls import CallStore
from gateway.store.retention import EVERY_S, Retention
from tests.unit.store.records import START, record

KEEP = timedelta(days=90)


class Days:
    """A wall clock that goes on when somebody sleeps, and a test that says when that may be."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self._asleep: asyncio.Queue[asyncio.Event] = asyncio.Queue()

    def __call__(self) -> datetime:
        return self.now

    async def sleep(self, seconds: float) -> None:
        awake = asyncio.Event()
        self._asleep.put_nowait(awake)
        await awake.wait()
        self.now += timedelta(seconds=seconds)

    async def evening(self) -> asyncio.Event:
        """The work of the day has been done; to be set for the next one."""
        async with asyncio.timeout(10):
            return await self._asleep.get()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[CallStore]:
    async with await CallStore.open(path) as opened:
        yield opened


async def left(store: CallStore) -> int:
    return len(await store.list_calls(limit=1000))


async def test_calls_go_when_they_are_too_old(store: CallStore) -> None:
    for number, age_days in ((1, 91), (2, 90), (3, 88.5), (4, 0)):
        await store.save(record(number, started_at=START - timedelta(days=age_days)))
    days = Days(START)
    running = asyncio.create_task(Retention(store, KEEP, days, days.sleep).run())
    seen = []
    for _ in range(4):
        night = await days.evening()
        seen.append(await left(store))
        night.set()
    assert seen == [3, 2, 1, 1]
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert timedelta(days=1).total_seconds() == EVERY_S


async def test_many_are_deleted_in_parts_while_calls_are_saved(store: CallStore, path: Path) -> None:
    await store.save(record(1, started_at=START - timedelta(days=91)))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("create temp table one as select * from calls")
        for number in range(449):
            connection.execute("update one set id = ?", (f"call_{number}",))
            connection.execute("insert into calls select * from one")
    new = record(2, started_at=START)
    pruned, _ = await asyncio.gather(store.prune(START - KEEP), store.save(new))
    assert pruned == 450
    assert [call.id for call in await store.list_calls()] == [new.id]


async def test_a_database_that_fails_today_may_work_tomorrow(
    store: CallStore, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await store.save(record(1, started_at=START - timedelta(days=91)))
    days = Days(START)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("alter table calls rename to calls_away")
        running = asyncio.create_task(Retention(store, KEEP, days, days.sleep).run())
        night = await days.evening()
        connection.execute("alter table calls_away rename to calls")
    assert "could not be deleted" in "".join(capsys.readouterr())
    assert await left(store) == 1
    night.set()
    await days.evening()
    assert await left(store) == 0
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
