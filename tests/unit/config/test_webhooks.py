"""The `webhooks` and `incoming` sections."""

import re
from base64 import b64encode
from pathlib import Path

import pytest

from gateway.config.loader import load
from gateway.config.models import GatewayConfig
from gateway.config.printable import as_yaml
from gateway.config.webhooks import signing_key
from tests.unit.config.files import ENVIRONMENT, lines, load_text

KEY = bytes(range(32))
TEXT = "whsec_" + b64encode(KEY).decode()
_ENVIRONMENT = {**ENVIRONMENT, "WEBHOOK_SECRET": TEXT}
_EXAMPLE = Path(__file__).parents[3] / "deploy" / "gateway.example.yaml"


def _receiver(url: str = "https://example.com/x", secret: str = TEXT, more: str = "") -> str:
    return f"webhooks: [{{url: '{url}', secret: '{secret}'{more}}}]\n"


def test_nobody_is_told_and_the_dialplan_decides(tmp_path: Path) -> None:
    config = load_text(tmp_path, "")
    assert config.webhooks == []
    assert config.incoming.decided_by == "dialplan"


def test_a_receiver_is_told_everything_unless_said_otherwise(tmp_path: Path) -> None:
    config = load_text(tmp_path, _receiver())
    assert config.webhooks[0].events == ["realtime.call.incoming", "call.answered", "call.ended"]
    assert signing_key(config.webhooks[0].secret) == KEY


def test_the_sections_of_the_shipped_example_work(tmp_path: Path) -> None:
    text = _EXAMPLE.read_text()
    for start in ("#webhooks:", "#incoming:"):
        first = text.index(start)
        block = text[first : text.index("\n\n", first)]
        text = text.replace(block, re.sub(r"^#", "", block, flags=re.MULTILINE))
    config = load_text(tmp_path, text, _ENVIRONMENT)
    assert len(config.webhooks) == 1
    assert (config.incoming.decided_by, config.incoming.timeout_s) == ("webhook", 5.0)


def test_the_secret_reaches_the_core_and_nobody_else(tmp_path: Path) -> None:
    path = tmp_path / "gw.yaml"
    path.write_text(_receiver(secret="${WEBHOOK_SECRET}"))
    loaded = load(path, _ENVIRONMENT)
    child = GatewayConfig.model_validate_json(loaded.config.for_child())
    assert signing_key(child.webhooks[0].secret) == KEY
    assert TEXT not in as_yaml(loaded)
    assert TEXT not in loaded.config.model_dump_json()
    assert TEXT not in repr(loaded.config)


@pytest.mark.parametrize(
    "url", ["https://a.example:8443/x?y=1", "http://localhost:1/", "http://10.0.0.1/x", "http://crm:80/calls"]
)
def test_urls_that_will_do(tmp_path: Path, url: str) -> None:
    assert load_text(tmp_path, _receiver(url)).webhooks[0].url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "http://93.184.215.14/",
        "https://me:pass@example.com/",
        "ftp://localhost/",
        "https:///x",
        "https://a.example:99999/",
        "https://a.example/#x",
        "http://[",
        "x",
    ],
)
def test_urls_that_will_not(tmp_path: Path, url: str) -> None:
    assert "webhooks[0].url" in lines(tmp_path, _receiver(url))[0]


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_AAAA", TEXT[6:], "whsec_" + "!" * 44, TEXT + "A" * 80]
)
def test_secrets_that_will_not_are_not_shown(tmp_path: Path, secret: str) -> None:
    (line,) = lines(tmp_path, _receiver(secret=secret))
    assert "24 to 64 random bytes" in line
    assert "not shown" in line


@pytest.mark.parametrize("events", ["[]", "[call.unknown]", "[call.ended, call.ended]"])
def test_events_that_cannot_be(tmp_path: Path, events: str) -> None:
    assert "webhooks[0].events" in lines(tmp_path, _receiver(more=f", events: {events}"))[0]


@pytest.mark.parametrize("webhooks", ["", _receiver(more=", events: [call.ended]")])
def test_somebody_has_to_decide(tmp_path: Path, webhooks: str) -> None:
    (line,) = lines(tmp_path, webhooks + "incoming: {decided_by: webhook}\n")
    assert "incoming" in line
    assert "realtime.call.incoming" in line
    load_text(tmp_path, _receiver() + "incoming: {decided_by: webhook}\n")


def test_one_address_cannot_be_two_receivers(tmp_path: Path) -> None:
    entry = "{url: 'https://example.com/%s', secret: '" + TEXT + "'}"
    first, second = entry % "x", entry % "y"
    (line,) = lines(tmp_path, f"webhooks: [{first}, {second}, {first}]\n")
    assert "webhooks[2].url" in line
    assert "the address of an earlier entry" in line
    assert len(load_text(tmp_path, f"webhooks: [{first}, {second}]\n").webhooks) == 2
