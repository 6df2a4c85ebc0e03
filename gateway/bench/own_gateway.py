"""A gateway of the bench's own: its configuration, its echoing backend, both started and ended here."""

import contextlib
import json
import os
import random
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.config.models import RTP_PORTS_PER_CARD, GatewayConfig
from gateway.errors import LocalError

HOST = "127.0.0.1"
_RTP_LOW, _RTP_HIGH = 10000, 32000
"""Below the kernel's usual range of ephemeral ports, which the callers' sockets use."""
_BACKEND_START_S = 15.0
_STOP_S = 10.0


@dataclass(frozen=True, slots=True)
class RunningGateway:
    """Where it is and how to look at it."""

    target: tuple[str, int]
    pid: int
    log: Path
    """What it wrote to standard error."""
    alive: Callable[[], bool]
    """Whether it still runs."""


@dataclass(frozen=True, slots=True)
class BackendBehaviour:
    """When the echoing backend ends calls by itself."""

    hangup_every: int = 0
    hangup_after_ms: int = 0


def loopback_config(
    name: str, run_dir: Path, max_calls: int, agents: Mapping[str, object]
) -> dict[str, object]:
    """Configuration of a gateway that is measured: on free ports of loopback, warnings only.

    Raises `LocalError` if there are not enough free ports.
    """
    rtp_ports = ports_needed(max_calls)
    rtp_low = free_block(rtp_ports)
    return {
        "node": {"name": name, "run_dir": str(run_dir), "drain_timeout_s": 0},
        "sip": {
            "listen": [f"udp://{HOST}:{free_port(socket.SOCK_DGRAM)}"],
            "public_address": HOST,
            "rtp_ports": f"{rtp_low}-{rtp_low + rtp_ports - 1}",
            "max_calls": max_calls,
        },
        "http": {"listen": f"{HOST}:{free_port(socket.SOCK_STREAM)}"},
        "log": {"level": "warning", "format": "json"},
        "agents": dict(agents),
    }


def realtime_agent(port: int, model: str, **more: object) -> dict[str, object]:
    """An agent behind a service on this machine, G.711 µ-law from end to end."""
    return {
        "backend": "openai_realtime",
        "url": f"ws://{HOST}:{port}/v1/realtime",
        "model": model,
        "api_key": "none",
        "audio": "pcmu",
        **more,
    }


def ports_needed(max_calls: int) -> int:
    """UDP ports that a gateway for so many calls takes."""
    room = {"low": _RTP_LOW, "high": 65535}
    config = GatewayConfig.model_validate({"sip": {"max_calls": max_calls, "rtp_ports": room}})
    return config.sip.max_cards * RTP_PORTS_PER_CARD


@contextlib.contextmanager
def own_gateway(max_calls: int, behaviour: BackendBehaviour) -> Iterator[RunningGateway]:
    """Start backend and gateway, end both. Raises `LocalError` when one does not start."""
    with tempfile.TemporaryDirectory(prefix="gwbench") as directory, _backend(behaviour) as backend_port:
        run_dir = Path(directory)
        agents = {"echo": realtime_agent(backend_port, "echo")}
        config = loopback_config("bench", run_dir / "run", max_calls, agents)
        with started_gateway(config, run_dir) as running:
            yield running


@contextlib.contextmanager
def started_gateway(config: Mapping[str, object], directory: Path) -> Iterator[RunningGateway]:
    """A gateway process with this configuration, whose first `sip.listen` is `udp://HOST:PORT`; ended here.

    directory: takes the configuration file and the log.
    """
    config_file, log = directory / "gateway.yaml", directory / "gateway.log"
    config_file.write_text(json.dumps(config, indent=1))  # JSON is YAML
    listen = GatewayConfig.model_validate(config).sip.listen[0]
    with log.open("wb") as errors:
        command = (sys.executable, "-m", "gateway", "run", "--config", str(config_file))
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, start_new_session=True
        )
    try:
        yield RunningGateway((listen.address, listen.port), process.pid, log, lambda: process.poll() is None)
    finally:
        _stop(process)


def free_port(kind: socket.SocketKind) -> int:
    """A port that is free right now."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port


def free_block(ports: int) -> int:
    """First of so many consecutive UDP ports that are free right now. Raises `LocalError`."""
    for _ in range(200):
        low = random.randrange(_RTP_LOW, _RTP_HIGH - ports, 2)
        if all(_is_free(port) for port in range(low, low + ports)):
            return low
    raise LocalError(f"no {ports} free UDP ports in a row between {_RTP_LOW} and {_RTP_HIGH}")


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


@contextlib.contextmanager
def _backend(behaviour: BackendBehaviour) -> Iterator[int]:
    command = [sys.executable, "-m", "gateway.bench.echo_backend"]
    if behaviour.hangup_every:
        command += ["--hangup-every", str(behaviour.hangup_every)]
        command += ["--hangup-after-ms", str(behaviour.hangup_after_ms)]
    with serving_child(command, "the echoing backend") as port:
        yield port


@contextlib.contextmanager
def serving_child(command: Sequence[str], name: str, *, within_s: float = _BACKEND_START_S) -> Iterator[int]:
    """A process that prints its port as its first line and leaves when its standard input closes.

    Raises `LocalError` when it does not start.
    """
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    try:
        yield _read_port(process, name, within_s)
    finally:
        assert process.stdin is not None
        process.stdin.close()  # it leaves on that
        _wait_or_kill(process)


def _read_port(process: "subprocess.Popen[bytes]", name: str, within_s: float) -> int:
    assert process.stdout is not None
    readable, _, _ = select.select([process.stdout], [], [], within_s)
    line = process.stdout.readline() if readable else b""
    if not line.strip().isdigit():
        raise LocalError(f"{name} did not start")
    return int(line)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """SIGTERM drains, a second one ends at once; the process group goes with a gateway that ignores both."""
    for _ in range(2):
        if process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_S)
    _wait_or_kill(process)


def _wait_or_kill(process: "subprocess.Popen[bytes]") -> None:
    deadline_s = time.monotonic() + _STOP_S / 2
    try:
        process.wait(max(0.0, deadline_s - time.monotonic()))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
