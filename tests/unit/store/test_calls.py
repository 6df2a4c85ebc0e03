"""The call database, on a real SQLite file."""

import asyncio
import sqlite3
import stat
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from gateway.core.ids import CallId
from gateway.core.termination import Reason, Result
from gateway.store.calls import CallStore, StoreError
from tests.unit.store.records import START, record


def _execute(path: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(statement).fetchall()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[CallStore]:
    async with await CallStore.open(path) as opened:
        yield opened


async def test_what_is_saved_comes_back(store: CallStore) -> None:
    one = record()
    await store.save(one)
    assert await store.get(one.id) == one


async def test_an_unknown_call_is_none(store: CallStore) -> None:
    assert await store.get(CallId("call_no")) is None


async def test_times_come_back_in_utc(store: CallStore) -> None:
    there = timezone(timedelta(hours=5, minutes=30))
    one = record(started_at=START.astimezone(there))
    await store.save(one)
    back = await store.get(one.id)
    assert back is not None
    assert back.started_at == START
    assert back.started_at.utcoffset() == timedelta(0)


async def test_a_naive_time_is_refused(store: CallStore) -> None:
    with pytest.raises(StoreError, match="without a time zone"):
        await store.save(record(ended_at=datetime(2026, 1, 1)))  # noqa: DTZ001
    assert await store.list_calls() == []


async def test_saving_twice_keeps_one_row_with_the_later_content(store: CallStore) -> None:
    await store.save(record())
    later = record(reason=Reason.BACKEND_LOST, result=Result.FAILED, recovered=1, timeline=())
    await store.save(later)
    assert [call.id for call in await store.list_calls()] == [later.id]
    assert await store.get(later.id) == later


async def test_the_list_is_newest_first_limited_and_without_timelines(store: CallStore) -> None:
    for number in (2, 1, 3):
        await store.save(record(number))
    found = await store.list_calls(limit=2)
    assert found == [replace(record(number), timeline=(), quality=()) for number in (3, 2)]


async def test_since_includes_its_own_moment(store: CallStore) -> None:
    for number in (1, 2, 3):
        await store.save(record(number))
    found = await store.list_calls(since=record(2).started_at)
    assert [call.id for call in found] == [record(3).id, record(2).id]


async def test_ids_are_found_by_their_beginning(store: CallStore) -> None:
    for number in (0x11, 0x12, 0x21):
        await store.save(record(number))
    assert await store.find_ids("call_0000000000000000001") == [record(0x11).id, record(0x12).id]
    assert await store.find_ids("call%") == []


async def test_prune_deletes_older_calls_with_their_timelines(store: CallStore, path: Path) -> None:
    for number in (1, 2, 3):
        await store.save(record(number))
    assert await store.prune(record(3).started_at) == 2
    assert [call.id for call in await store.list_calls()] == [record(3).id]
    assert _execute(path, "select count(*) from timelines") == [(1,)]


async def test_a_reader_sees_every_call_while_a_writer_writes(store: CallStore, path: Path) -> None:
    async with await CallStore.open(path, create=False) as reader:

        async def write() -> None:
            for number in range(40):
                await store.save(record(number))

        async def read() -> list[int]:
            return [len(await reader.list_calls(limit=100)) for _ in range(40)]

        async with asyncio.TaskGroup() as group:
            group.create_task(write())
            seen = group.create_task(read())
        assert seen.result() == sorted(seen.result())
        assert len(await reader.list_calls(limit=100)) == 40


async def test_parallel_saves_all_arrive(store: CallStore) -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(50):
            group.create_task(store.save(record(number)))
    assert len(await store.list_calls(limit=100)) == 50


async def test_calls_survive_closing(path: Path) -> None:
    async with await CallStore.open(path) as first:
        await first.save(record())
    async with await CallStore.open(path) as second:
        assert await second.get(record().id) == record()


async def test_only_the_owner_may_read_the_file(store: CallStore, path: Path) -> None:
    await store.save(record())
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0, file


async def test_a_missing_file_is_not_made_for_a_reader(path: Path) -> None:
    with pytest.raises(StoreError, match="does not exist"):
        await CallStore.open(path, create=False)
    assert not path.exists()


async def test_a_directory_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"calls\.db does not exist"):
        await CallStore.open(tmp_path / "no" / "calls.db")


