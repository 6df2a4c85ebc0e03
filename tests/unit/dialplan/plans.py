"""Small plans for tests."""

import wave
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.config.problems import ConfigError
from gateway.dialplan.dialplan import Decision, Dialplan
from gateway.dialplan.interpreter import run_route
from gateway.dialplan.loader import load_dialplan
from gateway.dialplan.runtime import CallFactsView
from gateway.dialplan.surroundings import Surroundings, Trunk
from tests.unit.dialplan.scripted_call import CallEndedError, ScriptedCall

SURROUNDINGS = Surroundings(
    agents=("receptionist", "sales", "support"),
    trunks={"pbx": Trunk("DE", ("*",)), "carrier": Trunk("DE", ("+49*",))},
    users=("anna", "ben"),
)

MONDAY = datetime(2026, 11, 23, 9, tzinfo=UTC)


def write(directory: Path, text: str, name: str = "main.yaml") -> Path:
    """A plan file; `version: 1` is put ahead of it."""
    (directory / name).write_text(f"version: 1\n{text}")
    return directory


def one(do: str, rest: str = "") -> str:
    """A plan of one route for every call."""
    return f'routes: [{{name: r, match: {{to: "*"}}, do: {do}}}]\n{rest}'


def two(first: str, second: str) -> str:
    """A plan of two routes with these conditions."""
    return (
        f"routes:\n  - {{name: a, match: {first}, do: [ai]}}\n  - {{name: b, match: {second}, do: [ai]}}\n"
        'lists: {l: ["1"], m: ["2"]}\nhours: {h: {daily: open}, i: {daily: closed}}\n'
    )


def write_wav(path: Path) -> None:
    """A tenth of a second of silence."""
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(1600))


def load(directory: Path, text: str, surroundings: Surroundings = SURROUNDINGS) -> Dialplan:
    """A plan of one file."""
    return load_dialplan(write(directory, text), surroundings)


def mistakes(directory: Path, text: str, surroundings: Surroundings = SURROUNDINGS) -> list[str]:
    """What is wrong with a plan of one file, without the directory in front."""
    with pytest.raises(ConfigError) as caught:
        load(directory, text, surroundings)
    return str(caught.value).replace(f"{directory}/", "").splitlines()


def ask(
    plan: Dialplan, to: str, from_: str = "+491701234567", at: datetime = MONDAY, **facts: object
) -> Decision:
    """What the plan says about a call."""
    view: dict[str, object] = {"kind": "sip", "direction": "inbound", "to_number": to, "from_number": from_}
    return plan.decide(CallFactsView(**{**view, **facts}), at)  # type: ignore[arg-type]


async def run(plan: Dialplan, call: ScriptedCall | None = None, to: str = "1") -> ScriptedCall:
    """Run a call through a plan until it has ended."""
    call = call or ScriptedCall()
    with pytest.raises(CallEndedError):
        await run_route(ask(plan, to), call)
    return call
