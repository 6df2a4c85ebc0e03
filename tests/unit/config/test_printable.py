"""The effective configuration, as shown to people."""

from pathlib import Path

from gateway.config.loader import load
from gateway.config.printable import as_yaml
from tests.unit.config.files import DOCUMENTED, ENVIRONMENT, SECRET, load_text


def _printed(directory: Path, text: str) -> str:
    path = directory / "gw.yaml"
    path.write_text(text)
    return as_yaml(load(path, ENVIRONMENT))


def test_what_is_printed_loads_as_the_same_configuration(tmp_path: Path) -> None:
    assert load_text(tmp_path, _printed(tmp_path, DOCUMENTED)) == load_text(tmp_path, DOCUMENTED)


def test_defaults_are_shown_in_the_order_of_the_documentation(tmp_path: Path) -> None:
    printed = _printed(tmp_path, "")
    keys = [line.partition(":")[0] for line in printed.splitlines() if not line.startswith((" ", "-"))]
    assert keys == [
        "node",
        "sip",
        "webrtc",
        "http",
        "log",
        "webhooks",
        "incoming",
        "agents",
        "http_tools",
        "users",
        "trunks",
        "dialplans",
        "dialplans_reload",
    ]
    assert "- udp://0.0.0.0:5060" in printed
    assert "rtp_ports: 20000-24999" in printed
    assert "backend: bot" in printed


def test_values_of_the_environment_are_not_shown(tmp_path: Path) -> None:
    text = DOCUMENTED.replace("You answer", "${OPENAI_API_KEY} You answer")
    printed = _printed(tmp_path, text)
    assert SECRET not in printed
    assert "api_key: ${OPENAI_API_KEY}" in printed
    assert "instructions: ${OPENAI_API_KEY} You answer" in printed


def test_a_key_written_into_the_file_is_masked(tmp_path: Path) -> None:
    printed = _printed(tmp_path, DOCUMENTED.replace("${OPENAI_API_KEY}", SECRET))
    assert SECRET not in printed
    assert "api_key: '**********'" in printed
