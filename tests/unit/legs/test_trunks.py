"""What is sent to a trunk for a target."""

import pytest

from gateway.config.trunks import TrunkConfig
from gateway.core.targets import SipTarget, TargetError
from gateway.legs.trunks import choose_trunk, dial_request, refer_uri

PBX = TrunkConfig.model_validate({"address": "192.0.2.5", "allow": ["op*", "+49*", "ü*", "5;*"]})
CARRIER = TrunkConfig.model_validate(
    {
        "address": "sip.example.com:5080",
        "transport": "tcp",
        "username": "acme",
        "password": "s3cret",
        "domain": "example.com",
        "from_user": "+4930555",
        "allow": ["+*"],
    }
)
TRUNKS = {"pbx": PBX, "carrier": CARRIER}


def test_a_plain_trunk() -> None:
    request = dial_request(TRUNKS, SipTarget("op1", "pbx"), caller="+491701", headers=(("X-Call", "7"),))
    assert request.target_uri == "sip:op1@192.0.2.5:5060"
    assert request.from_uri == "<sip:+491701@192.0.2.5>"
    assert request.headers == (("X-Call", "7"),)
    assert (request.username, request.password) == ("", "")


def test_a_trunk_with_domain_and_credentials() -> None:
    request = dial_request(TRUNKS, SipTarget("+331234", "carrier"), caller="+491701", caller_name='A "B" C')
    assert request.target_uri == "sip:+331234@example.com"
    assert request.headers == (("Route", "<sip:sip.example.com:5080;transport=tcp;lr>"),)
    assert request.from_uri == '"A \\"B\\" C" <sip:+4930555@example.com>'
    assert (request.username, request.password) == ("acme", "s3cret")
    assert "s3cret" not in repr(request)


def test_tcp_without_a_domain() -> None:
    trunk = CARRIER.model_copy(update={"domain": None})
    request = dial_request({"t": trunk}, SipTarget("+331", "t"))
    assert request.target_uri == "sip:+331@sip.example.com:5080;transport=tcp"
    assert request.headers == ()


def test_who_calls_when_nobody_says() -> None:
    assert dial_request(TRUNKS, SipTarget("op1", "pbx")).from_uri == "<sip:gateway@192.0.2.5>"
    named = CARRIER.model_copy(update={"from_user": None})
    assert dial_request({"t": named}, SipTarget("+1", "t")).from_uri == "<sip:acme@example.com>"


@pytest.mark.parametrize(
    ("user", "uri"),
    [
        ("ü#1", "sip:%C3%BC%231@192.0.2.5:5060"),
        ("5;x=y?z", "sip:5%3Bx=y%3Fz@192.0.2.5:5060"),
        ("op:a@b", "sip:op%3Aa%40b@192.0.2.5:5060"),
    ],
)
def test_users_are_escaped(user: str, uri: str) -> None:
    assert dial_request(TRUNKS, SipTarget(user, "pbx")).target_uri == uri


def test_a_caller_cannot_add_to_the_message() -> None:
    request = dial_request(TRUNKS, SipTarget("op1", "pbx"), caller="1>\r\nX: y", caller_name="a\r\nX: y")
    assert request.from_uri == '"aX: y" <sip:gateway@192.0.2.5>'
    assert dial_request(TRUNKS, SipTarget("op1", "pbx"), caller="a>b@c").from_uri == (
        "<sip:a%3Eb%40c@192.0.2.5>"
    )


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        (SipTarget("op1", "nowhere"), r"no trunk 'nowhere' \(configured: pbx, carrier\)"),
        (SipTarget("9001", "pbx"), "trunk pbx may not dial this number"),
        (SipTarget("9001", None), "no trunk may dial this number"),
        (SipTarget("op" + "ü" * 60, "pbx"), "more than 255 characters"),
    ],
)
def test_what_cannot_be_dialled(target: SipTarget, reason: str) -> None:
    with pytest.raises(TargetError, match=reason):
        dial_request(TRUNKS, target)


def test_a_number_goes_by_the_first_trunk_that_may_dial_it() -> None:
    assert choose_trunk(TRUNKS, SipTarget("+4930", None))[0] == "pbx"
    assert choose_trunk(TRUNKS, SipTarget("+33", None))[0] == "carrier"


@pytest.mark.parametrize(
    "header",
    [("Via", "x"), ("f", "x"), ("X y", "z"), ("X", "a\r\nVia: b"), ("", "x"), ("X", "a" * 1025)],
)
def test_headers_that_may_not_be_added(header: tuple[str, str]) -> None:
    with pytest.raises(TargetError, match="header"):
        dial_request(TRUNKS, SipTarget("op1", "pbx"), headers=(header,))


def test_where_a_far_end_is_referred_to() -> None:
    assert refer_uri(TRUNKS, SipTarget("op1", "pbx")) == "sip:op1@192.0.2.5:5060"
    assert refer_uri(TRUNKS, SipTarget("+33", "carrier")) == "sip:+33@example.com"
    with pytest.raises(TargetError):
        refer_uri(TRUNKS, SipTarget("+33", "pbx"))
