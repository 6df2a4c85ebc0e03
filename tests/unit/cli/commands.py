"""Running the command line inside the test."""

from dataclasses import dataclass

import pytest

from gateway.cli.main import main


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command left."""

    status: int
    out: str
    err: str


class Gateway:
    """Runs `gateway ...` and catches what it prints."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: object) -> Outcome:
        self._capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        out, err = self._capsys.readouterr()
        return Outcome(status, out, err)
