"""Which codecs an SDP text names, and an offer of one of them."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.cards.sip.commands import tiers
from gateway.cards.sip.sdp import codec_name, codecs, with_codec_alone

OFFER = "\r\n".join(
    (
        "v=0",
        "o=- 1 1 IN IP4 192.0.2.1",
        "s=-",
        "c=IN IP4 192.0.2.1",
        "t=0 0",
        "a=X-nat:0",
        "m=audio 4000 RTP/AVP 0 8 9 3 97 98 99 120",
        "c=IN IP4 192.0.2.1",
        "b=TIAS:64000",
        "a=rtcp:4001 IN IP4 192.0.2.1",
        "a=sendrecv",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:9 G722/8000",
        "a=rtpmap:97 iLBC/8000",
        "a=fmtp:97 mode=30",
        "a=rtpmap:98 speex/8000",
        "a=rtpmap:99 speex/16000",
        "a=rtpmap:120 telephone-event/8000",
        "a=fmtp:120 0-16",
        "a=ptime:20",
        "m=video 0 RTP/AVP 97",
        "a=rtpmap:97 H264/90000",
        "",
    )
)


def test_all_codecs_in_order_also_those_without_a_mapping() -> None:
    assert codecs(OFFER) == ("PCMU", "PCMA", "G722", "GSM", "ILBC", "SPEEX", "SPEEX/16000")


@pytest.mark.parametrize("sdp", ["", "v=0\r\n", "m=video 0 RTP/AVP 97\r\n", "m=audio x RTP/AVP a b\r\n"])
def test_without_audio_there_are_none(sdp: str) -> None:
    assert codecs(sdp) == ()
    assert with_codec_alone(sdp, "ILBC", 30) is None


def test_one_codec_alone_keeps_telephone_events_and_everything_else() -> None:
    found = with_codec_alone(OFFER, "ILBC", 30)
    assert found is not None
    assert codecs(found) == ("ILBC",)
    lines = found.split("\r\n")
    assert "m=audio 4000 RTP/AVP 97 120" in lines
    assert "a=fmtp:97 mode=30" in lines
    assert "a=fmtp:120 0-16" in lines
    assert "a=rtcp:4001 IN IP4 192.0.2.1" in lines
    assert "a=ptime:30" in lines
    assert "a=ptime:20" not in lines
    assert not any("PCMU" in line or "speex" in line for line in lines)
    assert lines[-3:] == ["m=video 0 RTP/AVP 97", "a=rtpmap:97 H264/90000", ""]


def test_a_static_codec_needs_no_mapping() -> None:
    found = with_codec_alone(OFFER, "PCMA", 40)
    assert found is not None
    assert "m=audio 4000 RTP/AVP 8 120" in found
    assert codecs(found) == ("PCMA",)


def test_wideband_speex_is_another_codec() -> None:
    found = with_codec_alone(OFFER, "SPEEX/16000", 20)
    assert found is not None
    assert "m=audio 4000 RTP/AVP 99 120" in found


def test_what_is_not_there_cannot_be_offered() -> None:
    assert with_codec_alone(OFFER, "OPUS/48000", 20) is None


_WORDS = (
    "",
    "0",
    "9",
    "97",
    "120",
    "200",
    "99999999999999999999",
    "-8",
    "+97",
    "x",
    "\N{SUPERSCRIPT TWO}",
    "٣",
)
_MAPPINGS = ("iLBC/8000", "speex/16000/1", "telephone-event/8000", "CN/8000", "GSM", "/", "")


@st.composite
def spoilt_lines(draw: st.DrawFn) -> str:
    """Lines of an SDP text, some as they should be and some not, in any order."""
    formats = st.lists(st.sampled_from(_WORDS), max_size=6).map(" ".join)
    line = st.one_of(
        st.sampled_from(OFFER.split("\r\n")),
        st.builds("m=audio {} RTP/AVP {}".format, st.sampled_from(_WORDS), formats),
        st.builds("a=rtpmap:{} {}".format, st.sampled_from(_WORDS), st.sampled_from(_MAPPINGS)),
        st.builds("a=fmtp:{} mode=20".format, st.sampled_from(_WORDS)),
        st.sampled_from(("m=audio", "m=audio ", "m=video 0 RTP/AVP 0 97", "a=ptime:", "a=rtpmap:")),
    )
    return draw(st.sampled_from(("\r\n", "\n"))).join(draw(st.lists(line, max_size=25)))


@given(spoilt_lines())
@example("m=audio 4 RTP/AVP \N{SUPERSCRIPT TWO} -8 97 97\na=rtpmap:97 iLBC/8000\na=rtpmap:x iLBC/8000")
def test_each_codec_of_any_text_can_be_offered_alone(text: str) -> None:
    for codec in codecs(text):
        alone = with_codec_alone(text, codec, 20)
        assert alone is not None
        assert codecs(alone) == (codec,)
        assert alone.count("a=ptime:20") >= 1
        before, after = text.splitlines(), alone.splitlines()
        start = next(i for i, line in enumerate(before) if line.startswith("m=audio "))
        assert after[:start] == before[:start]
        assert set(after[start].split()) <= set(before[start].split())
        end = next((i for i in range(start + 1, len(before)) if before[i].startswith("m=")), len(before))
        assert after[len(after) - (len(before) - end) :] == before[end:]


def test_names_are_the_ladders_own() -> None:
    assert codec_name("iLBC", 8000) == "ILBC"
    assert codec_name("speex", 16000) == "SPEEX/16000"


def test_tiers_of_a_card() -> None:
    found = tiers(("PCMU/8000/1", "G722/16000/1", "iLBC/8000/1", "speex/16000/1", "L16/44100/2"))
    assert found == (
        *("PCMU/20", "PCMU/40", "PCMU/60", "G722/20", "G722/40", "G722/60"),
        *("ILBC/30", "ILBC/60", "SPEEX/16000/20", "SPEEX/16000/40", "SPEEX/16000/60"),
    )
