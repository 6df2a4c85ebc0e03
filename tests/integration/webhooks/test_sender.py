"""Webhooks to a real receiver over HTTP."""

import asyncio

from gateway.core.record import TimelineEvent, TimelineKind
from gateway.webhooks.delivery import MAX_ATTEMPTS
from gateway.webhooks.sender import MAX_WAITING
from tests.integration.webhooks.receivers import CALL, OFFERED, Bench, Receiver, sending
from tests.unit.store.records import record


async def test_a_call_from_beginning_to_end(receiver: Receiver) -> None:
    bench = Bench(receiver)
    async with sending(bench) as sender:
        sender.on_incoming(CALL, "sip", OFFERED)
        await receiver.until(1)
        sender.on_event(CALL, TimelineEvent(5.0, TimelineKind.RINGING))
        sender.on_event(CALL, TimelineEvent(9.0, TimelineKind.ANSWERED, {"setup_ms": 9.0}))
        await receiver.until(2)
        sender.on_ended(record())
    told = [event["type"] for event in receiver.heard]
    assert told == ["realtime.call.incoming", "call.answered", "call.ended"]
    assert bench.counts == {(event, "delivered"): 1 for event in told}
    assert bench.slept_s == []


async def test_only_what_was_asked_for(receiver: Receiver) -> None:
    bench = Bench(receiver, ["call.ended"])
    async with sending(bench) as sender:
        sender.on_incoming(CALL, "sip", OFFERED)
        sender.on_event(CALL, TimelineEvent(9.0, TimelineKind.ANSWERED))
        sender.on_ended(record())
    assert [event["type"] for event in receiver.heard] == ["call.ended"]


async def test_tried_again_with_the_same_id_until_it_arrives(receiver: Receiver) -> None:
    receiver.answers = [(500, {}), (429, {"Retry-After": "7"}), (302, {"Location": "/elsewhere"})]
    bench = Bench(receiver)
    async with sending(bench) as sender:
        sender.on_ended(record())
    assert len(receiver.heard) == 4
    assert len({event["id"] for event in receiver.heard}) == 1
    assert set(receiver.paths) == {"/calls"}
    assert bench.counts == {("call.ended", "delivered"): 1}
    assert 0.5 <= bench.slept_s[0] <= 1.5
    assert bench.slept_s[1] == 7.0
    assert bench.slept_s[2] >= 2.0


async def test_given_up_after_a_while(receiver: Receiver) -> None:
    receiver.answers = [(500, {})] * 50
    bench = Bench(receiver)
    async with sending(bench) as sender:
        sender.on_ended(record())
    assert len(receiver.heard) == MAX_ATTEMPTS
    assert bench.counts == {("call.ended", "failed"): 1}


async def test_a_caller_does_not_wait_for_long_backoffs(receiver: Receiver) -> None:
    receiver.answers = [(503, {"Retry-After": "60"})] * 50
    bench = Bench(receiver)
    async with sending(bench) as sender:
        sender.on_incoming(CALL, "sip", OFFERED)
    assert len(receiver.heard) == 1
    assert bench.counts == {("realtime.call.incoming", "failed"): 1}


async def test_nobody_listens(receiver: Receiver) -> None:
    async with asyncio.timeout(20):
        bench = Bench(receiver, port=1)
        async with sending(bench) as sender:
            sender.on_ended(record())
    assert bench.counts == {("call.ended", "failed"): 1}
    assert len(bench.slept_s) == MAX_ATTEMPTS - 1


async def test_a_receiver_that_is_gone_is_left_alone(receiver: Receiver) -> None:
    receiver.answers = [(410, {})]
    bench = Bench(receiver)
    async with sending(bench) as sender:
        sender.on_ended(record())
        await receiver.until(1)
    async with sending(bench) as sender:
        sender.on_ended(record(2))
    assert len(receiver.heard) == 1
    assert bench.counts == {("call.ended", "failed"): 1, ("call.ended", "dropped"): 1}


async def test_the_queue_is_bounded_and_urgent_messages_overtake(receiver: Receiver) -> None:
    receiver.open.clear()
    bench = Bench(receiver)
    async with sending(bench) as sender:
        for number in range(MAX_WAITING + 5):
            sender.on_ended(record(number))
        assert bench.counts == {("call.ended", "dropped"): 5}
        sender.on_incoming(CALL, "sip", OFFERED)
        await receiver.until(9)
        assert "realtime.call.incoming" in {event["type"] for event in receiver.heard}
        receiver.open.set()
    assert bench.counts["call.ended", "delivered"] == MAX_WAITING
    assert bench.counts["realtime.call.incoming", "delivered"] == 1


async def test_what_comes_too_late_for_a_caller_is_not_sent(receiver: Receiver) -> None:
    bench = Bench(receiver)
    bench.sender.on_incoming(CALL, "sip", OFFERED)
    bench.offset_s = 60.0
    async with sending(bench):
        pass
    assert receiver.heard == []
    assert bench.counts == {("realtime.call.incoming", "dropped"): 1}


async def test_closing_waits_so_long_and_no_longer(receiver: Receiver) -> None:
    receiver.open.clear()
    bench = Bench(receiver)
    await bench.sender.start()
    for number in range(20):
        bench.sender.on_ended(record(number))
    await receiver.until(8)
    async with asyncio.timeout(5):
        await bench.sender.close(0.05)
    assert bench.counts == {("call.ended", "dropped"): 20}
