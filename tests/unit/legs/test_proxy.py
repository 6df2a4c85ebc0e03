"""The core's end of a card's leg: what it puts on the wire."""

import asyncio

import pytest

from gateway.core.ids import CallId, CardId, LegId, Mark
from gateway.errors import LocalError
from gateway.legs.contract import LegEvent
from gateway.legs.proxy import RemoteLeg
from gateway.wire import card as wire
from gateway.wire.frames import (
    MAX_PAYLOAD_BYTES,
    WIRE_VERSION,
    FrameDecoder,
    FrameKind,
    PlayFlag,
    unpack_play,
)

CLOSED = wire.LegClosed(LegId(5), 200, "", "far_end")


class Wire:
    """What was sent, decoded."""

    def __init__(self) -> None:
        self._decoder = FrameDecoder()
        self.sent: list[wire.ToCard | tuple[Mark, int, int]] = []

    def send(self, frame: bytes) -> None:
        for kind, payload in self._decoder.feed(frame):
            if kind == FrameKind.PLAY:
                _, mark, flags, pcm = unpack_play(payload)
                self.sent.append((mark, flags, len(pcm)))
            else:
                self.sent.append(wire.unpack_to_card(payload))


class Owner:
    def __init__(self) -> None:
        self.events: list[LegEvent] = []

    def on_audio(self, pcm: bytes, flags: int) -> None:
        raise AssertionError("no audio in these tests")

    def on_leg_event(self, event: LegEvent) -> None:
        self.events.append(event)


def leg_on(line: Wire, capabilities: wire.Capabilities | None = None) -> RemoteLeg:
    can = capabilities or wire.Capabilities(hold=True, dtmf=True)
    hello = wire.Hello(WIRE_VERSION, CardId(2), "sip", 1, 16000, can)
    return RemoteLeg(CardId(2), LegId(5), hello, line.send)


def test_it_is_what_the_card_said_it_is() -> None:
    leg = leg_on(Wire())
    assert leg.address == (2, 5)
    assert leg.pcm_format.sample_rate_hz == 16000
    assert leg.capabilities.hold


def test_commands_become_messages() -> None:
    line = Wire()
    leg = leg_on(line)
    leg.ring()
    leg.answer()
    leg.pause()
    leg.resume()
    leg.send_dtmf("12")
    leg.hold(True)
    leg.keep(b"x")
    leg.play(b"abcd", Mark(9), last=True)
    leg.play(b"ef", Mark(10), live=True)
    leg.play(b"", Mark(10), last=True, live=True)
    leg.close(480, "bye", drain=True)
    assert line.sent == [
        wire.Ring(LegId(5)),
        wire.Answer(LegId(5)),
        wire.Pause(LegId(5)),
        wire.Resume(LegId(5)),
        wire.SendDtmf(LegId(5), "12"),
        wire.Hold(LegId(5), True),
        wire.Keep(LegId(5), b"x"),
        (9, PlayFlag.LAST, 4),
        (10, PlayFlag.LIVE, 2),
        (10, PlayFlag.LIVE | PlayFlag.LAST, 0),
        wire.Hangup(LegId(5), 480, "bye", True),
    ]


def test_early_media_is_asked_of_cards_that_can() -> None:
    line = Wire()
    leg_on(line, wire.Capabilities(early_media=True)).ring(early_media=True)
    assert line.sent == [wire.Ring(LegId(5), early_media=True)]
    with pytest.raises(LocalError, match="before the answer"):
        leg_on(line).ring(early_media=True)


def test_a_refusal_carries_its_headers() -> None:
    line = Wire()
    leg_on(line).reject(503, "Busy", (("Retry-After", "5"),))
    assert line.sent == [wire.Reject(LegId(5), 503, "Busy", (("Retry-After", "5"),))]


def test_very_long_audio_goes_in_several_frames_and_ends_once() -> None:
    line = Wire()
    leg_on(line).play(bytes(2 * MAX_PAYLOAD_BYTES + 2), Mark(9), last=True)
    frames = [sent for sent in line.sent if isinstance(sent, tuple)]
    assert sum(size for _, _, size in frames) == 2 * MAX_PAYLOAD_BYTES + 2
    assert [flags for _, flags, _ in frames] == [PlayFlag.NONE] * (len(frames) - 1) + [PlayFlag.LAST]
    assert all(size % 2 == 0 for _, _, size in frames)


def test_what_it_cannot_do_it_refuses() -> None:
    leg = leg_on(Wire(), wire.Capabilities())
    with pytest.raises(LocalError, match="DTMF"):
        leg.send_dtmf("1")
    with pytest.raises(LocalError, match="hold"):
        leg.hold(True)


def test_nothing_is_sent_to_a_closed_leg() -> None:
    line = Wire()
    leg = leg_on(line)
    leg.deliver(CLOSED)
    leg.ring()
    leg.play(b"ab", Mark(1))
    leg.close(480, "")
    assert line.sent == []


def test_events_before_there_is_an_owner_are_dropped() -> None:
    leg, owner = leg_on(Wire()), Owner()
    leg.deliver_audio(bytes(320), 0)
    leg.deliver(wire.Answered(LegId(5), 1.0))
    leg.attach(CallId("c"), owner)
    leg.deliver(CLOSED)
    assert owner.events == [CLOSED]
    with pytest.raises(LocalError, match="owner already"):
        leg.attach(CallId("d"), owner)


async def test_each_flush_gets_its_own_answer() -> None:
    line = Wire()
    leg = leg_on(line)
    first, second = asyncio.ensure_future(leg.flush()), asyncio.ensure_future(leg.flush())
    requests = [sent.request for sent in line.sent if isinstance(sent, wire.Flush)]
    assert len(set(requests)) == 2
    answers = [wire.Flushed(LegId(5), r, Mark(r), r, 0, 1.0) for r in requests]
    for answer in reversed(answers):
        leg.deliver(answer)
    leg.deliver(wire.Flushed(LegId(5), 99, Mark(1), 1, 1, 1.0))
    assert [await first, await second] == answers


async def test_an_abandoned_flush_does_not_hurt() -> None:
    line = Wire()
    leg = leg_on(line)
    abandoned = asyncio.ensure_future(leg.flush())
    abandoned.cancel()
    (request,) = [sent.request for sent in line.sent if isinstance(sent, wire.Flush)]
    leg.deliver(wire.Flushed(LegId(5), request, Mark(1), 1, 1, 1.0))
    leg.deliver(CLOSED)
    assert abandoned.cancelled()


def test_the_farewell_is_repeated_on_a_new_connection() -> None:
    old, new = Wire(), Wire()
    leg = leg_on(old)
    leg.reconnect(new.send)
    assert new.sent == []
    leg.close(480, "bye")
    newest = Wire()
    leg.reconnect(newest.send)
    assert newest.sent == [wire.Hangup(LegId(5), 480, "bye", False)]
