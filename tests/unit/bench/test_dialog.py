"""One outgoing call's signalling, message by message."""

import pytest

from gateway.bench.dialog import Dialog, DialogIds, DialogState, Line, build_options
from gateway.bench.sip import SipMessage, build_offer, parse_message

LINE = Line("127.0.0.1", 5070, 4000, ("127.0.0.1", 5060), "1000", "caller")
IDS = DialogIds("id@bench", "mytag", "z9hG4bKabc")


def _response(request: bytes, status: str, *extra: str, body: str = "") -> SipMessage:
    """What a far end with the tag `theirs` answers."""
    asked = parse_message(request)
    lines = [f"SIP/2.0 {status}", f"Via: {asked.first('via')}", f"From: {asked.first('from')}"]
    lines += [f"To: {asked.first('to')};tag=theirs", f"Call-ID: {asked.first('call-id')}"]
    lines += [f"CSeq: {asked.first('cseq')}", *extra]
    return parse_message(("\r\n".join(lines) + "\r\n\r\n" + body).encode())


def _ok(invite: bytes) -> SipMessage:
    extra = (
        "Contact: <sip:gw@127.0.0.1:5060;c=2>",
        "Record-Route: <sip:out;lr>",
        "Record-Route: <sip:in;lr>",
    )
    return _response(invite, "200 OK", *extra, body=build_offer("127.0.0.9", 20000))


def _from_far_end(method: str) -> SipMessage:
    text = (
        f"{method} sip:caller@127.0.0.1:5070 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKx\r\n"
        f"From: <sip:1000@h>;tag=theirs\r\nTo: <sip:caller@h>;tag=mytag\r\n"
        f"Call-ID: id@bench\r\nCSeq: 8 {method}\r\n\r\n"
    )
    return parse_message(text.encode())


@pytest.fixture
def up() -> Dialog:
    """A call that was answered at 2 s."""
    dialog = Dialog(LINE, IDS)
    (invite,) = dialog.start(1.0)
    dialog.handle(_ok(invite), 2.0)
    return dialog


def test_an_answer_is_acknowledged_along_the_route_set() -> None:
    dialog = Dialog(LINE, IDS)
    (invite,) = dialog.start(1.0)
    assert parse_message(invite).start_line == "INVITE sip:1000@127.0.0.1:5060 SIP/2.0"
    assert dialog.handle(_response(invite, "100 Trying"), 1.1) == []
    (ack,) = (parse_message(data) for data in dialog.handle(_ok(invite), 2.5))
    assert ack.start_line == "ACK sip:gw@127.0.0.1:5060;c=2 SIP/2.0"
    assert ack.all("route") == ["<sip:in;lr>", "<sip:out;lr>"]
    assert ack.to_tag == "theirs"
    assert ack.first("via") != parse_message(invite).first("via")  # a 2xx ACK is a transaction of its own
    assert (dialog.state, dialog.media) == (DialogState.UP, ("127.0.0.9", 20000))
    assert (dialog.invited_s, dialog.answered_s, dialog.next_deadline()) == (1.0, 2.5, None)


def test_a_repeated_answer_is_acknowledged_again_and_changes_nothing() -> None:
    dialog = Dialog(LINE, IDS)
    (invite,) = dialog.start(1.0)
    first = dialog.handle(_ok(invite), 2.0)
    assert dialog.handle(_ok(invite), 2.5) == first
    assert dialog.answered_s == 2.0


def test_an_invite_is_repeated_until_something_answers() -> None:
    dialog = Dialog(LINE, IDS)
    (invite,) = dialog.start(0.0)
    assert dialog.handle_timeout(0.4) == []
    assert dialog.next_deadline() == 0.5
    assert dialog.handle_timeout(0.5) == [invite]
    assert dialog.next_deadline() == 1.5
    assert dialog.handle_timeout(1.5) == [invite]
    dialog.handle(_response(invite, "180 Ringing"), 2.0)
    assert dialog.handle_timeout(4.0) == []
    assert dialog.next_deadline() == 32.0


