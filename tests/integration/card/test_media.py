"""Audio, digits, marks and the core's coming and going: a PJSIP phone against a real card."""

import asyncio

import numpy as np
import pytest

from gateway.core.ids import LegId
from gateway.wire import card as wire
from tests.integration.card.cards import Rack
from tests.integration.card.core import StandInCore, auto_answer
from tests.integration.card.phone import RemotePhone
from tests.sounds import tone

MS = 16
"""Bytes per millisecond at 8 kHz."""


def loudest_hz(pcm: bytes) -> tuple[float, float]:
    """Frequency of the strongest component, and its share of the energy."""
    samples = np.frombuffer(pcm, "<i2").astype(float)
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    peak = int(power.argmax())
    share = power[max(0, peak - 3) : peak + 4].sum() / max(power.sum(), 1e-9)
    return peak * 8000 / len(samples), float(share)


def has_tone(pcm: bytes, hz: float) -> None:
    found, share = loudest_hz(pcm)
    assert abs(found - hz) < 15, (found, share)
    assert share > 0.9, (found, share)


async def connected(cards: Rack, **options: float) -> tuple[StandInCore, RemotePhone, LegId]:
    card = await cards.card(**options)  # type: ignore[arg-type]
    core = await card.core()
    auto_answer(core)
    phone = await RemotePhone.dial(f"sip:gw@127.0.0.1:{card.sip_port}")
    leg = (await core.expect(wire.Answered)).leg
    await phone.expect(state="confirmed")
    return core, phone, leg


async def test_a_tone_comes_back_through_the_core(cards: Rack) -> None:
    core, phone, leg = await connected(cards)
    core.echo = True
    has_tone(await core.hear(leg, 0.5, skip_s=0.3), 1000)
    has_tone(await phone.record(500), 1000)
    await phone.hang_up()


@pytest.mark.parametrize(
    ("codec", "name", "clock_rate_hz"),
    [
        ("PCMA/8000/1", "PCMA", 8000),
        ("G722/16000/1", "G722", 8000),
        ("GSM/8000/1", "GSM", 8000),
        ("iLBC/8000/1", "ILBC", 8000),
        ("speex/8000/1", "SPEEX", 8000),
    ],
)
async def test_every_codec_carries_audio_both_ways(
    cards: Rack, codec: str, name: str, clock_rate_hz: int
) -> None:
    card = await cards.card()
    core = await card.core()
    auto_answer(core)
    phone = await RemotePhone.dial(f"sip:gw@127.0.0.1:{card.sip_port}", 700, (codec,))
    media = await core.expect(wire.MediaChanged)
    assert (media.codec, media.clock_rate_hz) == (name, clock_rate_hz)
    leg = (await core.expect(wire.Answered)).leg
    core.play(leg, tone(1300, 3000))
    await phone.expect(state="confirmed")
    heard, said = await asyncio.gather(core.hear(leg, 0.5, skip_s=0.5), phone.record(700))
    assert abs(loudest_hz(heard)[0] - 700) < 15
    assert abs(loudest_hz(said[200 * MS :])[0] - 1300) < 15
    await phone.hang_up()


async def test_marks_and_flush_say_what_was_heard(cards: Rack) -> None:
    core, phone, leg = await connected(cards)
    core.play(leg, tone(500, 200), 7, last=True)
    started = await core.expect(wire.PlayStarted, lambda m: m.mark == 7)
    finished = await core.expect(wire.PlayFinished, lambda m: m.mark == 7)
    assert finished.played_ms == 200
    assert 0.17 <= finished.at_s - started.at_s <= 0.4
    core.play(leg, tone(500, 5000), 8)
    await core.expect(wire.PlayStarted, lambda m: m.mark == 8)
    await core.hear(leg, 0.5)
    core.send(wire.Flush(leg, 21))
    flushed = await core.expect(wire.Flushed)
    assert (flushed.request, flushed.mark) == (21, 8)
    assert 400 <= flushed.played_ms <= 900
    assert flushed.played_ms + flushed.dropped_ms == 5000
    silence = (await phone.record(400))[200 * MS :]
    assert np.abs(np.frombuffer(silence, "<i2")).max() < 20
    await phone.hang_up()


async def test_live_audio_is_kept_short(cards: Rack) -> None:
    core, phone, leg = await connected(cards)
    core.send(wire.Pause(leg))
    core.play(leg, tone(500, 1000), 9, live=True)
    core.send(wire.Flush(leg, 22))
    flushed = await core.expect(wire.Flushed)
    assert (flushed.mark, flushed.dropped_ms) == (9, 80)
    await phone.hang_up()


async def test_pause_and_resume(cards: Rack) -> None:
    core, phone, leg = await connected(cards)
    core.play(leg, tone(500, 5000), 1)
    has_tone((await phone.record(600))[200 * MS :], 500)
    core.send(wire.Pause(leg))
    await core.hear(leg, 0.2)
    assert np.abs(np.frombuffer(await phone.record(200), "<i2")).max() < 20
    core.send(wire.Resume(leg))
    await core.hear(leg, 0.2)
    has_tone(await phone.record(300), 500)
    await phone.hang_up()


async def test_hang_up_after_the_queued_audio_has_been_heard(cards: Rack) -> None:
    core, phone, leg = await connected(cards)
    core.play(leg, tone(900, 600), 3, last=True)
    core.send(wire.Hangup(leg, drain=True))
    has_tone((await phone.record(450))[150 * MS :], 900)
    await phone.expect(state="disconnected")
    finished = await core.expect(wire.PlayFinished)
    closed = await core.expect(wire.LegClosed)
    assert finished.played_ms == 600
    assert core.messages.index(finished) < core.messages.index(closed)
    assert (closed.status, closed.by) == (200, "gateway")


