"""Whom a client wants, and what is no offer."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.api.wishes import (
    BadWishError,
    SecretRequest,
    Session,
    Target,
    bound_target,
    check_offer,
    choose_target,
    read_as,
    read_session,
)

AGENTS = ("seller", "helper")


@pytest.mark.parametrize(
    ("query", "session", "target"),
    [
        ({}, Session(), Target("", chosen=False)),
        ({"to": "12"}, Session(to="34", agent="seller", model="m"), Target("12", chosen=True)),
        ({"agent": "helper"}, Session(agent="seller"), Target("helper", chosen=True)),
        ({}, Session(agent="seller", model="m"), Target("seller", chosen=True)),
        ({"model": "q"}, Session(model="m"), Target("q", chosen=False)),
        ({}, Session(model="gpt-realtime"), Target("gpt-realtime", chosen=False)),
    ],
)
def test_the_query_comes_first_and_the_model_last(
    query: dict[str, str], session: Session, target: Target
) -> None:
    assert choose_target(query, session, AGENTS) == target


@pytest.mark.parametrize("query", [{"agent": "nobody"}, {"to": "a\nb"}, {"to": "1" * 257}, {"model": "\0"}])
def test_targets_that_cannot_be(query: dict[str, str]) -> None:
    with pytest.raises(BadWishError):
        choose_target(query, Session(), AGENTS)


def test_a_bound_secret_gives_way_to_nothing_chosen() -> None:
    for wanted in (Target("", chosen=False), Target("gpt", chosen=False), Target("seller", chosen=True)):
        assert bound_target("seller", wanted, AGENTS) == "seller"
    for wanted in (Target("helper", chosen=True), Target("helper", chosen=False), Target("5", chosen=True)):
        with pytest.raises(BadWishError) as caught:
            bound_target("seller", wanted, AGENTS)
        assert caught.value.status == 403


def test_sessions_keep_what_is_the_clients_and_ignore_the_rest() -> None:
    assert read_session('{"type":"realtime","model":"m","tools":[],"audio":{}}') == Session(model="m")
    assert read_as("{}", SecretRequest, "body").expires_after.seconds == 600


@given(st.text(max_size=200) | st.binary(max_size=200))
def test_what_is_no_object_is_one_error(text: str | bytes) -> None:
    assume(text.strip()[:1] not in ("{", b"{"))
    with pytest.raises(BadWishError) as caught:
        read_session(text)
    assert caught.value.status == 400


@given(st.text(max_size=300))
def test_what_is_no_sdp_is_one_error(text: str) -> None:
    with pytest.raises(BadWishError):
        check_offer(text)


def offered(audio: str = "UDP/TLS/RTP/SAVPF", *fingerprints: str) -> list[str]:
    """Lines of an offer."""
    return [
        "v=0",
        "o=- 1 1 IN IP4 0.0.0.0",
        f"m=audio 9 {audio} 0",
        "a=ice-ufrag:a",
        "a=ice-pwd:b",
        *(f"a=fingerprint:{each}" for each in fingerprints or ("sha-256 00",)),
    ]


@pytest.mark.parametrize(
    "profile", ["UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", "TCP/TLS/RTP/SAVPF", "RTP/SAVPF"]
)
def test_audio_is_encrypted(profile: str) -> None:
    check_offer("\n".join(offered(profile)))


@pytest.mark.parametrize("profile", ["RTP/AVP", "RTP/AVPF", "UDP/TLS/RTP/AVP", "X", "udp/tls/rtp/savpf"])
def test_audio_that_would_be_open_is_refused(profile: str) -> None:
    with pytest.raises(BadWishError, match="not encrypted") as caught:
        check_offer("\n".join(offered(profile)))
    assert caught.value.status == 422


def test_one_fingerprint_that_can_be_trusted_is_enough() -> None:
    check_offer("\n".join(offered("RTP/SAVPF", "md5 00", "SHA-256 00")))
    for bad in (("md5 00",), ("sha-1 00", "md2 00"), ("sha-256",), ("",)):
        with pytest.raises(BadWishError) as caught:
            check_offer("\n".join(offered("RTP/SAVPF", *bad)))
        assert (caught.value.status, "fingerprint" in str(caught.value)) == (422, True), bad


def test_line_ends_do_not_matter() -> None:
    lines = offered()
    check_offer("\n".join(lines))
    check_offer("\r\n".join(lines))
    with pytest.raises(BadWishError):
        check_offer("\n".join(line for line in lines if not line.startswith("o=")))
