"""Log lines as they are written."""

import json
from collections.abc import Iterator
from typing import Literal

import pytest
import structlog

from gateway.observe.log import configure_logging, get_logger


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def dial(prefix: str) -> None:
    # Values that stand nowhere in the source.
    number = prefix + str(30_123_400 + 56)
    key = "-".join(["sk", "secret"])
    if number and key:
        raise RuntimeError("not connected")


@pytest.mark.parametrize("form", ["json", "auto"])
def test_a_line_is_one_object(capsys: pytest.CaptureFixture[str], form: Literal["json", "auto"]) -> None:
    configure_logging("core", format=form)
    get_logger().bind(call_id="c").info("call answered", setup_ms=1.5, personal={"from": "100"})
    (line,) = capsys.readouterr().err.splitlines()
    entry = json.loads(line)
    assert entry["process"] == "core"
    assert (entry["event"], entry["level"], entry["call_id"]) == ("call answered", "info", "c")
    assert entry["personal"] == {"from": "100"}
    assert entry["timestamp"].endswith("Z")


@pytest.mark.parametrize("form", ["json", "console"])
def test_personal_data_can_be_left_out(
    capsys: pytest.CaptureFixture[str], form: Literal["json", "console"]
) -> None:
    configure_logging("core", format=form, personal="drop")
    get_logger().warning("call answered", card=1, personal={"from": "+4930123456"})
    written = capsys.readouterr().err
    assert "call answered" in written
    assert "4930123456" not in written
    assert "personal" not in written


def test_lesser_levels_are_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("core", level="warning", format="json")
    get_logger().info("chatter")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_traceback_shows_the_way_and_no_values(
    capsys: pytest.CaptureFixture[str], form: Literal["json", "console"]
) -> None:
    configure_logging("core", format=form)
    try:
        dial("+49")
    except RuntimeError:
        get_logger().exception("call failed")
    written = capsys.readouterr().err
    assert "RuntimeError" in written
    assert "dial" in written
    assert "test_log.py" in written
    assert "30123456" not in written
    assert "sk-secret" not in written
