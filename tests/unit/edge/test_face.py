"""What the outside gets to see of us."""

from gateway.core.ids import CardId
from gateway.edge.commands import Flow
from gateway.edge.face import Face, Listener
from gateway.edge.message import parse
from tests.unit.edge.stage import PHONE, SDP, card_request

_LISTENERS = (Listener("udp", "0.0.0.0", 5060), Listener("tcp", "192.0.2.1", 5061))


def _face(public: str | None = None, media: str | None = None) -> Face:
    return Face(
        _LISTENERS,
        40000,
        secret=b"k",
        public_address=public,
        media_address=media,
        local_address=lambda peer: f"10.{peer.split('.')[0]}.0.1",
    )


def test_the_address_is_the_configured_one_else_the_listening_one_else_the_interfaces() -> None:
    tcp = Flow("tcp", 1, 5, "198.51.100.1", 999)
    assert _face("gw.example").host(PHONE) == _face("gw.example").host(tcp) == "gw.example"
    assert _face().host(tcp) == "192.0.2.1"
    assert _face().host(PHONE) == "10.192.0.1"


def test_an_address_is_ours_once_it_has_been_given_out() -> None:
    face = _face()
    assert not face.is_own("10.192.0.1", 5060)
    face.host(PHONE)
    assert face.is_own("10.192.0.1", 5060)
    assert face.is_own("192.0.2.1", 5061)
    assert face.is_own("127.0.0.1", 40000)
    assert not face.is_own("0.0.0.0", 5060)


def test_a_public_name_is_an_address_in_sdp() -> None:
    message = parse(card_request("INVITE", body=SDP))
    _face("gw.example", "203.0.113.5").dress(message, PHONE, CardId(3))
    assert b"c=IN IP4 203.0.113.5" in message.body
    assert message.get(b"contact") == b"<sip:100@gw.example:5060;c=3>"


def test_the_branch_depends_on_the_secret_and_on_what_a_transaction_is() -> None:
    first = parse(card_request("INVITE", cseq=5))
    via = first.all(b"via")[0]
    branch = _face().branch(via, first)
    assert branch == _face().branch(via.replace(b";rport", b";rport=1;received=1.2.3.4"), first)
    other = Face(_LISTENERS, 40000, secret=b"other").branch(via, first)
    assert len({branch, other, _face().branch(via.replace(b"card5", b"card6"), first)}) == 3


def test_without_a_proper_branch_the_whole_request_counts() -> None:
    one = parse(card_request("INVITE", cseq=5))
    two = parse(card_request("INVITE", cseq=6))
    via = b"SIP/2.0/UDP 192.0.2.7;branch=old"
    assert _face().branch(via, one) != _face().branch(via, two)
    assert _face().branch(via, one) == _face().branch(via, parse(card_request("CANCEL", cseq=5)))
