"""`python -m gateway.edge.relay --udp FD --tcp FD --inner FD`: one relay worker, started by the edge.

The configuration comes as the first line on standard input, the counters leave as one JSON line per
second on standard output, the secret of the ufrags is in the environment. SIGTERM or the end of the
lifeline ends it.
"""

import argparse
import asyncio
import json
import os
import signal
import socket
import sys
from typing import Final

import uvloop

from gateway.config.models import GatewayConfig
from gateway.edge.children import LIFELINE_VARIABLE
from gateway.edge.relay.flows import FLOWS_PER_PEER, FlowTable
from gateway.edge.relay.ports import WorkerSockets
from gateway.edge.relay.worker import RelayWorker
from gateway.errors import LocalError
from gateway.observe.log import configure_logging, get_logger
from gateway.wire.ufrag import SECRET_VARIABLE

COUNTERS_S: Final = 1.0

_NICE: Final = -10

log = get_logger()


def main() -> int:
    """Run one worker; the exit status."""
    arguments = argparse.ArgumentParser(prog="gateway.edge.relay")
    for name in ("udp", "tcp", "inner"):
        arguments.add_argument(f"--{name}", type=int, required=True, help="descriptor of a bound socket")
    given = arguments.parse_args()
    config = GatewayConfig.model_validate_json(sys.stdin.buffer.readline())
    if config.webrtc is None:
        raise LocalError("the configuration has no webrtc section")
    configure_logging("relay", level=config.log.level, format=config.log.format, personal=config.log.personal)
    sockets = WorkerSockets(*(_inherited(fd) for fd in (given.udp, given.tcp, given.inner)))
    secret = bytes.fromhex(os.environ[SECRET_VARIABLE])
    table = FlowTable(secret, max_flows=config.webrtc.max_peers * FLOWS_PER_PEER)
    _hurry()
    uvloop.run(_serve(RelayWorker(sockets, table)))
    return 0


def _hurry() -> None:
    """A packet should not wait for work that can; no real-time priority, which a flood would abuse."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, _NICE)
    except PermissionError:
        log.debug("no higher priority")


def _inherited(descriptor: int) -> socket.socket:
    inherited = socket.socket(fileno=descriptor)
    inherited.setblocking(False)
    return inherited


async def _serve(worker: RelayWorker) -> None:
    leave = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, leave.set)
    loop.add_signal_handler(signal.SIGINT, lambda: None)
    lifeline = os.environ.get(LIFELINE_VARIABLE, "")
    if lifeline.isdecimal():
        loop.add_reader(int(lifeline), leave.set)
    async with asyncio.TaskGroup() as tasks:
        reports = tasks.create_task(_report(worker))
        log.debug("relay worker begins")
        await worker.run(leave)
        reports.cancel()


async def _report(worker: RelayWorker) -> None:
    os.set_blocking(1, False)
    while True:
        try:
            os.write(1, json.dumps(worker.snapshot()).encode() + b"\n")
        except BlockingIOError:
            log.warning("nobody reads the counters")
        except BrokenPipeError:
            return  # the edge is gone: the lifeline says so too
        await asyncio.sleep(COUNTERS_S)


if __name__ == "__main__":
    sys.exit(main())