async def test_digits_both_ways(cards: Rack) -> None:
    core, phone, leg = await connected(cards)
    phone.do("dtmf 1#D")
    await core.until(lambda: len(core.of(wire.Dtmf)) == 3)
    phone.do("info 9")
    await core.until(lambda: len(core.of(wire.Dtmf)) == 4)
    digits = [(d.digit, d.method) for d in core.of(wire.Dtmf)]
    assert digits == [("1", "rfc4733"), ("#", "rfc4733"), ("D", "rfc4733"), ("9", "info")]
    assert all(100 <= d.duration_ms <= 300 for d in core.of(wire.Dtmf))
    core.send(wire.SendDtmf(leg, "5*"))
    assert [(await phone.expect(digit=...))["digit"] for _ in "5*"] == ["5", "*"]
    await phone.hang_up()


async def test_hold_in_both_directions(cards: Rack) -> None:
    core, phone, leg = await connected(cards)
    core.send(wire.Hold(leg, True))
    media = (await phone.expect(media=...))["media"]
    while media["sending"]:
        media = (await phone.expect(media=...))["media"]
    await core.until(lambda: len(core.of(wire.MediaChanged)) == 2)
    core.send(wire.Hold(leg, False))
    while not media["sending"]:
        media = (await phone.expect(media=...))["media"]
    phone.do("hold")
    await core.expect(wire.MediaChanged, lambda m: m.held)
    phone.do("resume")
    await core.until(lambda: not core.of(wire.MediaChanged)[-1].held)
    has_tone(await core.hear(leg, 0.4, skip_s=0.3), 1000)
    await phone.hang_up()


async def test_playout_waits_while_the_far_end_holds(cards: Rack) -> None:
    core, phone, leg = await connected(cards)
    phone.do("hold")
    await core.expect(wire.MediaChanged, lambda m: m.held)
    core.play(leg, tone(500, 400), 4, last=True)
    await core.hear(leg, 0.6)
    assert not core.of(wire.PlayFinished)
    phone.do("resume")
    assert (await core.expect(wire.PlayFinished)).played_ms == 400
    await phone.hang_up()


async def test_quality_is_reported_and_survives_renegotiation(cards: Rack) -> None:
    core, phone, leg = await connected(cards)
    await core.until(lambda: len(core.of(wire.Quality)) == 2)
    phone.do("hold")
    await core.expect(wire.MediaChanged, lambda m: m.held)
    phone.do("resume")
    await core.until(lambda: len(core.of(wire.Quality)) == 5)
    received = [q.rx_packets for q in core.of(wire.Quality)]
    assert received == sorted(received)
    assert received[-1] > 120
    assert core.of(wire.Quality)[-1].rx_lost == 0
    assert core.of(wire.Quality)[-1].jitter_buffer_ms <= 400, "size of the jitter buffer"
    await phone.hang_up()
    assert leg == 1


async def test_a_far_end_that_vanishes_is_reported_once(cards: Rack) -> None:
    core, phone, leg = await connected(cards, rtp_timeout_s=1.5)
    await core.hear(leg, 0.3)
    await phone.kill()
    stalled = await core.expect(wire.RtpStalled)
    assert 1.5 <= stalled.silent_s <= 3.0
    await core.until(lambda: len(core.of(wire.Quality)) >= 6)
    assert len(core.of(wire.RtpStalled)) == 1
    core.send(wire.Hangup(leg))


async def test_a_call_outlives_its_core(cards: Rack) -> None:
    card = await cards.card()
    first = await card.core()
    auto_answer(first)
    phone = await RemotePhone.dial(f"sip:gw@127.0.0.1:{card.sip_port}")
    leg = (await first.expect(wire.Answered)).leg
    await phone.expect(state="confirmed")
    first.send(wire.Keep(leg, b"what was said so far"))
    first.play(leg, tone(600, 20_000), 5)
    await first.expect(wire.PlayStarted)
    await first.close()
    has_tone((await phone.record(800))[200 * MS :], 600)
    second = await card.core()
    snapshot = second.of(wire.Snapshot)[0]
    assert [(s.incoming.leg, s.state, s.kept) for s in snapshot.legs] == [
        (leg, "connected", b"what was said so far")
    ]
    assert snapshot.legs[0].incoming == first.of(wire.Incoming)[0]
    assert (await second.expect(wire.MediaChanged)).codec == "PCMU"
    has_tone(await second.hear(leg, 0.4), 1000)
    second.send(wire.Flush(leg, 1))
    assert (await second.expect(wire.Flushed)).mark == 5
    third = await card.core()
    await second.until(lambda: second.ended)
    await phone.hang_up()
    assert (await third.expect(wire.LegClosed)).by == "far_end"


async def test_a_call_without_a_core_ends_after_the_grace_period(cards: Rack) -> None:
    core, phone, leg = await connected(cards, orphan_timeout_s=1.0)
    assert leg == 1
    await core.close()
    ended = await phone.expect(state="disconnected")
    assert ended["status"] == 200


async def test_a_retired_card_leaves_after_its_last_call(cards: Rack) -> None:
    core, phone, leg = await connected(cards)
    core.send(wire.Retire())
    await core.hear(leg, 0.3)
    await phone.hang_up()
    pid = core.of(wire.Hello)[0].pid
    assert (await cards.exited(pid)).status == "exit 0"
    await core.until(lambda: core.ended)
