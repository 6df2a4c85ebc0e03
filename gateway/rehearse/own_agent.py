"""A gateway for the rehearsal's run, with the embedded bot as its agent behind a tap."""

import contextlib
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from gateway.bench.own_gateway import (
    HOST,
    RunningGateway,
    free_block,
    free_port,
    ports_needed,
    serving_child,
    started_gateway,
)
from gateway.errors import LocalError
from gateway.rehearse.share import TapNotes

DIALOGUE: Final = Path(__file__).parent / "agent.yaml"
_SPARE_CALLS: Final = 8
"""Room beyond the calls placed: a slot is free again a moment after its BYE."""
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


def build_config(
    run_dir: Path, *, max_calls: int, sip_port: int, http_port: int, rtp_low: int, tap_port: int
) -> dict[str, object]:
    """Configuration of the gateway."""
    rtp_ports = ports_needed(max_calls)
    return {
        "node": {"name": "rehearsal", "run_dir": str(run_dir), "drain_timeout_s": 0},
        "sip": {
            "listen": [f"udp://{HOST}:{sip_port}"],
            "public_address": HOST,
            "rtp_ports": f"{rtp_low}-{rtp_low + rtp_ports - 1}",
            "max_calls": max_calls,
        },
        "http": {"listen": f"{HOST}:{http_port}"},
        "log": {"level": "warning", "format": "json"},
        "agents": {
            "bot": {
                "backend": "openai_realtime",
                "url": f"ws://{HOST}:{tap_port}/v1/realtime",
                "model": "bot",
                "api_key": "none",
                "audio": "pcmu",
                "greeting": "Greet the caller.",
                "transcription_model": "embedded",
                "turn_silence_ms": _TURN_SILENCE_MS,
            }
        },
    }


@contextlib.contextmanager
def own_agent(calls: int, directory: Path) -> Iterator[OwnAgent]:
    """Start bot and gateway, end both. Raises `LocalError` when one does not start.

    directory: takes everything they write; the path must be short, as sockets are in it.
    """
    notes = directory / "notes.json"
    command = [sys.executable, "-m", "gateway.rehearse.tap"]
    command += ["--dialogue", str(DIALOGUE), "--notes", str(notes), "--log", str(directory / "bot.log")]
    with serving_child(command, "the embedded bot", within_s=_START_S) as tap_port:
        max_calls = calls + _SPARE_CALLS
        config = build_config(
            directory / "run",
            max_calls=max_calls,
            sip_port=free_port(socket.SOCK_DGRAM),
            http_port=free_port(socket.SOCK_STREAM),
            rtp_low=free_block(ports_needed(max_calls)),
            tap_port=tap_port,
        )
        with started_gateway(config, directory) as running:
            yield OwnAgent(running, notes)
