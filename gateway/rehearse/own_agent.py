"""A gateway for the rehearsal's run, with the embedded bot as its agent behind a tap."""

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from gateway.bench.own_gateway import (
    RunningGateway,
    loopback_config,
    realtime_agent,
    serving_child,
    started_gateway,
)
from gateway.errors import LocalError
from gateway.rehearse.share import TapNotes

DIALOGUE: Final = Path(__file__).parent / "agent.yaml"
_SPARE_CALLS: Final = 8
"""Room beyond the calls placed: a slot is free again a moment after its BYE."""
_CALLS_PER_BOT: Final = 10
"""A bot is one process, and recognises the speech of so many in noise at a time."""
_START_S: Final = 100.0
_TURN_SILENCE_MS: Final = 300
"""As for a built-in agent with `backend: bot`."""


@dataclass(frozen=True, slots=True)
class OwnAgent:
    """What runs."""

    gateway: RunningGateway
    _notes: Path

    def notes(self) -> list[TapNotes]:
        """What the tap noted; there once the agent has ended. Raises `LocalError`."""
        try:
            return msgspec.json.decode(self._notes.read_bytes(), type=list[TapNotes])
        except (OSError, msgspec.DecodeError) as exc:
            raise LocalError(f"the tap before the bot left no notes: {exc}") from exc


def agent_behind(tap_port: int) -> dict[str, object]:
    """Configuration of the agent."""
    return realtime_agent(
        tap_port,
        "bot",
        greeting="Greet the caller.",
        transcription_model="embedded",
        turn_silence_ms=_TURN_SILENCE_MS,
    )


@contextlib.contextmanager
def own_agent(calls: int, directory: Path) -> Iterator[OwnAgent]:
    """Start bot and gateway, end both. Raises `LocalError` when one does not start.

    directory: takes everything they write; the path must be short, as sockets are in it.
    """
    notes = directory / "notes.json"
    bots = min(-(-calls // _CALLS_PER_BOT), os.cpu_count() or 1)
    logs = [str(directory / f"bot{number}.log") for number in range(bots)]
    command = [sys.executable, "-m", "gateway.rehearse.tap"]
    command += ["--dialogue", str(DIALOGUE), "--notes", str(notes), "--log", *logs]
    with serving_child(command, "the embedded bot", within_s=_START_S) as tap_port:
        agents = {"bot": agent_behind(tap_port)}
        config = loopback_config("rehearsal", directory / "run", calls + _SPARE_CALLS, agents)
        with started_gateway(config, directory) as running:
            yield OwnAgent(running, notes)
