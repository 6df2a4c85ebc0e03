"""Webhooks of a process that ends: what it could not deliver, the next one does."""

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Sequence
from pathlib import Path

import pytest

from gateway.store.database import DATABASE_NAME, Database, StoreError
from gateway.store.outbox import Key, Outbox, Waiting
from gateway.webhooks.ledger import Ledger
from gateway.webhooks.sender import MAX_WAITING, Webhooks
from tests.integration.webhooks.receivers import CALL, OFFERED, Bench, Receiver, sending
from tests.unit.store.records import START, record


class WatchedOutbox(Outbox):
    """Tells when something was written, and may be broken for a while."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.broken = False
        self.changes = 0
        self.open = asyncio.Event()
        """Nothing is written before it is set."""
        self.open.set()
        self.waits = asyncio.Event()
        self._changed = asyncio.Condition()

    async def change(self, added: Sequence[Waiting], removed: Collection[Key]) -> None:
        """As ever, unless broken."""
        try:
            self.waits.set()
            await self.open.wait()
            if self.broken:
                raise StoreError("the disk is full")
            await super().change(added, removed)
        finally:
            async with self._changed:
                self.changes += 1
                self._changed.notify_all()

    async def until(self, changes: int) -> None:
        """Wait for that many attempts to write."""
        async with asyncio.timeout(20), self._changed:
            await self._changed.wait_for(lambda: self.changes >= changes)


@pytest.fixture
async def outbox(tmp_path: Path) -> AsyncIterator[WatchedOutbox]:
    database = await Database.open(tmp_path / DATABASE_NAME)
    yield WatchedOutbox(database)
    await database.close()


async def killed(bench: Bench, outbox: WatchedOutbox) -> None:
    """The process ends, and from that moment on it writes nothing."""
    outbox.broken = True
    await bench.sender.close(0)
    outbox.broken = False


async def ids(outbox: Outbox) -> list[str]:
    return [each.message_id for each in await outbox.waiting()]


async def test_what_arrives_at_once_is_never_written_down(receiver: Receiver, outbox: WatchedOutbox) -> None:
    async with sending(Bench(receiver, ledger=Ledger(outbox))) as sender:
        sender.on_ended(record())
        await receiver.until(1)
    assert outbox.changes == 0


async def test_what_was_not_delivered_is_delivered_by_the_next_process_with_the_same_id(
    receiver: Receiver, outbox: WatchedOutbox
) -> None:
    receiver.open.clear()
    first = Bench(receiver, ledger=Ledger(outbox))
    await first.sender.start()
    for number in range(20):
        first.sender.on_ended(record(number))
    first.sender.on_incoming(CALL, "sip", OFFERED)
    await outbox.until(1)
    await receiver.until(9)
    await first.sender.close(0.05)
    assert first.counts == {("call.ended", "kept"): 20, ("realtime.call.incoming", "dropped"): 1}
    kept = await ids(outbox)
    assert len(kept) == 20
    receiver.open.set()
    before = len(receiver.heard)
    second = Bench(receiver, ledger=Ledger(outbox))
    async with sending(second):
        await receiver.until(before + 20)
    assert second.counts == {("call.ended", "delivered"): 20}
    assert sorted(event["id"] for event in receiver.heard[before:]) == sorted(kept)
    assert await ids(outbox) == []


async def test_what_a_killed_process_had_written_down_is_not_lost(
    receiver: Receiver, outbox: WatchedOutbox
) -> None:
    receiver.open.clear()
    first = Bench(receiver, ledger=Ledger(outbox))
    await first.sender.start()
    first.sender.on_ended(record())
    await receiver.until(1)
    await outbox.until(1)
    await killed(first, outbox)
    receiver.open.set()
    async with sending(Bench(receiver, ledger=Ledger(outbox))):
        await receiver.until(2)
    assert receiver.heard[0] == receiver.heard[1]
    assert await ids(outbox) == []


async def test_what_is_given_up_is_not_begun_again(receiver: Receiver, outbox: WatchedOutbox) -> None:
    receiver.answers = [(500, {})] * 50
    bench = Bench(receiver, ledger=Ledger(outbox))
    async with sending(bench) as sender:
        sender.on_ended(record())
    assert bench.counts == {("call.ended", "failed"): 1}
    assert await ids(outbox) == []


async def test_messages_for_receivers_that_are_gone_from_the_configuration_are_forgotten(
    receiver: Receiver, outbox: WatchedOutbox
) -> None:
    ledger = Ledger(outbox)
    receiver.open.clear()
    first = Bench(receiver, ledger=ledger)
    await first.sender.start()
    first.sender.on_ended(record())
    await receiver.until(1)
    await first.sender.close(0.01)
    assert len(await ids(outbox)) == 1
    receiver.open.set()
    async with sending(Bench(receiver, ["call.answered"], ledger=Ledger(outbox))):
        pass
    assert await ids(outbox) == []
    assert len(receiver.heard) == 1


async def test_without_any_receiver_all_messages_are_forgotten_at_the_start(outbox: WatchedOutbox) -> None:
    await outbox.change([Waiting("a" * 64, "evt_1", "call.ended", START, b"{}")], [])
    sender = Webhooks([], lambda _event, _outcome: None, time.time, ledger=Ledger(outbox))
    await sender.start()
    assert await ids(outbox) == []
    await sender.close(0)


async def test_a_database_that_fails_for_a_while_is_written_later(
    receiver: Receiver, outbox: WatchedOutbox
) -> None:
    receiver.open.clear()
    outbox.broken = True
    bench = Bench(receiver, ledger=Ledger(outbox))
    await bench.sender.start()
    bench.sender.on_ended(record())
    await outbox.until(1)
    outbox.broken = False
    await bench.sender.close(0.01)
    assert bench.counts == {("call.ended", "kept"): 1}
    assert len(await ids(outbox)) == 1


async def test_closing_in_the_middle_of_a_writing_loses_nothing(
    receiver: Receiver, outbox: WatchedOutbox
) -> None:
    receiver.open.clear()
    outbox.open.clear()
    bench = Bench(receiver, ledger=Ledger(outbox))
    await bench.sender.start()
    bench.sender.on_ended(record())
    async with asyncio.timeout(10):
        await outbox.waits.wait()
    bench.sender.on_ended(record(1))
    await receiver.until(2)
    closing = asyncio.create_task(bench.sender.close(0))
    async with asyncio.timeout(10):
        await bench.counted.wait()
    outbox.open.set()
    await closing
    assert bench.counts == {("call.ended", "kept"): 2}
    assert len(await ids(outbox)) == 2


async def test_what_comes_after_the_last_writing_is_not_counted_as_kept(
    receiver: Receiver, outbox: WatchedOutbox
) -> None:
    bench = Bench(receiver, ledger=Ledger(outbox))
    await bench.sender.start()
    await bench.sender.close(0)
    for number in range(MAX_WAITING + 1):
        bench.sender.on_ended(record(number))
    assert bench.counts == {("call.ended", "dropped"): MAX_WAITING + 1}
    assert await ids(outbox) == []


async def test_more_than_a_lane_holds_is_not_taken_up(receiver: Receiver, outbox: WatchedOutbox) -> None:
    receiver.open.clear()
    first = Bench(receiver, ledger=Ledger(outbox))
    await first.sender.start()
    for number in range(MAX_WAITING + 5):
        first.sender.on_ended(record(number))
    await first.sender.close(0.01)
    assert first.counts == {("call.ended", "kept"): MAX_WAITING, ("call.ended", "dropped"): 5}
    assert len(await ids(outbox)) == MAX_WAITING
