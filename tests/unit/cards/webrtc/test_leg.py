"""One leg with a peer that records what it is asked to do, and a clock that we turn."""

import asyncio
import json
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway.cards.webrtc.codecs import make_encoder
from gateway.cards.webrtc.leg import CONNECT_TIMEOUT_S, SILENT_S, LegContext, WebrtcLeg
from gateway.cards.webrtc.notice import PLAYOUT_STOPPED
from gateway.cards.webrtc.peer import FarReport
from gateway.cards.webrtc.sdp import check_offer
from gateway.core.audio import PcmFormat
from gateway.core.ids import LegId, Mark
from gateway.errors import LocalError
from gateway.wire import card as wire
from gateway.wire.frames import HeardFlag, unpack_heard
from tests.sounds import tone
from tests.unit.cards.webrtc.offers import AUDIO, CHANNEL, offer

INCOMING = wire.Incoming(LegId(7), "webrtc-1", "sales", "anna", "sales", (), "tcp:1", 0.0)


@dataclass
class RecordedPeer:
    """A connection that does nothing but remember."""

    unsent: int = 0
    packets_sent: int = 0
    asked_again: int = 0
    channel_open: bool = False
    first_timestamp: int = 0xFFFFFF00
    report: FarReport = field(default_factory=FarReport)
    timestamps: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    closed: bool = False

    def send(self, payload: bytes, timestamp: int) -> None:
        self.packets_sent += 1
        self.timestamps.append(timestamp)

    def send_text(self, text: str) -> bool:
        self.texts.append(text)
        return True

    async def far_report(self) -> FarReport:
        return self.report

    async def close(self) -> None:
        self.closed = True


class Bench:
    """A leg and everything around it."""

    def __init__(self, *, direction: str = "a=sendrecv") -> None:
        self.now = 100.0
        self.sent: list[wire.FromCard] = []
        self.gone: list[WebrtcLeg] = []
        self.arrived: list[WebrtcLeg] = []
        self.peer = RecordedPeer()
        self.tasks: list[asyncio.Task[None]] = []
        context = LegContext(
            PcmFormat(16000),
            lambda: self.now,
            self.sent.append,
            self.gone.append,
            self.arrived.append,
            self._run,
        )
        self.leg = WebrtcLeg(
            INCOMING, check_offer(offer(AUDIO, CHANNEL, instead=("a=sendrecv", direction))), context
        )
        self.leg.bind(self.peer)

    def play(self, duration_ms: int, mark: int, *, last: bool = False) -> None:
        self.leg.play(tone(500, duration_ms, 16000), Mark(mark), last=last, live=False)

    def ends_of_sound(self) -> list[int]:
        """RTP timestamps of the stream, as the page was told them."""
        told = [json.loads(text) for text in self.peer.texts]
        assert all(event["type"] == PLAYOUT_STOPPED and event["event_id"] for event in told)
        return [(event["rtp_timestamp"] - self.peer.first_timestamp) & 0xFFFFFFFF for event in told]

    def connect(self) -> None:
        self.leg.answer()
        self.leg.on_connected()

    def tick(self, count: int = 1) -> list[tuple[int, int, bytes]]:
        heard: list[tuple[int, int, bytes]] = []
        for _ in range(count):
            self.now += 0.02
            heard += unpack_heard(self.leg.tick(self.now))
        return heard

    def of(self, kind: type[Any]) -> list[Any]:
        return [message for message in self.sent if isinstance(message, kind)]

    async def wait(self, duration_s: float, *, alive: bool = True) -> None:
        for _ in range(round(duration_s)):
            self.now += 1.0
            if alive:
                self.leg.on_alive()
            await self.leg.each_second()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(asyncio.get_running_loop().create_task(work))


@pytest.mark.parametrize("first", ["answer", "connect"])
def test_it_is_answered_when_accepted_and_connected(first: str) -> None:
    bench = Bench()
    steps = [bench.leg.answer, bench.leg.on_connected]
    for step in steps if first == "answer" else steps[::-1]:
        assert not bench.of(wire.Answered)
        assert bench.tick(3) == []
        step()
    assert [type(m).__name__ for m in bench.sent] == ["MediaChanged", "Answered"]
    assert (bench.leg.state, bench.leg.live) == ("connected", True)


def test_what_is_played_goes_out_in_packets_and_marks_are_told() -> None:
    bench = Bench()
    bench.connect()
    bench.play(60, 3, last=True)
    bench.tick(20)
    assert bench.peer.timestamps == [960 * k for k in range(22)]
    assert [m.mark for m in bench.of(wire.PlayStarted)] == [3]
    assert [(m.mark, m.played_ms) for m in bench.of(wire.PlayFinished)] == [(3, 60)]


