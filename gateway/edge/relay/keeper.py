"""The edge's side of the relay: binds the ports, keeps the workers running, adds their counters up."""

import asyncio
import json
from collections.abc import Mapping
from typing import Final

from gateway.config.models import GatewayConfig
from gateway.config.webrtc import WebrtcConfig
from gateway.edge.children import Child, Lifeline
from gateway.edge.relay.ports import WorkerSockets, bind
from gateway.observe.log import get_logger
from gateway.wire.ufrag import SECRET_VARIABLE

_STOP_S: Final = 2.0
_SUM_SUFFIX: Final = "_total"

log = get_logger()


class _Worker:
    """A worker's process and what it has counted."""

    def __init__(
        self, number: int, sockets: WorkerSockets, line: bytes, lifeline: Lifeline, key: str
    ) -> None:
        udp, tcp, inner = sockets.descriptors
        self._earlier: dict[str, float] = {}
        """Sums of processes that have ended."""
        self._latest: dict[str, float] = {}
        self.child = Child(
            f"relay{number}",
            ("gateway.edge.relay", "--udp", str(udp), "--tcp", str(tcp), "--inner", str(inner)),
            line,
            lifeline,
            on_line=self._on_line,
            on_death=self._on_death,
            environment={SECRET_VARIABLE: key},
            descriptors=sockets.descriptors,
        )

    @property
    def counters(self) -> dict[str, float]:
        """Sums since the edge began; gauges as they are."""
        total = dict(self._earlier)
        _add(total, self._latest)
        return total

    def _on_line(self, line: bytes) -> None:
        try:
            found = json.loads(line)
        except ValueError:
            log.error("relay worker not understood", name=self.child.name)
            return
        self._latest = {str(name): float(value) for name, value in found.items()}

    def _on_death(self, _status: str) -> None:
        sums = {name: value for name, value in self._latest.items() if name.endswith(_SUM_SUFFIX)}
        _add(self._earlier, {**sums, "relay_restarts_total": 1})
        self._latest = {}


class RelayKeeper:
    """All workers of the relay."""

    def __init__(
        self, config: GatewayConfig, webrtc: WebrtcConfig, lifeline: Lifeline, secret: bytes
    ) -> None:
        """Raises `CannotStartError` if the public port can't be had."""
        self._sockets = bind(webrtc.listen, webrtc.relay_workers)
        line = config.for_child()
        self._workers = [
            _Worker(number, sockets, line, lifeline, secret.hex())
            for number, sockets in enumerate(self._sockets)
        ]

    def start(self, group: asyncio.TaskGroup) -> None:
        """Run every worker in `group`."""
        for worker in self._workers:
            group.create_task(worker.child.run(), name=worker.child.name)

    def counters(self) -> dict[str, float]:
        """Of all workers together."""
        total: dict[str, float] = {}
        for worker in self._workers:
            _add(total, worker.counters)
        return total

    async def stop(self) -> None:
        """End the workers."""
        await asyncio.gather(*(worker.child.stop(_STOP_S) for worker in self._workers))

    def close(self) -> None:
        """Give the public port back."""
        for sockets in self._sockets:
            sockets.close()


def _add(total: dict[str, float], values: Mapping[str, float]) -> None:
    for name, value in values.items():
        total[name] = total.get(name, 0) + value
