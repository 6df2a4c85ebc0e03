"""Real-time priority, and what the systemd unit allows of it."""

import errno
import os
from pathlib import Path

import pytest

from gateway.observe.priority import CARD_PRIORITY, PATH_PRIORITY, be_realtime, realtime

_UNIT = Path(__file__).parents[3] / "deploy" / "gateway.service"


def test_it_is_asked_for_this_thread_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int, int]] = []
    monkeypatch.setattr(
        os, "sched_setscheduler", lambda pid, policy, param: asked.append((pid, policy, param.sched_priority))
    )
    be_realtime()
    be_realtime(PATH_PRIORITY)
    policy = os.SCHED_RR | os.SCHED_RESET_ON_FORK
    assert asked == [(0, policy, CARD_PRIORITY), (0, policy, PATH_PRIORITY)]


def test_without_permission_it_goes_on_and_says_what_would_help(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_args: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    be_realtime(PATH_PRIORITY, say="warning")
    said = "".join(capsys.readouterr())
    assert "warning" in said
    assert "no real-time priority" in said
    assert f"ulimit -r {CARD_PRIORITY}" in said


def test_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(
        os, "sched_setscheduler", lambda _pid, policy, param: asked.append((policy, param.sched_priority))
    )
    monkeypatch.setattr(os, "sched_getscheduler", lambda _pid: os.SCHED_BATCH)
    with realtime():
        assert asked == [(os.SCHED_RR | os.SCHED_RESET_ON_FORK, CARD_PRIORITY)]
    # Without the flag this is refused to all but root.
    assert asked[1:] == [(os.SCHED_BATCH | os.SCHED_RESET_ON_FORK, 0)]


def test_the_systemd_unit_allows_it() -> None:
    lines = [line.partition("=") for line in _UNIT.read_text().splitlines() if not line.startswith("#")]
    settings = {key: value for key, _, value in lines if value}
    assert int(settings["LimitRTPRIO"]) >= max(CARD_PRIORITY, PATH_PRIORITY)
    assert settings.get("RestrictRealtime", "no") == "no"
