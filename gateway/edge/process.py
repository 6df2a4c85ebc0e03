"""The parent process of a running gateway: begins, serves until a signal, ends in order."""

import asyncio
import secrets
import signal
import socket
import sys
from pathlib import Path
from typing import Final

import uvloop

from gateway.config.models import CALLS_PER_CARD, GatewayConfig
from gateway.edge.dispatcher import Dispatcher
from gateway.edge.face import Face, Listener
from gateway.edge.fleet import Fleet
from gateway.edge.link import STATUS_SOCKET, open_status_socket
from gateway.edge.lookup import InterfaceLookup
from gateway.edge.routing import Router
from gateway.edge.rundir import CannotStartError, held_run_dir
from gateway.edge.slots import Slots
from gateway.edge.supervisor import Supervisor
from gateway.edge.transports import BoundSockets
from gateway.observe.log import configure_logging, get_logger
from gateway.observe.priority import PATH_PRIORITY, be_realtime
from gateway.wire.edge import Drain, EdgeCounters, StopCore

TICK_S: Final = 0.5
_TICKS_PER_COUNTERS: Final = 2
_TICKS_PER_SWEEP: Final = 10
_CORE_STOP_S: Final = 10.0
_LAST_BYES_S: Final = 2.0

log = get_logger()


def main(config: GatewayConfig) -> int:
    """Serve calls until told to stop; the exit status."""
    configure_logging("edge", level=config.log.level, format=config.log.format, personal=config.log.personal)
    be_realtime(PATH_PRIORITY, say="warning")
    return uvloop.run(run_edge(config))


async def run_edge(config: GatewayConfig) -> int:
    """Serve calls until SIGTERM or SIGINT; the exit status: 0, or 1 after one line on standard error."""
    try:
        with held_run_dir(config.node.run_dir) as run_dir:
            listeners = [Listener(each.transport, each.address, each.port) for each in config.sip.listen]
            media_address = await _media_address(config.sip.public_address)
            return await Edge(config, run_dir, BoundSockets(listeners), media_address).run()
    except CannotStartError as exc:
        sys.stderr.write(f"gateway: {exc}\n")
        return 1


async def _media_address(public_address: str | None) -> str | None:
    """The IPv4 address of the public name: not every phone looks names in SDP up."""
    if public_address is None:
        return None
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(public_address, None, family=socket.AF_INET, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as exc:
        raise CannotStartError(f"sip.public_address {public_address}: no such host") from exc
    return str(found[0][4][0])


class Edge:
    """The parts of the parent process, put together."""

    def __init__(
        self, config: GatewayConfig, run_dir: Path, sockets: BoundSockets, media_address: str | None
    ) -> None:
        """media_address: what SDP says, None for the interface's."""
        self._config = config
        self._run_dir = run_dir
        self._sockets = sockets
        self._slots = Slots(max_calls=config.sip.max_calls, calls_per_card=CALLS_PER_CARD)
        self._fleet = Fleet(self._slots, max_cards=config.sip.max_cards)
        self._router = self._make_router(media_address)
        self._dispatcher = Dispatcher(
            self._router,
            self._slots,
            self._fleet,
            on_stuck_order=lambda card: self._supervisor.on_stuck_order(card),
        )
        self._supervisor = Supervisor(
            config,
            run_dir,
            sockets.inner_port,
            self._dispatcher,
            on_change=self._on_change,
            on_failure=self._fail,
        )
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._quiet = asyncio.Event()
        self._announced = False
        self._failure = ""

    async def run(self) -> int:
        """Serve until a signal or a failure; the exit status."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal)
        loop.add_signal_handler(signal.SIGHUP, self._supervisor.reload_core)
        try:
            await self._supervisor.open()
            status = await open_status_socket(self._run_dir, self._supervisor.on_status)
            await self._dispatcher.transports.open(self._sockets)
            async with asyncio.TaskGroup() as group:
                self._supervisor.start(group)
                clock = group.create_task(self._tick(), name="clock")
                await self._stop.wait()
                await self._drain()
                await self._end()
                clock.cancel()
            status.close()
            (self._run_dir / STATUS_SOCKET).unlink(missing_ok=True)
        finally:
            await self._supervisor.close()
            await self._dispatcher.close()
        if self._failure:
            sys.stderr.write(f"gateway: {self._failure}\n")
        return 1 if self._failure else 0

    async def _drain(self) -> None:
        """No new calls; wait for the running ones, up to a limit or a second signal."""
        self._supervisor.drain()
        if self._failure:
            return
        self._supervisor.tell_core(Drain())
        timeout_s = self._config.node.drain_timeout_s
        log.info(
            "draining", calls=self._slots.live_calls + self._supervisor.webrtc_peers, timeout_s=timeout_s
        )
        await _any_of(self._quiet, self._hurry, timeout_s)

    async def _end(self) -> None:
        """End what still runs: calls, core, cards, the others."""
        log.info("stopping", calls=self._slots.live_calls)
        self._supervisor.tell_core(StopCore())
        await self._supervisor.end_core(_CORE_STOP_S)
        self._on_change()
        await _any_of(self._quiet, None, _LAST_BYES_S)
        await self._supervisor.end_others()
        log.info("stopped")

    def _on_signal(self) -> None:
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()

    def _fail(self, message: str) -> None:
        if not self._stop.is_set():
            self._failure = message
            self._hurry.set()
            self._stop.set()

    def _on_change(self) -> None:
        """Readiness or the number of calls may be another."""
        if self._slots.live_calls or self._router.parked or self._supervisor.webrtc_peers:
            self._quiet.clear()
        else:
            self._quiet.set()
        if self._announced or self._stop.is_set():
            return
        if self._supervisor.ready and self._supervisor.settled:
            self._announced = True
            http, webrtc = self._config.http.listen, self._config.webrtc
            log.info(
                "ready",
                sip=[str(listener) for listener in self._sockets.listeners],
                http=f"http://{http.address}:{http.port}",
                cards=len(self._slots.cards),
                agents=list(self._config.agents),
                webrtc=str(webrtc.listen) if webrtc is not None else None,
            )

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        count = 0
        while True:
            await asyncio.sleep(TICK_S)
            count += 1
            self._dispatcher.tick()
            self._supervisor.tick(loop.time())
            if count % _TICKS_PER_COUNTERS == 0:
                self._supervisor.tell_core(EdgeCounters(self._counters()))
            if count % _TICKS_PER_SWEEP == 0:
                self._dispatcher.transports.tcp.sweep(loop.time(), self._router.connections_in_use())

    def _counters(self) -> dict[str, float]:
        return {
            **self._router.counters,
            **self._supervisor.counters(),
            "cards_running": len(self._slots.cards),
            "calls_live": self._slots.live_calls,
            "calls_parked": self._router.parked,
            "sip_tcp_connections": len(self._dispatcher.transports.tcp),
        }

    def _make_router(self, media_address: str | None) -> Router:
        face = Face(
            self._sockets.listeners,
            self._sockets.inner_port,
            secret=secrets.token_bytes(32),
            public_address=self._config.sip.public_address,
            media_address=media_address,
            local_address=InterfaceLookup(),
        )
        server = f"voice-gateway ({self._config.node.name})".encode()
        return Router(face, self._slots, secret=secrets.token_bytes(32), server=server)


async def _any_of(first: asyncio.Event, second: asyncio.Event | None, timeout_s: float) -> None:
    """Wait until one of the events is set or the time is over."""
    waits = [asyncio.ensure_future(event.wait()) for event in (first, second) if event is not None]
    try:
        await asyncio.wait(waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