def test_the_stream_begins_with_the_first_words() -> None:
    bench = Bench()
    bench.play(500, 3)
    assert bench.peer.timestamps == []
    bench.connect()
    assert bench.peer.timestamps == [0, 960], "what was said before it stood goes out at once"
    assert [m.mark for m in bench.of(wire.PlayStarted)] == [3]
    bench.tick(2)
    assert bench.peer.timestamps == [0, 960, 1920, 2880]


def test_the_first_words_do_not_wait_behind_silence() -> None:
    bench = Bench()
    bench.connect()
    bench.tick(3)
    assert bench.peer.timestamps == []
    bench.play(20, 3)
    assert bench.peer.timestamps == [], "a browser would not play so little"
    bench.play(20, 3)
    assert bench.peer.timestamps == [0, 960]


def test_who_has_nothing_to_say_sends_silence() -> None:
    bench = Bench()
    bench.connect()
    bench.tick(20)
    assert 14 <= len(bench.peer.timestamps) <= 17
    sent = len(bench.peer.timestamps)
    bench.play(500, 3)
    assert len(bench.peer.timestamps) == sent, "a stream that runs goes by the clock"


def test_a_flush_stops_it_and_says_how_much_was_heard() -> None:
    bench = Bench()
    bench.connect()
    bench.play(1000, 3)
    bench.tick(10)
    bench.leg.flush(41)
    (flushed,) = bench.of(wire.Flushed)
    assert (flushed.request, flushed.mark) == (41, 3)
    assert flushed.played_ms == pytest.approx(240, abs=5)
    bench.tick(20)
    assert bench.leg.downlink.playout.drained
    assert bench.peer.packets_sent == 32, "silence goes on being sent"


@pytest.mark.parametrize("stop", ["pause", "flush"])
def test_the_page_is_told_from_where_on_there_is_silence(stop: str) -> None:
    bench = Bench()
    bench.connect()
    bench.peer.channel_open = True
    bench.play(1000, 3)
    bench.tick(10)
    bench.leg.pause() if stop == "pause" else bench.leg.flush(41)
    assert bench.ends_of_sound() == [960 * 12]
    bench.tick()
    assert bench.peer.timestamps[-1] == 960 * 12, "the first packet without"


def test_the_page_is_told_once_and_only_of_sound() -> None:
    bench = Bench()
    bench.connect()
    bench.peer.channel_open = True
    bench.tick(10)
    bench.leg.pause()
    bench.leg.resume()
    assert bench.ends_of_sound() == [], "nothing was said yet"
    bench.play(200, 3)
    bench.tick(5)
    bench.leg.pause()
    bench.leg.flush(1)
    assert len(bench.ends_of_sound()) == 1
    bench.tick(40)
    bench.leg.flush(2)
    assert len(bench.ends_of_sound()) == 1
    bench.play(200, 4)
    bench.tick(3)
    bench.peer.channel_open = False
    bench.leg.flush(3)
    assert len(bench.ends_of_sound()) == 1


def test_a_page_of_a_call_that_only_rings_is_told_nothing() -> None:
    bench = Bench()
    bench.peer.channel_open = True
    bench.play(500, 3)
    bench.leg.flush(1)
    assert bench.peer.texts == []


def test_what_the_peer_says_is_heard_with_the_next_tick() -> None:
    bench = Bench()
    bench.connect()
    packet = make_encoder("opus", 16000).encode(tone(500, 20, 16000))
    bench.leg.on_packet(1, 10, 960, packet)
    ((leg, flags, pcm),) = bench.tick()
    assert (leg, flags, len(pcm)) == (7, 0, 640)
    later = bench.tick(10)
    assert {(flags, pcm) for _, flags, pcm in later} == {(int(HeardFlag.CONCEALED), bytes(640))}


def test_what_the_peer_says_need_not_wait_for_the_tick() -> None:
    bench = Bench()
    packets = make_encoder("opus", 16000)
    bench.leg.on_packet(1, 9, 0, packets.encode(tone(500, 20, 16000)))
    assert (bench.arrived, bench.leg.heard(bench.now)) == ([], b""), "nobody listens yet"
    bench.connect()
    bench.tick()
    bench.leg.on_packet(1, 10, 960, packets.encode(tone(500, 20, 16000)))
    assert bench.arrived == [bench.leg]
    ((leg, flags, pcm),) = unpack_heard(bench.leg.heard(bench.now))
    assert (leg, flags, len(pcm)) == (7, 0, 640)
    assert bench.tick(6) == [], "it is heard once, and what is late may still come"
    assert {flags for _, flags, _ in bench.tick()} == {int(HeardFlag.CONCEALED)}


