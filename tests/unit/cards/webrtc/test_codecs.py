"""Codecs with real audio: what goes in comes out, also when packets are lost."""

import numpy as np
import pytest

from gateway.cards.webrtc import opus
from gateway.cards.webrtc.codecs import KINDS, CodecName, make_decoder, make_encoder
from gateway.cards.webrtc.downlink import TIERS, Downlink
from gateway.cards.webrtc.uplink import Uplink
from gateway.core.audio import PcmFormat
from gateway.core.ids import Mark
from gateway.errors import RemoteError
from tests.sounds import frames, samples, tone, voiced
from tests.unit.cards.webrtc.lossy_network import LossyNetwork

OPUS = KINDS[0]
NAMES: list[CodecName] = [kind.name for kind in KINDS]


def _loudest_hz(pcm: bytes, rate_hz: int) -> float:
    signal = samples(pcm)
    power = np.abs(np.fft.rfft(signal * np.hanning(len(signal))))
    return float(np.fft.rfftfreq(len(signal), 1 / rate_hz)[int(power.argmax())])


@pytest.mark.parametrize("rate_hz", [16000, 24000])
@pytest.mark.parametrize("name", NAMES)
def test_a_tone_survives(name: CodecName, rate_hz: int) -> None:
    encoder, decoder = make_encoder(name, rate_hz), make_decoder(name, rate_hz)
    heard = b"".join(
        decoder.decode(encoder.encode(frame))
        for frame in frames(tone(1000, 1000, rate_hz), PcmFormat(rate_hz))
    )
    assert len(heard) == rate_hz * 2
    assert _loudest_hz(heard[len(heard) // 2 :], rate_hz) == pytest.approx(1000, abs=5)
    assert np.abs(samples(heard)[rate_hz // 2 :]).max() == pytest.approx(12000, rel=0.2)


@pytest.mark.parametrize("name", NAMES)
def test_concealment_sounds_like_what_came_before_and_fades(name: CodecName) -> None:
    encoder, decoder = make_encoder(name, 16000), make_decoder(name, 16000)
    for frame in frames(tone(500, 400, 16000), PcmFormat(16000)):
        decoder.decode(encoder.encode(frame))
    invented = [decoder.conceal() for _ in range(5)]
    assert {len(pcm) for pcm in invented} == {640}
    levels = [float(np.abs(samples(pcm)).mean()) for pcm in invented]
    assert levels[0] > 2000
    assert levels[4] < levels[0]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("junk", [b"", b"\xff", bytes(range(256)) * 5])
def test_junk_raises_only_the_documented_error(name: CodecName, junk: bytes) -> None:
    decoder = make_decoder(name, 16000)
    try:
        decoder.decode(junk)
        decoder.recover(junk)
    except RemoteError:
        return
    assert len(decoder.conceal()) % 2 == 0


def test_opus_carries_fec_at_every_tier_that_has_room_for_it() -> None:
    for tier in TIERS:
        encoder = opus.OpusEncoder(16000)
        encoder.tune(bitrate_bps=tier.bitrate_bps, fec=tier.fec, loss_percent=10, complexity=tier.complexity)
        size = 16000 * tier.ptime_ms // 1000 * 2
        speech = voiced(2000, 16000)
        packets = [encoder.encode(speech[at : at + size]) for at in range(0, len(speech) - size + 1, size)]
        with_fec = sum(map(opus.has_fec, packets))
        assert (with_fec > len(packets) / 2) if tier.fec else not with_fec, tier.name


def test_the_bitrate_changes_while_it_runs() -> None:
    encoder = opus.OpusEncoder(16000)
    speech = frames(voiced(4000, 16000), PcmFormat(16000))
    sizes = []
    for bitrate_bps in (32000, 12000):
        encoder.tune(bitrate_bps=bitrate_bps, fec=False, loss_percent=0)
        sizes.append(sum(len(encoder.encode(frame)) for frame in speech))
    assert sizes[1] < sizes[0] * 0.6


def _resemblance(heard: bytes, said: bytes) -> float:
    """Correlation of the envelopes, 10 ms apart, at the best shift of up to 40 ms."""
    hear, say = (
        np.abs(samples(pcm)[: len(samples(pcm)) // 160 * 160]).reshape(-1, 160).mean(axis=1)
        for pcm in (heard, said)
    )
    size = min(len(hear), len(say)) - 8
    return max(float(np.corrcoef(hear[shift : shift + size], say[:size])[0, 1]) for shift in range(8))


@pytest.mark.parametrize("loss", [0.05, 0.15])
def test_speech_over_a_lossy_network_is_complete(loss: float) -> None:
    pcm_format = PcmFormat(16000)
    downlink, uplink = Downlink(OPUS, pcm_format), Uplink(OPUS, pcm_format, 0.0)
    speech = voiced(10_000, 16000)
    downlink.playout.play(speech, Mark(1), last=True)
    packets = [packet for packet in (downlink.tick() for _ in range(500)) if packet is not None]
    heard: list[bytes] = []
    invented = 0

    def arrive(sequence: int, payload: bytes, now: float) -> list[int]:
        return list(uplink.take(1, sequence, packets[sequence][1], payload, now))

    def tick(now: float) -> None:
        nonlocal invented
        got, silent = uplink.tick(now)
        invented += silent and len(heard) < 500
        heard.extend(() if silent else got)

    LossyNetwork(loss, 0.05, seed=3).run([payload for payload, _ in packets], arrive, tick)
    whole = make_decoder("opus", 16000)
    undisturbed = b"".join(whole.decode(payload) for payload, _ in packets)
    # Nothing missing but what may have been lost at the very ends.
    assert len(heard) >= 498
    assert invented <= 2
    assert uplink.lost == pytest.approx(0, abs=20)
    assert _resemblance(b"".join(heard), undisturbed) > 0.97


def _likeness_db(heard: bytes, said: bytes, at: int) -> float:
    """Signal to error of what is heard from sample `at` on, at the best delay of up to 12 ms."""
    hear, say = samples(heard)[at:], samples(said)
    errors = [hear[delay : delay + len(say)] - say for delay in range(192)]
    return float(10 * np.log10((say @ say) / min(error @ error for error in errors)))


@pytest.mark.parametrize("tier", ["32k/20ms", "24k/20ms"])
def test_words_after_silence_from_stock_are_as_good_as_after_encoded_silence(tier: str) -> None:
    pcm_format, word, likeness = PcmFormat(16000), voiced(200, 16000), []
    for stock in (True, False):
        downlink, decoder, heard, starts = Downlink(OPUS, pcm_format), make_decoder("opus", 16000), b"", []
        downlink.set_tier(tier)
        for pause_ticks in range(100, 112):
            starts.append(len(heard) // 2)
            pause = b"" if stock else bytes(pause_ticks * pcm_format.frame_bytes)
            downlink.playout.play(word + pause, Mark(1), last=True)
            packets = [downlink.tick() for _ in range(10 + pause_ticks)]
            heard += b"".join(decoder.decode(packet[0]) for packet in packets if packet)
            assert np.abs(samples(heard)[-320 * 50 :]).max() <= 16  # -66 dBFS
        likeness.append(np.mean([_likeness_db(heard, word, at) for at in starts]))
    assert likeness[0] > likeness[1] - 1.0


def test_lasting_silence_is_not_encoded_again() -> None:
    downlink = Downlink(OPUS, PcmFormat(16000))
    packets = [packet[0] for packet in (downlink.tick() for _ in range(100)) if packet]
    assert len(packets) == 100
    assert len({id(packet) for packet in packets[30:]}) == 1
    downlink.set_tier("32k/20ms")
    again = downlink.tick()
    assert again is not None
    assert again[0] is not packets[-1]


def test_a_new_stream_keeps_the_counters() -> None:
    uplink = Uplink(OPUS, PcmFormat(16000), 0.0)
    packet = make_encoder("opus", 16000).encode(bytes(640))
    for ssrc in (1, 2):
        for k in (0, 1, 3):
            uplink.take(ssrc, 100 * ssrc + k, k * 960, packet, k * 0.02)
        uplink.tick(0.2)
    assert (uplink.packets, uplink.lost) == (6, 2)


def test_packets_that_are_no_opus_are_counted_and_hurt_nobody() -> None:
    uplink = Uplink(OPUS, PcmFormat(16000), 0.0)
    uplink.take(1, 1, 960, b"\xff" * 3, 0.0)
    assert uplink.tick(0.0) == ([], False)
    assert uplink.undecodable == 1
