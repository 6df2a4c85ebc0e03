"""What is taken of an offer, which offers are refused, what answers say."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cards.webrtc.codecs import KINDS
from gateway.cards.webrtc.sdp import (
    MAX_OFFER_BYTES,
    Candidate,
    OfferError,
    be_passive,
    check_offer,
    finish_answer,
)
from tests.unit.cards.webrtc.offers import AUDIO, CHANNEL, VIDEO, offer

BROWSER = offer(AUDIO, CHANNEL)
ANSWER = "\r\n".join(
    [
        *("v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0", "a=group:BUNDLE 0 1"),
        *("m=audio 4321 UDP/TLS/RTP/SAVPF 111", "c=IN IP4 127.0.0.1", "a=mid:0"),
        *("a=rtpmap:111 opus/48000/2", "a=candidate:1 1 udp 1 127.0.0.1 4321 typ host", "a=setup:active"),
        *("m=application 4321 UDP/DTLS/SCTP webrtc-datachannel", "c=IN IP4 127.0.0.1", "a=mid:1", ""),
    ]
)
RELAY = [Candidate("203.0.113.5", 3478), Candidate("203.0.113.5", 3478, "tcp")]


def test_a_browsers_offer_is_cut_down_to_what_we_serve() -> None:
    taken = check_offer(BROWSER)
    assert (taken.codec.name, taken.payload_type, taken.direction, taken.refused) == (
        "opus",
        111,
        "sendrecv",
        (),
    )
    lines = taken.sdp.split("\r\n")
    assert "m=audio 9 UDP/TLS/RTP/SAVPF 111" in lines
    assert "a=group:BUNDLE 0 1" in lines
    assert [line for line in lines if line.startswith("a=rtpmap")] == ["a=rtpmap:111 opus/48000/2"]
    assert not [line for line in lines if "candidate" in line or "abs-send-time" in line or "fmtp" in line]


@pytest.mark.parametrize(
    ("formats", "name", "payload_type"),
    [("9 0 8", "G722", 9), ("0 8", "PCMU", 0), ("8 0", "PCMU", 0), ("8", "PCMA", 8)],
)
def test_without_opus_the_next_best_codec_is_taken(formats: str, name: str, payload_type: int) -> None:
    taken = check_offer(offer(AUDIO, CHANNEL, instead=("111 63 9 0 8 13 126", formats)))
    assert (taken.codec.name, taken.payload_type) == (name, payload_type)


def test_static_payload_types_need_no_rtpmap() -> None:
    text = offer(AUDIO, CHANNEL, without="a=rtpmap", instead=("111 63 9 0 8 13 126", "0"))
    assert "a=rtpmap:0 PCMU/8000" in check_offer(text).sdp


def test_video_and_second_audio_are_refused_and_the_rest_served() -> None:
    second = tuple(line.replace("a=mid:0", "a=mid:3") for line in AUDIO)
    taken = check_offer(offer(VIDEO, AUDIO, second, CHANNEL, bundle="2 0 3 1"))
    assert "m=video" not in taken.sdp
    assert taken.sdp.count("m=audio") == 1
    answer = finish_answer(ANSWER, taken, RELAY, 16000)
    media = [line.split()[:2] for line in answer.split("\r\n") if line.startswith("m=")]
    assert media == [["m=video", "0"], ["m=audio", "3478"], ["m=audio", "0"], ["m=application", "3478"]]
    assert "a=group:BUNDLE 0 1" in answer


@pytest.mark.parametrize(
    ("text", "status", "reason"),
    [
        ("", 400, "no SDP"),
        ("hello", 400, "no SDP"),
        ('{"sdp": "v=0"}', 400, "no SDP"),
        (offer(), 422, "no media"),
        (offer(VIDEO, bundle="2"), 422, "no audio"),
        (offer(CHANNEL, bundle="1"), 422, "no audio"),
        (offer(AUDIO, CHANNEL, bundle=None), 422, "does not bundle"),
        (offer(AUDIO, CHANNEL, bundle="0"), 422, "does not bundle"),
        (offer(AUDIO, CHANNEL, without="a=ice-ufrag"), 400, "ice-ufrag"),
        (offer(AUDIO, CHANNEL, without="a=ice-pwd"), 400, "ice-pwd"),
        (offer(AUDIO, CHANNEL, without="a=fingerprint"), 400, "fingerprint"),
        (offer(AUDIO, CHANNEL, instead=("sha-256 AB", "md5 AB")), 422, "one of sha-256, sha-384, sha-512"),
        (offer(AUDIO, CHANNEL, instead=("sha-256 AB", "sha-256 no")), 400, "fingerprint"),
        (offer(AUDIO, CHANNEL, instead=("UDP/TLS/RTP/SAVPF", "RTP/AVP")), 422, "not encrypted"),
        (offer(AUDIO, CHANNEL, without="a=setup"), 400, "setup"),
        (offer(AUDIO, CHANNEL, without="a=rtcp-mux"), 422, "rtcp-mux"),
        (offer(AUDIO, CHANNEL, instead=("a=sendrecv", "a=inactive")), 422, "inactive"),
        (offer(AUDIO, CHANNEL, instead=("111 63 9 0 8", "63")), 422, "none of opus, G722, PCMU, PCMA"),
        (offer(AUDIO, CHANNEL, instead=("111 63 9 0 8", "222")), 400, "payload type"),
        (offer(AUDIO, CHANNEL, instead=("m=audio 9 ", "m=audio x ")), 400, "m= line"),
        (offer(AUDIO, CHANNEL) + "a=x:" + "y" * MAX_OFFER_BYTES, 413, "longer"),
        (offer(AUDIO, CHANNEL, *[VIDEO] * 40), 422, "more than"),
    ],
)
def test_other_offers_are_refused_with_a_reason(text: str, status: int, reason: str) -> None:
    with pytest.raises(OfferError, match=reason) as caught:
        check_offer(text)
    assert caught.value.status == status


def test_one_fingerprint_that_can_be_trusted_is_enough() -> None:
    old = "a=fingerprint:md5 AB\r\na=fingerprint:SHA-256 "
    assert old in check_offer(offer(AUDIO, CHANNEL, instead=("a=fingerprint:sha-256 ", old))).sdp


@given(st.integers(0, len(BROWSER)), st.text(max_size=20), st.integers(0, 60))
def test_spoilt_offers_raise_only_the_documented_error(at: int, put: str, cut: int) -> None:
    with contextlib.suppress(OfferError):
        assert check_offer(BROWSER[:at] + put + BROWSER[at + cut :]).codec in KINDS


def test_an_answer_names_the_relay_and_what_opus_should_do() -> None:
    lines = finish_answer(ANSWER, check_offer(BROWSER), RELAY, 24000).split("\r\n")
    assert lines.count("c=IN IP4 203.0.113.5") == 2
    assert "a=fmtp:111 minptime=10;useinbandfec=1;maxaveragebitrate=32000;maxplaybackrate=24000" in lines
    assert {"a=rtcp-fb:111 nack", "a=ptime:20", "a=maxptime:60"} <= set(lines)
    udp, tcp = [line.split() for line in lines if line.startswith("a=candidate")][:2]
    assert udp[2:3] + udp[4:8] == ["udp", "203.0.113.5", "3478", "typ", "host"]
    assert tcp[2:3] + tcp[4:] == ["tcp", "203.0.113.5", "3478", "typ", "host", "tcptype", "passive"]
    assert int(udp[3]) > int(tcp[3])
    assert not [line for line in lines if "127.0.0.1" in line]


def test_we_wait_for_the_clients_hello() -> None:
    assert "a=setup:passive" in be_passive(ANSWER)
    assert "a=setup:active" not in be_passive(ANSWER)
