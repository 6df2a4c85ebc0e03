"""The `webrtc` section: off by default, checked like the rest."""

import re
from pathlib import Path

import pytest

from gateway.config.loader import load
from gateway.config.models import GatewayConfig
from gateway.config.printable import as_yaml
from gateway.config.webrtc import AddressPort, WebrtcConfig
from tests.unit.config.files import ENVIRONMENT, lines, load_text

_EXAMPLE = Path(__file__).parents[3] / "deploy" / "gateway.example.yaml"


def _webrtc(directory: Path, text: str) -> WebrtcConfig:
    found = load_text(directory, text).webrtc
    assert found is not None
    return found


@pytest.mark.parametrize("text", ["", "webrtc:\n", "webrtc: null\n", "sip: {max_calls: 5}\n"])
def test_without_the_section_it_is_off(tmp_path: Path, text: str) -> None:
    assert load_text(tmp_path, text).webrtc is None


def test_an_empty_section_turns_it_on(tmp_path: Path) -> None:
    webrtc = _webrtc(tmp_path, "webrtc: {}\n")
    assert str(webrtc.listen) == "0.0.0.0:3478"
    assert webrtc.advertise == []
    assert webrtc.cards == 2


def test_the_section_of_the_shipped_example_works(tmp_path: Path) -> None:
    example = _EXAMPLE.read_text()
    first = example.index("#webrtc:")
    section = example[first : example.index("\n\n", first)]
    text = example.replace(section, re.sub("^#", "", section, flags=re.MULTILINE))
    webrtc = _webrtc(tmp_path, text)
    assert webrtc.advertise == [AddressPort(address="203.0.113.5", port=3478)]
    assert webrtc.cors == ["https://example.com"]
    assert set(WebrtcConfig.model_fields) == webrtc.model_fields_set
    defaults = WebrtcConfig(advertise=webrtc.advertise, cors=webrtc.cors)
    assert webrtc == defaults


@pytest.mark.parametrize(("peers", "cards"), [(1, 1), (60, 1), (61, 2), (120, 2), (121, 3)])
def test_cards_for_peers(tmp_path: Path, peers: int, cards: int) -> None:
    assert _webrtc(tmp_path, f"webrtc: {{max_peers: {peers}}}").cards == cards


def test_children_and_readers_see_the_same(tmp_path: Path) -> None:
    path = tmp_path / "gw.yaml"
    path.write_text('webrtc: {advertise: ["203.0.113.5:3478", "198.51.100.7:443"], cors: ["*"]}\n')
    loaded = load(path, ENVIRONMENT)
    assert GatewayConfig.model_validate_json(loaded.config.for_child()) == loaded.config
    assert load_text(tmp_path, as_yaml(loaded)) == loaded.config


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("listen: 3478", "found 3478, expected ADDRESS:PORT with an IPv4 address"),
        ("listen: 'localhost:3478'", 'found "localhost:3478", expected ADDRESS:PORT with an IPv4 address'),
        ("listen: '[::1]:3478'", "expected ADDRESS:PORT with an IPv4 address"),
        ("listen: '127.0.0.1:0'", "expected port to be a whole number from 1 to 65535"),
        ("listen: '127.0.0.1:123456'", "expected ADDRESS:PORT with an IPv4 address"),
        (
            "listen: '0.0.0.0:5060'",
            "gw.yaml:1:9: webrtc: found port 5060, expected a port that SIP does not use",
        ),
        ("listen: '0.0.0.0:20001'", "webrtc: found port 20001, expected a port outside sip.rtp_ports"),
        ("advertise: 127.0.0.1:1", 'webrtc.advertise: found "127.0.0.1:1", expected a list'),
        ("advertise: ['0.0.0.0:3478']", "found 0.0.0.0, expected addresses that peers can send to"),
        ("advertise: ['1.2.3.4:1', '1.2.3.4:1']", "found an entry that is repeated"),
        ("max_peers: 0", "webrtc.max_peers: found 0, expected a whole number from 1 to 2000"),
        ("max_peers_per_card: 201", "expected a whole number from 1 to 200"),
        ("sample_rate_hz: 8000", "webrtc.sample_rate_hz: found 8000, expected one of 16000, 24000"),
        ("relay_workers: 17", "expected a whole number from 1 to 16"),
        ("cors: ['example.com']", "expected origins such as https://example.com"),
        ("cors: ['https://example.com/page']", "expected origins such as https://example.com"),
        ("cors: ['https://user@example.com']", "expected origins such as https://example.com"),
        ("cors: ['https://[x']", "expected origins such as https://example.com"),
        ("orphan_timeout_s: -1", "expected a number from 0 to 3600"),
        ("peers: 5", "webrtc.peers: found an unknown key, expected one of listen, advertise, max_peers,"),
    ],
)
def test_one_error(tmp_path: Path, section: str, expected: str) -> None:
    (line,) = lines(tmp_path, f"webrtc: {{{section}}}")
    assert expected in line


@pytest.mark.parametrize("origin", ["http://localhost:3000", "https://a.example", "http://[::1]:8080"])
def test_origins(tmp_path: Path, origin: str) -> None:
    assert _webrtc(tmp_path, f"webrtc: {{cors: ['{origin}']}}").cors == [origin]
