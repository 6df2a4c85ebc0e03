"""Undelivered messages, on a real SQLite file."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.store.database import Database, StoreError
from gateway.store.outbox import Outbox, Waiting
from tests.unit.store.records import START

FIRST = Waiting("a" * 64, "evt_1", "call.ended", START, b'{"\xc3\xbc": 1}')


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls.db"


@pytest.fixture
async def outbox(path: Path) -> AsyncIterator[Outbox]:
    database = await Database.open(path)
    yield Outbox(database)
    await database.close()


async def test_what_waits_comes_back_oldest_first_after_the_process_has_ended(
    outbox: Outbox, path: Path
) -> None:
    later = replace(FIRST, message_id="evt_0", created_at=START + timedelta(seconds=1))
    elsewhere = replace(FIRST, receiver="b" * 64)
    await outbox.change([later, FIRST, elsewhere], [])
    again = await Database.open(path)
    assert set(await Outbox(again).waiting()) == {FIRST, elsewhere, later}
    assert (await Outbox(again).waiting())[-1] == later
    await again.close()


async def test_what_is_removed_is_gone_for_that_receiver_alone(outbox: Outbox) -> None:
    elsewhere = replace(FIRST, receiver="b" * 64)
    await outbox.change([FIRST, elsewhere], [])
    await outbox.change([replace(FIRST, message_id="evt_2")], [FIRST.key, ("c", "evt_9")])
    assert {each.key for each in await outbox.waiting()} == {elsewhere.key, ("a" * 64, "evt_2")}


async def test_a_thousand_are_written_and_removed_at_once(outbox: Outbox) -> None:
    many = [replace(FIRST, message_id=f"evt_{number}") for number in range(1100)]
    await outbox.change(many, [])
    await outbox.change([], [each.key for each in many[1:]])
    assert await outbox.waiting() == [many[0]]


async def test_a_change_is_made_whole_or_not_at_all(outbox: Outbox) -> None:
    await outbox.change([FIRST], [])
    with pytest.raises(StoreError):
        await outbox.change([FIRST], [("a" * 64, "evt_1x")])
    with pytest.raises(StoreError):
        await outbox.change([replace(FIRST, message_id="evt_2"), FIRST], [])
    assert await outbox.waiting() == [FIRST]
