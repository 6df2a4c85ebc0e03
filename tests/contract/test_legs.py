"""What every leg must do, whatever network it comes from."""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.core.ids import CallId, Mark
from gateway.core.playout import PLAYOUT_LIMIT_MS
from gateway.errors import LocalError
from gateway.wire import card as wire
from gateway.wire.frames import HeardFlag
from tests.contract.rigs import RIGS, Owner, Rig
from tests.sounds import frames, steady, voiced

MARK = Mark(11)


@pytest.fixture(params=sorted(RIGS))
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    with tempfile.TemporaryDirectory(prefix="gw-") as directory:
        async with RIGS[request.param](Path(directory)) as rig:
            yield rig


async def test_a_leg_has_one_owner(rig: Rig) -> None:
    with pytest.raises(LocalError):
        rig.leg.attach(CallId("call_2"), Owner())


async def test_it_rings_and_is_answered(rig: Rig) -> None:
    rig.leg.ring()
    await rig.arrived()
    assert rig.far.state == "ringing"
    rig.leg.answer()
    answered = await rig.owner.event(wire.Answered)
    assert answered.at_s > 0
    media = await rig.owner.event(wire.MediaChanged)
    assert (media.ptime_ms, media.held) == (20, False)


async def test_events_never_come_within_the_command_that_causes_them(rig: Rig) -> None:
    rig.leg.answer()
    rig.leg.play(steady(1, 20), MARK, last=True)
    rig.leg.close(480, "")
    assert rig.owner.events == []
    await rig.owner.event(wire.LegClosed)


async def test_every_tick_brings_a_frame_of_the_caller_once_answered(rig: Rig) -> None:
    said = frames(voiced(100))
    rig.peer.tick(said[0])
    await rig.answered()
    for frame in said:
        rig.peer.tick(frame)
    rig.peer.tick(None)
    await rig.owner.until(lambda: len(rig.owner.audio) >= 6)
    assert [pcm for pcm, _ in rig.owner.audio[:5]] == said
    assert [flags for _, flags in rig.owner.audio] == [0, 0, 0, 0, 0, HeardFlag.CONCEALED]
    assert rig.owner.audio[5][0] == rig.leg.pcm_format.silence(20)


async def test_live_speech_waits_for_a_cushion_and_stays_short(rig: Rig) -> None:
    await rig.answered()
    rig.leg.play(steady(1000, 20), MARK, live=True)
    await rig.arrived()
    assert rig.peer.tick(None) is None
    for _ in range(10):
        rig.leg.play(steady(1000, 20), MARK, live=True)
    await rig.arrived()
    flushed = rig.leg.flush()
    assert (await flushed).dropped_ms == 80


async def test_what_is_played_is_heard_and_reported(rig: Rig) -> None:
    await rig.answered()
    words = voiced(70)
    rig.leg.play(words[:334], MARK)
    rig.leg.play(words[334:], MARK, last=True)
    await rig.arrived()
    heard = [rig.peer.tick(None) for _ in range(5)]
    finished = await rig.owner.event(wire.PlayFinished)
    started = await rig.owner.event(wire.PlayStarted)
    assert b"".join(frame or b"" for frame in heard)[: len(words)] == words
    assert heard[4] is None
    assert (started.mark, finished.mark, finished.played_ms) == (MARK, MARK, 70)
    assert started.at_s <= finished.at_s


@pytest.mark.parametrize("frames_heard", [0, 1, 7])
async def test_a_flush_says_what_was_heard(rig: Rig, frames_heard: int) -> None:
    await rig.answered()
    rig.leg.play(steady(1000, 400), MARK)
    await rig.arrived()
    for _ in range(frames_heard):
        rig.peer.tick(None)
    flushed = await rig.leg.flush()
    assert flushed.mark == MARK
    assert 20 * frames_heard <= flushed.played_ms <= 20 * frames_heard + 4, "a short ramp may be heard"
    assert flushed.dropped_ms + flushed.played_ms == 400
    assert flushed.at_s > 0
    rig.peer.tick(None)
    assert rig.peer.tick(None) is None


async def test_a_flush_is_commanded_without_being_awaited(rig: Rig) -> None:
    await rig.answered()
    rig.leg.play(steady(1000, 400), MARK)
    unawaited = rig.leg.flush()
    await rig.arrived()
    assert rig.peer.tick(None) is None
    await unawaited


async def test_a_flush_of_nothing(rig: Rig) -> None:
    await rig.answered()
    flushed = await rig.leg.flush()
    assert (flushed.mark, flushed.played_ms, flushed.dropped_ms) == (0, 0, 0)


async def test_a_flush_of_a_closed_leg(rig: Rig) -> None:
    await rig.answered()
    rig.peer.hang_up()
    await rig.owner.event(wire.LegClosed)
    flushed = await rig.leg.flush()
    assert (flushed.mark, flushed.played_ms, flushed.dropped_ms, flushed.at_s) == (0, 0, 0, 0.0)


