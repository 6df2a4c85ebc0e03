"""Thresholds: what a file may say, and what follows from it."""

from pathlib import Path

import msgspec
import pytest

from gateway.bench.measure import distribution
from gateway.bench.result import InstrumentHealth, Machine
from gateway.config.problems import ConfigError
from gateway.rehearse.figures import figures_of
from gateway.rehearse.result import Count, Result
from gateway.rehearse.summary import Setting, summarise
from gateway.rehearse.thresholds import DEFAULT, Thresholds, checks, load_thresholds, passed
from tests.unit.rehearse.lines import agent, packets, spoken, trace

SETTING = Setting(
    Machine("cpu", 2, "6", "3.11"),
    "sip:x",
    "clean network",
    "everyday",
    1,
    "flite/slt",
    12.0,
    InstrumentHealth(1.0, distribution([0.001]), 0, 0),
)


def result() -> Result:
    """Two calls, of which one has an interruption and a false stop."""
    plain = trace(packets(agent((0.3, 2.0), (4.6, 11.0))), spoken("speech", 2.5, 4.0))
    said = (spoken("noise", 1.0, 1.2, over=True), spoken("interruption", 6.0, 7.4, over=True))
    disturbed = trace(packets(agent((0.3, 1.5), (4.0, 6.2), (8.0, 11.5))), *said)
    return summarise([figures_of(plain), figures_of(disturbed)], SETTING)


def test_the_shipped_files_are_valid_and_set_limits() -> None:
    for path in (DEFAULT, DEFAULT.with_name("goals.yaml")):
        assert load_thresholds(path) != Thresholds()


def test_each_limit_is_judged() -> None:
    limits = Thresholds.model_validate(
        {
            "response_delay_ms": {"p95": 700, "max": 100},
            "barge_in_stop_ms": {"p95": 250},
            "false_stops": {"noise": {"percent": 1}, "echo": {"percent": 1}},
            "mos": {"least": 4},
        }
    )
    verdicts = {(check.name, check.limit): check for check in checks(result(), limits)}
    assert [check.kept for check in verdicts.values()] == [True, False, True, False, None, True]
    assert verdicts["false stops: noise, %", "≤ 1"].value == 100
    assert not passed(list(verdicts.values()))
    assert verdicts["response delay, ms", "p95 ≤ 700"].value == pytest.approx(600, abs=10)


def test_what_was_not_tried_fails_nothing() -> None:
    limits = Thresholds.model_validate({"gateway_share_ms": {"p95": 1}, "false_stops": {"echo": {"most": 0}}})
    verdicts = checks(result(), limits)
    assert [check.kept for check in verdicts] == [None, None]
    assert not passed(verdicts), "nothing was tried at all"
    assert passed([*verdicts, *checks(result(), Thresholds.model_validate({"mos": {"least": 4}}))])


def test_limits_of_ones_own_must_be_tried() -> None:
    limits = Thresholds.model_validate({"gateway_share_ms": {"p95": 1}, "mos": {"least": 4}})
    verdicts = checks(result(), limits, all_must_be_tried=True)
    assert [check.kept for check in verdicts] == [False, True]


def test_a_mistake_is_told_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("setup_ms:\n  p95: soon\nresponse_delays: {p95: 3}\n")
    with pytest.raises(ConfigError) as caught:
        load_thresholds(file)
    assert "mine.yaml:2" in str(caught.value)
    assert "response_delay_ms" in str(caught.value)
    with pytest.raises(ConfigError, match="readable"):
        load_thresholds(tmp_path / "none.yaml")


def test_the_summary_counts_calls_turns_and_sounds() -> None:
    found = result()
    assert found.failed_calls == Count(0, 2)
    assert found.silent_calls == Count(0, 2)
    assert (found.setup.samples, found.first_utterance.samples) == (2, 2)
    assert found.response_delay.samples == 2
    assert found.barge_in_stop.p50_ms == pytest.approx(200, abs=10)
    assert found.missed_interruptions == Count(0, 1)
    assert found.false_stops["noise"] == found.false_stops["all"] == Count(1, 1)
    assert found.false_stops["echo"] == Count(0, 0)
    assert found.false_stops["echo"].percent is None
    assert [event.outcome for event in found.calls[1].events] == ["stopped", "stopped"]
    decoded = msgspec.json.decode(msgspec.json.encode(found), type=Result)
    assert decoded == found
