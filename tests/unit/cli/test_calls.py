"""`gateway calls`."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.core.record import CallRecord, TimelineEvent, TimelineKind
from gateway.core.termination import Reason, Result
from gateway.store.calls import DATABASE_NAME, CallStore
from tests.unit.cli.commands import Gateway
from tests.unit.store.records import record


def _save(run_dir: Path, records: Sequence[CallRecord]) -> None:
    async def save() -> None:
        async with await CallStore.open(run_dir / DATABASE_NAME) as store:
            for one in records:
                await store.save(one)

    asyncio.run(save())


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    path = tmp_path / "run"
    path.mkdir()
    old = datetime.now(UTC) - timedelta(hours=3)
    lost = record(0x21, reason=Reason.BACKEND_LOST, result=Result.FAILED, started_at=datetime.now(UTC))
    _save(path, [record(0x11, started_at=old), record(0x12, started_at=old + timedelta(hours=1)), lost])
    return path


def _ids(out: str) -> list[str]:
    return [word for word in out.split() if word.startswith("call_")]


def test_the_list_is_newest_first(gateway: Gateway, run_dir: Path) -> None:
    outcome = gateway("calls", "--run-dir", run_dir)
    assert (outcome.status, outcome.err) == (0, "")
    assert _ids(outcome.out) == [record(number).id for number in (0x21, 0x12, 0x11)]
    assert "backend_lost" in outcome.out
    assert "+4930555010" in outcome.out


def test_limit_and_since(gateway: Gateway, run_dir: Path) -> None:
    assert len(_ids(gateway("calls", "--run-dir", run_dir, "--limit", 1).out)) == 1
    assert len(_ids(gateway("calls", "--run-dir", run_dir, "--since", "150m").out)) == 2
    assert gateway("calls", "--run-dir", run_dir, "--since", "1y").status == 2


def test_no_calls(gateway: Gateway, tmp_path: Path) -> None:
    _save(tmp_path, [])
    assert gateway("calls", "--run-dir", tmp_path).out == "No calls.\n"
    assert gateway("calls", "--run-dir", tmp_path, "--json").out == "[]\n"


def test_a_narrow_terminal_gets_the_essentials(
    gateway: Gateway, run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    out = gateway("calls", "--run-dir", run_dir).out
    assert len(_ids(out)) == 3
    assert "answer p50" not in out


def test_the_list_as_json(gateway: Gateway, run_dir: Path) -> None:
    data = json.loads(gateway("calls", "--run-dir", run_dir, "--json").out)
    assert [call["reason"] for call in data] == ["backend_lost", "caller_hangup", "caller_hangup"]
    assert data[0]["cards"] == [0, 3]
    assert "timeline" not in data[0]


def test_the_run_dir_of_a_configuration_whose_secrets_are_not_set(
    gateway: Gateway, run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    config = run_dir.parent / "gw.yaml"
    config.write_text(
        "node: {run_dir: run}\nagents: {a: {backend: openai_realtime, api_key: '${OPENAI_API_KEY}'}}\n"
    )
    assert len(_ids(gateway("calls", "--config", config).out)) == 3
    assert gateway("calls", "show", "--config", config, record(0x21).id).status == 0
    assert gateway("calls", "--config", config, "show", record(0x21).id).status == 0


def test_show_prints_the_record_and_what_was_said(gateway: Gateway, run_dir: Path) -> None:
    outcome = gateway("calls", "--run-dir", run_dir, "show", record(0x11).id)
    assert outcome.status == 0
    lines = [line.rstrip() for line in outcome.out.splitlines()]
    (said,) = [line for line in lines if "agent said" in line]
    assert said.split() == ["2.001", "agent", "said", "Grüß", "Gott", "[bold]", "€"]
    (barge_in,) = [line for line in lines if " barge in " in line and "stop" in line and "first" in line]
    assert barge_in.split() == ["2.600", "barge", "in", "stop", "96", "ms,", "first", "yes"]
    assert any(line.split() == ["barge", "in", "stop", "p50", "96", "ms"] for line in lines)
    assert any(line.split()[:2] == ["from", "number"] for line in lines)


def test_show_as_json_has_the_timeline(gateway: Gateway, run_dir: Path) -> None:
    data = json.loads(gateway("calls", "show", "--run-dir", run_dir, "--json", record(0x11).id).out)
    assert data["timeline"][1] == {"at_ms": 420.0, "kind": "answered", "setup_ms": 420.0}
    assert data["ended_at"] == "2026-03-04T05:23:39.390000Z"


def test_events_without_details_and_unanswered_calls(gateway: Gateway, tmp_path: Path) -> None:
    bare = record(
        answered_at=None,
        setup_ms=None,
        result=Result.ABANDONED,
        reason=Reason.CANCELLED,
        timeline=(TimelineEvent(0.0, TimelineKind.RINGING),),
    )
    _save(tmp_path, [bare])
    outcome = gateway("calls", "--run-dir", tmp_path, "show", bare.id)
    assert outcome.status == 0
    assert any(line.split() == ["0.000", "ringing"] for line in outcome.out.splitlines())
    assert any(line.split() == ["answered", "-"] for line in outcome.out.splitlines())


def test_the_beginning_of_an_id_is_enough(gateway: Gateway, run_dir: Path) -> None:
    (run_dir.parent / "x").mkdir()
    _save(
        run_dir.parent / "x",
        [record(1, id="call_ab12"), record(2, id="call_ab12cd"), record(3, id="call_ff")],
    )
    there = run_dir.parent / "x"
    assert "call_ff" in gateway("calls", "--run-dir", there, "show", "f").out
    assert "call_ff" in gateway("calls", "--run-dir", there, "show", "call_f").out
    exact = gateway("calls", "--run-dir", there, "show", "call_ab12")
    assert _ids(exact.out) == ["call_ab12"]
    several = gateway("calls", "--run-dir", there, "show", "ab")
    assert (several.status, several.err) == (
        1,
        "gateway: ab is the beginning of more than one call: call_ab12, call_ab12cd\n",
    )


def test_what_is_not_there_is_one_line(gateway: Gateway, run_dir: Path) -> None:
    missing = gateway("calls", "--run-dir", run_dir, "show", "zz")
    assert (missing.status, missing.err) == (1, f"gateway: there is no call zz in {run_dir}/calls.db\n")
    nowhere = gateway("calls", "--run-dir", run_dir / "no")
    assert (nowhere.status, nowhere.err) == (
        1,
        f"gateway: call database {run_dir}/no/calls.db does not exist\n",
    )
