"""Answers with SDP to a call that we place."""

from gateway.cards.sip.answers import AnswerWatch
from gateway.cards.sip.screen import sdp_answer

HEAD = (
    b"Via: SIP/2.0/UDP 127.0.0.1:9;branch=z\r\nFrom: <sip:a@b>;tag=ours\r\n"
    b"To: <sip:c@d>\r\n ;tag=far\r\ni: c1\r\nCSeq: 7 INVITE\r\n\r\n"
)


def test_early_media_and_the_same_answer_again() -> None:
    watch = AnswerWatch()
    assert watch.passes(b"t", b"sdp", provisional=True, agreed=0)
    assert watch.passes(b"t", b"sdp", provisional=True, agreed=1)
    assert watch.passes(b"t", b"sdp", provisional=False, agreed=1)


def test_after_a_failure_nothing_passes() -> None:
    watch = AnswerWatch()
    assert watch.passes(b"t", b"unfit", provisional=True, agreed=0)
    assert not watch.passes(b"t", b"fit", provisional=True, agreed=0)
    assert not watch.passes(b"t", b"fit", provisional=False, agreed=0)
    assert not watch.passes(b"t", b"unfit", provisional=True, agreed=0)


def test_another_branch_may_win_but_not_ring() -> None:
    watch = AnswerWatch()
    assert watch.passes(b"t", b"sdp", provisional=True, agreed=0)
    assert not watch.passes(b"u", b"other", provisional=True, agreed=1)
    assert watch.passes(b"u", b"other", provisional=False, agreed=1)
    assert not watch.passes(b"v", b"third", provisional=False, agreed=1)


def test_what_is_an_answer() -> None:
    found = sdp_answer(b"SIP/2.0 183 Progress\r\n" + HEAD + b"v=0\r\n")
    assert found is not None
    assert (found.sip_call_id, found.to_tag, found.sdp, found.provisional) == (b"c1", b"far", b"v=0\n", True)
    final = sdp_answer(b"SIP/2.0 200 OK\r\n" + HEAD + b"v=0\r\n")
    assert final is not None
    assert not final.provisional


def test_what_is_none() -> None:
    assert sdp_answer(b"SIP/2.0 180 Ringing\r\n" + HEAD) is None
    assert sdp_answer(b"SIP/2.0 486 Busy\r\n" + HEAD + b"v=0\r\n") is None
    assert sdp_answer(b"INVITE sip:x SIP/2.0\r\n" + HEAD + b"v=0\r\n") is None
    assert sdp_answer(b"SIP/2.0 200 OK\r\n" + HEAD.replace(b"INVITE", b"UPDATE") + b"v=0\r\n") is None
    assert sdp_answer(b"SIP/2.0 200 OK\r\n\r\nv=0") is None
