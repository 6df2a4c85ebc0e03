"""Signed user name fragments: read back by those who know the secret, made by nobody else."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.ufrag import UFRAG_CHARS, decode, encode

_SECRET = bytes(range(32))
_ports = st.integers(1, 65535)


@given(_ports)
def test_the_port_comes_back(port: int) -> None:
    assert decode(encode(port, _SECRET), _SECRET) == port


@given(_ports)
def test_it_is_made_of_what_ice_allows(port: int) -> None:
    ufrag = encode(port, _SECRET)
    assert re.fullmatch(r"[A-Za-z0-9+/]+", ufrag)
    assert len(ufrag) == UFRAG_CHARS <= 32


def test_no_two_peers_share_one() -> None:
    assert len({encode(40000, _SECRET) for _ in range(1000)}) == 1000


@given(_ports)
def test_another_secret_reads_nothing(port: int) -> None:
    assert decode(encode(port, _SECRET), bytes(32)) is None


@given(_ports, st.integers(0, UFRAG_CHARS - 1), st.sampled_from("ABCDabcd0123+/=é"))
def test_no_changed_character_goes_through(port: int, at: int, character: str) -> None:
    ufrag = encode(port, _SECRET)
    changed = ufrag[:at] + character + ufrag[at + 1 :]
    assert decode(changed, _SECRET) == (port if changed == ufrag else None)


@given(st.text(max_size=40) | st.text(alphabet="Aa0+/=", min_size=UFRAG_CHARS, max_size=UFRAG_CHARS))
def test_any_text_is_read_without_an_error(text: str) -> None:
    assert decode(text, _SECRET) is None


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_what_is_no_port_is_refused(port: int) -> None:
    with pytest.raises(ValueError, match="no UDP port"):
        encode(port, _SECRET)