async def test_a_drain_lets_the_audio_end_first() -> None:
    bench = Bench()
    bench.connect()
    bench.play(200, 1, last=True)
    bench.leg.hangup(480, "done", drain=True)
    bench.tick(10)
    assert not bench.gone
    bench.tick(10)
    (closed,) = bench.of(wire.LegClosed)
    assert (closed.status, closed.reason, closed.by) == (200, "done", "gateway")


async def test_it_ends_once_and_closes_its_peer() -> None:
    bench = Bench()
    bench.connect()
    bench.leg.on_lost(200, "closed by the peer")
    bench.leg.hangup(200, "", drain=False)
    bench.leg.on_text("late")
    bench.leg.on_channel()
    await asyncio.gather(*bench.tasks)
    assert len(bench.of(wire.LegClosed)) == len(bench.gone) == 1
    assert (bench.sent[-1], bench.peer.closed) == (bench.of(wire.LegClosed)[0], True)


async def test_a_peer_that_never_connects_is_given_up() -> None:
    bench = Bench()
    bench.leg.answer()
    await bench.wait(CONNECT_TIMEOUT_S - 1)
    assert not bench.gone
    await bench.wait(1)
    (closed,) = bench.of(wire.LegClosed)
    assert (closed.status, closed.by) == (408, "card")


async def test_a_peer_without_any_sign_of_life_is_gone_within_ten_seconds() -> None:
    bench = Bench()
    bench.connect()
    await bench.wait(9, alive=False)
    (closed,) = bench.of(wire.LegClosed)
    assert (closed.by, closed.reason) == ("far_end", "no sign of life for 8 s")


async def test_a_peer_that_lives_but_sends_no_audio_is_reported_once() -> None:
    bench = Bench()
    bench.connect()
    await bench.wait(SILENT_S * 3)
    (stalled,) = bench.of(wire.RtpStalled)
    assert stalled.silent_s == pytest.approx(SILENT_S)
    bench.leg.on_packet(1, 1, 1, b"\xff")
    await bench.wait(SILENT_S + 1)
    assert len(bench.of(wire.RtpStalled)) == 2


async def test_a_peer_that_only_listens_need_not_send() -> None:
    bench = Bench(direction="a=recvonly")
    bench.connect()
    await bench.wait(30)
    assert not bench.of(wire.RtpStalled)


def test_texts_beyond_the_limit_are_dropped_and_counted() -> None:
    bench = Bench()
    bench.connect()
    for _ in range(1000):
        bench.leg.on_text("{}")
    assert (len(bench.of(wire.ChannelText)), bench.leg.texts_dropped) == (200, 800)
    bench.leg.on_text("x" * 600_000)
    assert bench.leg.texts_dropped == 801
    bench.now += 1
    bench.leg.on_text("{}")
    assert len(bench.of(wire.ChannelText)) == 201


async def test_quality_is_told_and_loss_brings_more_fec() -> None:
    bench = Bench()
    bench.connect()
    bench.play(4000, 1)
    bench.tick(98)
    bench.peer.report = FarReport(lost=15, jitter_ms=4.25, rtt_ms=31.0)
    assert bench.leg.downlink._loss_percent < 15
    await bench.leg.each_second()
    assert bench.leg.downlink._loss_percent == 15
    (quality,) = bench.of(wire.Quality)
    assert (quality.tx_packets, quality.tx_lost) == (100, 15)
    assert (quality.tx_jitter_ms, quality.rtt_ms) == (4.25, 31.0)


def test_a_new_core_is_told_codec_and_channel() -> None:
    bench = Bench()
    bench.connect()
    bench.leg.kept, bench.peer.channel_open = b"state", True
    assert bench.leg.snapshot() == wire.LegSnapshot(INCOMING, "connected", b"state")
    bench.sent.clear()
    bench.leg.report_state()
    assert [type(m).__name__ for m in bench.sent] == ["MediaChanged", "ChannelOpened"]


def test_commands_that_make_no_sense_are_refused() -> None:
    bench = Bench()
    bench.connect()
    with pytest.raises(LocalError, match="answered"):
        bench.leg.reject(404, "")
    with pytest.raises(LocalError, match="no tier"):
        bench.leg.set_tier("gold")
    bench.leg.set_tier("24k/40ms")
    assert bench.of(wire.MediaChanged)[-1].ptime_ms == 40
