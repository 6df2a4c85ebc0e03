"""`gateway config`."""

import json
from pathlib import Path

import pytest

from tests.unit.cli.commands import Gateway
from tests.unit.config.files import DOCUMENTED, SECRET

PLAN = 'version: 1\nroutes: [{name: all, match: {to: "*"}, do: [{ai: {agent: receptionist}}]}]\n'


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    path = tmp_path / "gw.yaml"
    path.write_text(DOCUMENTED)
    (tmp_path / "dialplans").mkdir()
    (tmp_path / "dialplans" / "main.yaml").write_text(PLAN)
    return path


def test_check_a_good_file(gateway: Gateway, file: Path) -> None:
    outcome = gateway("config", "check", file)
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out == f"{file}: ok (agents: receptionist; routes: 1; calls: 200)\n"


def test_check_without_the_variable(gateway: Gateway, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    outcome = gateway("config", "check", file)
    assert (outcome.status, outcome.out) == (2, "")
    assert "OPENAI_API_KEY" in outcome.err


def test_check_reads_the_dialplans_too(gateway: Gateway, file: Path) -> None:
    plan = file.parent / "dialplans" / "main.yaml"
    plan.write_text(PLAN.replace("receptionist", "receptionst"))
    outcome = gateway("config", "check", file)
    assert outcome.status == 2
    assert outcome.err.startswith(f"{plan}:2:")
    assert 'did you mean "receptionist"?' in outcome.err


def test_check_without_the_dialplans(gateway: Gateway, file: Path) -> None:
    (file.parent / "dialplans" / "main.yaml").unlink()
    outcome = gateway("config", "check", file)
    assert outcome.status == 2
    assert "found no dialplan" in outcome.err


def test_print_masks_secrets(gateway: Gateway, file: Path) -> None:
    outcome = gateway("config", "check", "--print", file)
    assert outcome.status == 0
    assert "api_key: ${OPENAI_API_KEY}" in outcome.out
    assert "rtp_timeout_s: 20.0" in outcome.out
    assert SECRET not in outcome.out


def test_the_schema_describes_every_key(gateway: Gateway) -> None:
    schema = json.loads(gateway("config", "schema").out)
    sections = {
        "node",
        "sip",
        "webrtc",
        "http",
        "log",
        "webhooks",
        "incoming",
        "agents",
        "http_tools",
        "trunks",
        "users",
        "dialplans",
        "dialplans_reload",
    }
    assert set(schema["properties"]) == sections
    assert schema["$defs"]["SipConfig"]["properties"]["max_calls"]["maximum"] == 2000
    assert schema["$defs"]["SipConfig"]["properties"]["max_calls"]["description"]


def test_the_schema_knows_what_is_written_as_text(gateway: Gateway) -> None:
    schema = json.loads(gateway("config", "schema").out)
    for name in ("ListenAddress", "HttpListen", "PortRange", "AddressPort"):
        assert schema["$defs"][name]["type"] == "string"


def test_a_listening_address_that_others_reach_is_pointed_out(gateway: Gateway, tmp_path: Path) -> None:
    path = tmp_path / "gw.yaml"
    path.write_text('http: {listen: "0.0.0.0:8080"}\n')
    outcome = gateway("config", "check", path)
    assert outcome.status == 0
    assert "gateway keys create" in outcome.err
    path.write_text('http: {listen: "[::1]:8080"}\n')
    assert gateway("config", "check", path).err == ""
