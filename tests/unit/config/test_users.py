"""The section `users`: people, their passwords, and that those are never shown."""

from pathlib import Path

import pytest

from gateway.config.loader import load
from gateway.config.models import GatewayConfig
from gateway.config.printable import as_yaml
from tests.unit.config.files import lines, load_text

PASSWORD = "correct horse battery"
ENVIRONMENT = {"OP1": PASSWORD}
TEXT = 'webrtc: {}\nusers: {op1: {password: "${OP1}", name: Olivia}}\n'


def test_people_and_their_passwords(tmp_path: Path) -> None:
    op1 = load_text(tmp_path, TEXT, ENVIRONMENT).users["op1"]
    assert (op1.name, op1.password.get_secret_value()) == ("Olivia", PASSWORD)


def test_without_the_section_there_is_nobody(tmp_path: Path) -> None:
    assert load_text(tmp_path, "webrtc: {}\n").users == {}


def test_the_password_reaches_the_child_and_nobody_else(tmp_path: Path) -> None:
    (tmp_path / "gw.yaml").write_text(TEXT)
    loaded = load(tmp_path / "gw.yaml", ENVIRONMENT)
    assert GatewayConfig.model_validate_json(loaded.config.for_child()) == loaded.config
    shown = as_yaml(loaded)
    assert "${OP1}" in shown
    assert PASSWORD not in shown + repr(loaded.config) + loaded.config.model_dump_json()


def test_a_plain_password_is_masked_when_printed(tmp_path: Path) -> None:
    (tmp_path / "gw.yaml").write_text(TEXT.replace("${OP1}", PASSWORD))
    assert PASSWORD not in as_yaml(load(tmp_path / "gw.yaml", {}))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("webrtc: {}\nusers: {op1: {password: short77}}", "8 to 256 characters"),
        ("webrtc: {}\nusers: {op1: {password: ''}}", "8 to 256 characters"),
        (f"webrtc: {{}}\nusers: {{op1: {{password: {'x' * 257}}}}}", "8 to 256 characters"),
        (
            "webrtc: {}\nusers: {op1: {password: 12345678}}",
            "users.op1.password: found something else (not shown)",
        ),
        ("webrtc: {}\nusers: {op1: {name: Olivia}}", "users.op1.password: found nothing, expected a text"),
        ("webrtc: {}\nusers: {Op 1: {password: long enough}}", "small letters, digits"),
        ("webrtc: {}\nusers: {op1: {password: long enough, role: x}}", "expected one of password, name"),
        (
            "users: {op1: {password: long enough}}",
            "users: found none, expected a section webrtc beside users",
        ),
    ],
)
def test_one_error(tmp_path: Path, text: str, expected: str) -> None:
    (line,) = lines(tmp_path, text)
    assert expected in line
    assert "short77" not in line
    assert "12345678" not in line
