"""Header grammar."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.edge.syntax import (
    address_params,
    address_uri,
    param,
    parse_uri,
    parse_via,
    split_values,
    tag_of,
    uri_scheme,
    without_param,
)


@pytest.mark.parametrize(
    ("value", "uri", "tag"),
    [
        (b"<sip:a@b>;tag=x", b"sip:a@b", b"x"),
        (b"sip:a@b;tag=x", b"sip:a@b", b"x"),
        (b'"A <b>;tag=no" <sip:a@b;tag=no>;TAG = yes;z', b"sip:a@b;tag=no", b"yes"),
        (b'"quote \\" <" <sip:a@b>', b"sip:a@b", b""),
        (b"Bob <sip:a@b>", b"sip:a@b", b""),
        (b"<sip:a@b", b"sip:a@b", b""),
        (b"", b"", b""),
    ],
)
def test_addresses(value: bytes, uri: bytes, tag: bytes) -> None:
    assert address_uri(value) == uri
    assert tag_of(value) == tag


def test_address_params_keep_what_is_not_the_uri() -> None:
    assert address_params(b"<sip:a@b;c=1>;expires=5;q=0.3") == b";expires=5;q=0.3"


@pytest.mark.parametrize(
    ("params", "name", "value"),
    [
        (b";rport;branch=z", b"rport", b""),
        (b";branch=z9;rport=17", b"rport", b"17"),
        (b"; Branch = z9 ; x", b"branch", b"z9"),
        (b";xbranch=1", b"branch", None),
        (b";branchx=1", b"branch", None),
        (b"", b"branch", None),
    ],
)
def test_params(params: bytes, name: bytes, value: bytes | None) -> None:
    assert param(params, name) == value


def test_params_can_be_taken_out() -> None:
    assert without_param(b";a=1;received=6.6.6.6;b;received=7.7.7.7", b"received") == b";a=1;b"


def test_via() -> None:
    via = parse_via(b"SIP / 2.0 / tcp example.org : 5070 ;branch=z")
    assert via is not None
    assert (via.transport, via.host, via.port, via.params) == (b"TCP", b"example.org", 5070, b";branch=z")
    short = parse_via(b"SIP/2.0/UDP 192.0.2.1")
    assert short is not None
    assert short.port == 5060


@pytest.mark.parametrize(
    "value", [b"", b"SIP/2.0/UDP", b"SIP/3.0/UDP a", b"SIP/2.0/UDP a:99999", b"SIP/2.0/UDP :5"]
)
def test_no_via(value: bytes) -> None:
    assert parse_via(value) is None


def test_uri() -> None:
    uri = parse_uri(b"sip:user;par=u%40:pw@Host.Example:5070;transport=tcp;c=3?Subject=x")
    assert uri is not None
    assert (uri.scheme, uri.host, uri.port, uri.params) == (
        b"sip",
        "host.example",
        5070,
        b";transport=tcp;c=3",
    )


@pytest.mark.parametrize("uri", [b"tel:+4930", b"http://x", b"sip:", b"sip:a@b:0", b"sip:a@b:70000", b""])
def test_no_sip_uri(uri: bytes) -> None:
    assert parse_uri(uri) is None


def test_scheme() -> None:
    assert uri_scheme(b"SIPS:a@b") == b"sips"
    assert uri_scheme(b"nonsense") == b""


def test_split() -> None:
    assert split_values(b'"a, \\" b" <sip:x,y>;q=1, <sip:z> ,, sip:w') == [
        b'"a, \\" b" <sip:x,y>;q=1',
        b"<sip:z>",
        b"sip:w",
    ]


@given(st.binary(max_size=80))
def test_nothing_raises(value: bytes) -> None:
    for read in (address_uri, address_params, tag_of, parse_via, parse_uri, uri_scheme, split_values):
        read(value)
    param(value, b"tag")
    without_param(value, b"tag")