@pytest.mark.parametrize("ringing", [True, False])
def test_no_answer_fails_and_cancels_only_what_was_seen(ringing: bool) -> None:
    dialog = Dialog(LINE, IDS, answer_limit_s=5)
    (invite,) = dialog.start(0.0)
    if ringing:
        dialog.handle(_response(invite, "180 Ringing"), 1.0)
    sent = [parse_message(data) for data in dialog.handle_timeout(5.0)]
    assert (dialog.state, dialog.failure) == (DialogState.FAILED, "no answer to INVITE")
    assert [message.method for message in sent] == (["CANCEL"] if ringing else [])
    if ringing:
        assert sent[0].first("via") == parse_message(invite).first("via")
    assert dialog.next_deadline() is None


def test_a_refusal_is_acknowledged_on_the_invites_branch() -> None:
    dialog = Dialog(LINE, IDS)
    (invite,) = dialog.start(0.0)
    refusal = _response(invite, "503 Service Unavailable", "Retry-After: 2")
    (ack,) = dialog.handle(refusal, 0.1)
    assert parse_message(ack).first("via") == parse_message(invite).first("via")
    assert parse_message(ack).to_tag == "theirs"
    assert (dialog.state, dialog.failure) == (
        DialogState.FAILED,
        "503 Service Unavailable (Retry-After: 2)",
    )
    assert dialog.handle(refusal, 0.6) == [ack]


def test_an_answer_without_our_codec_fails_the_call() -> None:
    dialog = Dialog(LINE, IDS)
    (invite,) = dialog.start(0.0)
    sent = dialog.handle(_response(invite, "200 OK", body="v=0"), 0.1)
    assert parse_message(sent[0]).method == "ACK"
    assert dialog.state is DialogState.FAILED
    assert "IPv4 audio" in dialog.failure


def test_bye_is_repeated_with_growing_pauses_until_answered(up: Dialog) -> None:
    (bye,) = up.hang_up(10.0)
    assert parse_message(bye).start_line == "BYE sip:gw@127.0.0.1:5060;c=2 SIP/2.0"
    repeats: list[float] = []
    while up.state is DialogState.ENDING and len(repeats) < 6:
        now = up.next_deadline()
        assert now is not None
        repeats.append(now)
        assert up.handle_timeout(now) == [bye]
    assert [round(at - 10, 1) for at in repeats] == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5]
    up.handle(_response(bye, "200 OK"), 27.0)
    assert (up.state, up.ended_by, up.next_deadline()) == (DialogState.ENDED, "caller", None)


def test_a_bye_that_nobody_answers_is_a_failure(up: Dialog) -> None:
    up.hang_up(10.0)
    assert up.handle_timeout(42.0) == []
    assert (up.state, up.failure) == (DialogState.FAILED, "no answer to BYE")


def test_abandon_ends_the_wait_for_an_answer_to_bye_only(up: Dialog) -> None:
    up.abandon()
    assert up.state is DialogState.UP
    up.hang_up(10.0)
    up.abandon()
    assert (up.state, up.failure) == (DialogState.FAILED, "no answer to BYE")


def test_the_far_end_may_hang_up_and_repeat_it(up: Dialog) -> None:
    for _ in range(2):
        (ok,) = up.handle(_from_far_end("BYE"), 3.0)
        assert parse_message(ok).start_line == "SIP/2.0 200 OK"
        assert (up.state, up.ended_by) == (DialogState.ENDED, "far_end")
    assert up.hang_up(4.0) == []


def test_byes_that_cross_end_the_call_once(up: Dialog) -> None:
    (bye,) = up.hang_up(3.0)
    up.handle(_from_far_end("BYE"), 3.01)
    up.handle(_response(bye, "200 OK"), 3.02)
    assert (up.state, up.ended_by) == (DialogState.ENDED, "far_end")


def test_other_requests_are_not_served_and_acks_not_answered(up: Dialog) -> None:
    (reply,) = up.handle(_from_far_end("UPDATE"), 3.0)
    assert parse_message(reply).status == 501
    assert up.handle(_from_far_end("ACK"), 3.0) == []
    assert up.state is DialogState.UP


def test_options_asks_the_same_target() -> None:
    message = parse_message(build_options(LINE, IDS))
    assert message.start_line == "OPTIONS sip:1000@127.0.0.1:5060 SIP/2.0"
    assert message.first("cseq") == "1 OPTIONS"