async def test_another_schema_version_is_named(store: CallStore, path: Path) -> None:
    _execute(path, "update schema set version = 99")
    with pytest.raises(StoreError, match="version 99, this program reads version 6"):
        await CallStore.open(path)


async def test_a_database_without_the_quality_of_lines_gets_it(path: Path) -> None:
    async with await CallStore.open(path) as store:
        await store.save(record(1))
    for column in ("mos_min", "mos_mean", "tier_changes"):
        _execute(path, f"alter table calls drop column {column}")
    _execute(path, "alter table timelines drop column quality")
    _execute(path, "update schema set version = 2")
    async with await CallStore.open(path, create=False) as store:
        before = replace(record(1), mos_min=None, mos_mean=None, tier_changes=0, quality=())
        assert await store.get(record(1).id) == before
        await store.save(record(2))
        assert await store.get(record(2).id) == record(2)
    assert _execute(path, "select version from schema") == [(6,)]


async def test_a_database_without_the_figures_of_conversations_gets_them(path: Path) -> None:
    parts = [f"response_{part}_p50_ms" for part in ("detection", "backend", "gateway", "playout")]
    async with await CallStore.open(path) as store:
        await store.save(record(1))
    for column in (*parts, "false_interruptions", "agent_interruptions", "silences", "silence_ms"):
        _execute(path, f"alter table calls drop column {column}")
    _execute(path, "update schema set version = 3")
    async with await CallStore.open(path, create=False) as store:
        assert await store.get(record(1).id) == record(1)
        later = record(2, false_interruptions=2, silence_ms=2500.0, response_gateway_p50_ms=1.5)
        await store.save(later)
        assert await store.get(later.id) == later


async def test_a_database_without_trunks_and_headers_gets_them(path: Path) -> None:
    async with await CallStore.open(path) as store:
        await store.save(record(1))
    for column in ("trunk", "headers"):
        _execute(path, f"alter table calls drop column {column}")
    _execute(path, "update schema set version = 4")
    async with await CallStore.open(path, create=False) as store:
        assert await store.get(record(1).id) == record(1, trunk=None, headers=None)
        await store.save(record(2))
        assert await store.get(record(2).id) == record(2)
        await store.save(record(3, trunk=None, headers=None))
        assert await store.get(record(3).id) == record(3, trunk=None, headers=None)


async def test_a_database_without_the_tables_of_messages_and_sign_ins_gets_them(path: Path) -> None:
    async with await CallStore.open(path) as store:
        await store.save(record(1))
    for table in ("webhook_outbox", "person_sessions"):
        _execute(path, f"drop table {table}")
    _execute(path, "update schema set version = 5")
    async with await CallStore.open(path, create=False) as store:
        assert await store.get(record(1).id) == record(1)
    for table in ("webhook_outbox", "person_sessions"):
        assert _execute(path, f"select count(*) from {table}") == [(0,)]


async def test_a_foreign_database_is_left_alone(path: Path) -> None:
    _execute(path, "create table notes (id integer)")
    with pytest.raises(StoreError, match="none of this program"):
        await CallStore.open(path)


async def test_a_file_that_is_no_database(path: Path) -> None:
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreError, match="not a database") as caught:
        await CallStore.open(path)
    assert "\n" not in str(caught.value)


async def test_a_row_that_cannot_be_understood_names_the_database(store: CallStore, path: Path) -> None:
    await store.save(record())
    _execute(path, "update calls set result = 'exploded'")
    with pytest.raises(StoreError, match=r"calls\.db: a row cannot be understood: 'exploded'"):
        await store.list_calls()
