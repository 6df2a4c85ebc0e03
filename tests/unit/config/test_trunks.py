"""The section `trunks`."""

from pathlib import Path

import pytest

from gateway.config.loader import load
from gateway.config.models import GatewayConfig
from gateway.config.printable import as_yaml
from tests.unit.config.files import lines, load_text

PASSWORD = "pbx-secret-77"
FULL = """\
trunks:
  pbx:
    address: 192.0.2.5:5070
    transport: tcp
    username: gw
    password: "${PBX}"
    from_user: "+49305550100"
    domain: pbx.example.com
    allow: ["+49*", "op*", "2XX"]
    sources: [192.0.2.0/28, 198.51.100.7]
    region: DE
"""


def test_everything_can_be_said(tmp_path: Path) -> None:
    pbx = load_text(tmp_path, FULL, {"PBX": PASSWORD}).trunks["pbx"]
    assert (pbx.address.host, pbx.address.port, pbx.transport) == ("192.0.2.5", 5070, "tcp")
    assert (pbx.username, pbx.password.get_secret_value()) == ("gw", PASSWORD)
    assert (pbx.from_user, pbx.domain, pbx.region) == ("+49305550100", "pbx.example.com", "DE")
    assert pbx.allow == ["+49*", "op*", "2XX"]
    assert [pbx.sends_from(each) for each in ("192.0.2.5", "192.0.2.16", "198.51.100.7", "nonsense")] == [
        True,
        False,
        True,
        False,
    ]


def test_an_address_is_enough_and_nobody_may_be_dialled(tmp_path: Path) -> None:
    pbx = load_text(tmp_path, "trunks: {pbx: {address: 192.0.2.5}}").trunks["pbx"]
    assert (str(pbx.address), pbx.transport, pbx.allow, pbx.username) == ("192.0.2.5:5060", "udp", [], "")
    assert pbx.sends_from("192.0.2.5")
    assert not pbx.sends_from("192.0.2.6")


def test_a_trunk_may_be_a_host_name(tmp_path: Path) -> None:
    pbx = load_text(tmp_path, "trunks: {pbx: {address: sip.example.com}}").trunks["pbx"]
    assert str(pbx.address) == "sip.example.com:5060"
    assert pbx.networks == ()


def test_the_password_reaches_the_child_and_nobody_else(tmp_path: Path) -> None:
    (tmp_path / "gw.yaml").write_text(FULL)
    loaded = load(tmp_path / "gw.yaml", {"PBX": PASSWORD})
    assert GatewayConfig.model_validate_json(loaded.config.for_child()) == loaded.config
    shown = as_yaml(loaded)
    assert "${PBX}" in shown
    assert PASSWORD not in shown + repr(loaded.config) + loaded.config.model_dump_json()


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("address: 192.0.2.5:x", "expected HOST or HOST:PORT"),
        ("address: 192.0.2.300", "expected HOST or HOST:PORT"),
        ("address: sip:pbx", "expected HOST or HOST:PORT"),
        ("address: 192.0.2.5:0", "trunks.pbx.address"),
        ("transport: udp", "trunks.pbx.address"),
        ("address: a.example, transport: tls", "udp"),
        ("address: a.example, password: xyz", "a username beside the password"),
        ("address: a.example, username: 'a b'", "a name without blanks and quotes"),
        ("address: a.example, from_user: 'a b'", "up to 64 letters, digits and signs"),
        ("address: a.example, domain: 'a b'", "a domain such as sip.example.com"),
        ("address: a.example, allow: ['a*b']", 'a "*" at most at the end'),
        ("address: a.example, sources: [pbx.example.com]", "IPv4 addresses and networks"),
        ("address: a.example, sources: [192.0.2.1/24]", "IPv4 addresses and networks"),
        ("address: a.example, region: Germany", "two capital letters"),
        ("address: a.example, adress: b", "adress"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, keys: str, expected: str) -> None:
    found = lines(tmp_path, f"trunks: {{pbx: {{{keys}}}}}")
    assert len(found) == 1
    assert expected in found[0]
    assert "gw.yaml:1:" in found[0]


def test_a_password_is_not_shown_in_an_error(tmp_path: Path) -> None:
    (found,) = lines(tmp_path, "trunks: {pbx: {address: a.example, password: very-secret}}")
    assert "very-secret" not in found


def test_a_trunk_over_tcp_needs_tcp(tmp_path: Path) -> None:
    text = 'sip: {listen: ["udp://127.0.0.1:5060"]}\ntrunks: {pbx: {address: a.example, transport: tcp}}'
    (found,) = lines(tmp_path, text)
    assert "an address tcp:// in sip.listen for the trunk pbx" in found


def test_names_of_trunks(tmp_path: Path) -> None:
    (found,) = lines(tmp_path, "trunks: {PBX: {address: a.example}}")
    assert "a name of up to 63 small letters" in found