async def test_a_flush_that_the_end_of_the_leg_overtakes(rig: Rig) -> None:
    await rig.answered()
    rig.leg.play(steady(1000, 400), MARK)
    await rig.arrived()
    rig.peer.hang_up()
    await rig.leg.flush()
    await rig.owner.event(wire.LegClosed)


async def test_a_pause_keeps_the_queue(rig: Rig) -> None:
    await rig.answered()
    rig.leg.play(steady(1000, 60), MARK, last=True)
    rig.leg.pause()
    await rig.arrived()
    assert [rig.peer.tick(None) for _ in range(3)] == [None] * 3
    rig.leg.resume()
    await rig.arrived()
    assert [rig.peer.tick(None) for _ in range(3)] == [steady(1000, 20)] * 3


async def test_keys_go_both_ways(rig: Rig) -> None:
    await rig.answered()
    rig.peer.press("5")
    digit = await rig.owner.event(wire.Dtmf)
    assert (digit.digit, digit.method) == ("5", "rfc4733")
    rig.leg.send_dtmf("12#")
    await rig.arrived()
    assert rig.far.digits_sent == "12#"


@pytest.mark.parametrize("digits", ["", "1x", "hello"])
async def test_what_is_no_key_is_refused(rig: Rig, digits: str) -> None:
    await rig.answered()
    rig.leg.send_dtmf(digits)
    refused = await rig.owner.event(wire.Refused)
    assert refused.command == "SendDtmf"
    assert rig.far.digits_sent == ""


async def test_hold_by_either_side(rig: Rig) -> None:
    await rig.answered()
    rig.leg.hold(True)
    await rig.arrived()
    assert rig.far.peer_held
    rig.leg.hold(False)
    await rig.reached(lambda: not rig.far.peer_held)
    rig.peer.hold(True)
    media = await rig.owner.event(wire.MediaChanged, 2)
    assert media.held


async def test_state_is_kept_with_the_leg(rig: Rig) -> None:
    rig.leg.keep(b"memory")
    await rig.reached(lambda: rig.far.kept == b"memory")


async def test_quality_comes_every_second(rig: Rig) -> None:
    await rig.answered()
    for n in range(100):
        rig.peer.tick(steady(0, 20) if n % 10 else None)
    quality = await rig.owner.event(wire.Quality, 2)
    assert (quality.rx_packets, quality.rx_lost) == (90, 10)
    assert len(rig.owner.of(wire.Quality)) == 2


async def test_a_refused_call_ends_with_the_status(rig: Rig) -> None:
    rig.leg.reject(486, "Busy Here")
    closed = await rig.owner.event(wire.LegClosed)
    assert (closed.status, closed.by) == (486, "gateway")
    assert rig.owner.of(wire.Answered) == []


async def test_an_answered_call_cannot_be_refused(rig: Rig) -> None:
    await rig.answered()
    rig.leg.reject(486, "Busy Here")
    refused = await rig.owner.event(wire.Refused)
    assert refused.command == "Reject"
    assert rig.far.state == "connected"


async def test_a_close_that_drains_lets_the_queue_be_heard(rig: Rig) -> None:
    await rig.answered()
    rig.leg.play(steady(1000, 60), MARK, last=True)
    rig.leg.close(480, "", drain=True)
    await rig.arrived()
    assert rig.peer.tick(None) == steady(1000, 20)
    assert rig.far.state == "connected"
    rig.peer.tick(None)
    rig.peer.tick(None)
    closed = await rig.owner.event(wire.LegClosed)
    assert (closed.status, closed.by) == (200, "gateway")


async def test_a_close_without_drain_cuts_off(rig: Rig) -> None:
    await rig.answered()
    rig.leg.play(steady(1000, 6000), MARK, last=True)
    rig.leg.close(480, "")
    await rig.owner.event(wire.LegClosed)
    assert rig.peer.tick(None) is None


@pytest.mark.parametrize("answered", [False, True])
async def test_the_end_by_the_caller_is_the_last_event(rig: Rig, answered: bool) -> None:
    if answered:
        await rig.answered()
    rig.peer.hang_up()
    rig.peer.press("1")
    rig.peer.tick(steady(0, 20))
    closed = await rig.owner.event(wire.LegClosed)
    assert (closed.status, closed.by) == (200 if answered else 487, "far_end")
    for command in (rig.leg.ring, rig.leg.answer, rig.leg.pause, rig.leg.resume):
        command()
    rig.leg.play(steady(1, 20), MARK, last=True)
    rig.leg.keep(b"x")
    rig.leg.close(480, "")
    await rig.leg.flush()
    assert rig.owner.events[-1] is closed
    assert rig.owner.audio == []


async def test_more_audio_than_a_leg_holds_is_dropped_and_counted(rig: Rig) -> None:
    await rig.answered()
    rig.leg.play(steady(1000, 3 * PLAYOUT_LIMIT_MS), MARK)
    await rig.arrived()
    assert rig.far.playout.queued_ms == PLAYOUT_LIMIT_MS
    for _ in range(50):
        rig.peer.tick(None)
    quality = await rig.owner.event(wire.Quality)
    assert quality.playout_dropped_ms == 2 * PLAYOUT_LIMIT_MS
