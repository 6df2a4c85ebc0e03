"""Packets that wait."""

import asyncio

from gateway.impair.outbox import Outbox


async def test_packets_leave_in_the_order_of_their_times() -> None:
    sent: list[bytes] = []
    done = asyncio.Event()
    outbox, now = Outbox(), asyncio.get_running_loop().time()
    outbox.post(now + 0.003, sent.append, b"third")
    outbox.post(now + 0.001, sent.append, b"first")
    outbox.post(now + 0.001, sent.append, b"second")
    outbox.post(now + 0.004, lambda _packet: done.set(), b"")
    async with asyncio.timeout(10):
        await done.wait()
    assert sent == [b"first", b"second", b"third"]


async def test_too_many_waiting_packets_are_dropped_and_counted() -> None:
    sent: list[bytes] = []
    outbox, later = Outbox(most_waiting=2), asyncio.get_running_loop().time() + 3600
    for _ in range(5):
        outbox.post(later, sent.append, b"x")
    assert (outbox.overflowed, sent) == (3, [])
    outbox.close()


async def test_what_is_due_leaves_at_once() -> None:
    sent: list[bytes] = []
    Outbox().post(asyncio.get_running_loop().time(), sent.append, b"now")
    assert sent == [b"now"]
