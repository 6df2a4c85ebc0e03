"""A real gateway in processes of its own, on free ports, with its log read line by line.

It is on a leash, so that it also ends when the test run is killed.
"""

import asyncio
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
from ruamel.yaml import YAML
from tenacity import AsyncRetrying, retry_if_result, stop_after_delay, wait_fixed

from gateway.core.ids import CallId
from gateway.core.record import CallRecord
from gateway.store.calls import DATABASE_NAME, CallStore
from tests.integration.feed import Feed, Item
from tests.integration.processes import (
    MARKER,
    Process,
    free_sip_port,
    free_udp_range,
    marked,
    until_gone,
)

READY_WITHIN_S = 40.0
STOP_WITHIN_S = 20.0


def _socket_inodes(pid: int) -> set[str]:
    links = [os.readlink(fd) for fd in Path(f"/proc/{pid}/fd").iterdir()]
    return {link[len("socket:[") : -1] for link in links if link.startswith("socket:[")}


class GatewayProcess:
    """`python -m gateway run` and everything it starts.

    Use as `async with GatewayProcess(...) as gateway`; leaving the block stops the gateway and fails
    if it does not end by itself, ends badly or leaves anything behind.
    """

    def __init__(
        self,
        *,
        agents: Mapping[str, Any] | None = None,
        max_calls: int = 8,
        environment: Mapping[str, str] | None = None,
        sections: Mapping[str, Any] | None = None,
        dialplans: Path | None = None,
        dialplan: str = "",
    ) -> None:
        """`sections`: more keys of the configuration; a mapping is merged into the section of the same name.

        `dialplan`: a plan as YAML; empty: every call goes to the first agent.
        """
        self.run = secrets.token_hex(8)
        self.directory = Path(tempfile.mkdtemp(prefix="gw-", dir="/tmp"))
        self.sip_port = free_sip_port()
        self.http_port = free_sip_port()
        self.feed = Feed()
        self.returncode: int | None = None
        self._environment = dict(environment or {})
        self._config = self._make_config(agents, max_calls, sections or {})
        if dialplans is not None:
            self._config["dialplans"] = str(dialplans)
        if dialplan:
            plans = self.directory / "plans"
            plans.mkdir()
            (plans / "plan.yaml").write_text(dialplan)
            self._config["dialplans"] = str(plans)
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None

    def _make_config(
        self,
        agents: Mapping[str, Any] | None,
        max_calls: int,
        sections: Mapping[str, Any],
    ) -> dict[str, Any]:
        low, high = free_udp_range((-(-max_calls // 4) + 2) * 20)
        config: dict[str, Any] = {
            "node": {"name": "test", "run_dir": str(self.directory / "run"), "drain_timeout_s": 10},
            "sip": {
                "listen": [f"udp://127.0.0.1:{self.sip_port}", f"tcp://127.0.0.1:{self.sip_port}"],
                "rtp_ports": f"{low}-{high}",
                "max_calls": max_calls,
            },
            "http": {"listen": f"127.0.0.1:{self.http_port}"},
            "log": {"format": "json"},
        }
        if agents is not None:
            config["agents"] = dict(agents)
        for name, values in sections.items():
            if isinstance(values, Mapping):
                config.setdefault(name, {}).update(values)
            else:
                config[name] = values
        return config

    @property
    def config_file(self) -> Path:
        """The configuration as the gateway reads it."""
        return self.directory / "gateway.yaml"

    @property
    def run_dir(self) -> Path:
        """Unix sockets, pid file and call database."""
        return self.directory / "run"

    def uri(self, user: str = "demo") -> str:
        """Address of a number on this gateway."""
        return f"sip:{user}@127.0.0.1:{self.sip_port}"

    @property
    def pid(self) -> int:
        """The edge: the process that was started."""
        assert self._process is not None
        return self._process.pid

    # ---- life ----------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        await self.start()
        try:
            await self.logged("ready", READY_WITHIN_S)
        except BaseException:
            await self.put_down()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is not None:
                error.add_note(self.feed.tail())
                return
            if self.returncode is None:
                await self.stop()
            leftovers = await self.leftovers()
            assert not leftovers, f"left behind: {leftovers}"
        finally:
            await self.put_down()

    async def start(self) -> None:
        """Start without waiting for anything."""
        with self.config_file.open("w") as out:
            YAML(typ="safe").dump(self._config, out)
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "gateway.cli.leash", "gateway", "run", "--config", str(self.config_file)),
            stdin=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env={
                **os.environ,
                **self._environment,
                MARKER: self.run,
                "GATEWAY_LEASH_PARENT": str(os.getpid()),
            },
            limit=1 << 20,
        )
        assert self._process.stderr is not None
        self._reader = asyncio.create_task(self.feed.consume(self._process.stderr))

    async def stop(self) -> None:
        """SIGTERM; fails unless the gateway ends in time with status 0."""
        self.signal(signal.SIGTERM)
        assert await self.ended(STOP_WITHIN_S) == 0, self.feed.tail()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the edge."""
        os.kill(self.pid, number)

    async def ended(self, within_s: float) -> int:
        """Exit status of the edge, once it has ended. Raises `TimeoutError`."""
        assert self._process is not None
        async with asyncio.timeout(within_s):
            self.returncode = await self._process.wait()
            if not marked(self.run) and self._reader is not None:
                await self._reader
        return self.returncode

    async def leftovers(self, within_s: float = 5.0) -> list[str]:
        """Processes and ports that remain although they had `within_s` to go."""
        processes = marked(self.run)
        remaining = set(await until_gone([p.pid for p in processes], within_s))
        found = [f"process {p.pid}: {p.command}" for p in processes if p.pid in remaining]
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(socket.AF_INET, kind) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, kind == socket.SOCK_STREAM)
                try:
                    probe.bind(("127.0.0.1", self.sip_port))
                except OSError as exc:
                    found.append(f"SIP port {self.sip_port}: {exc}")
        return found

    async def put_down(self) -> None:
        """End whatever is left, whatever happened, and remove the directory."""
        for process in marked(self.run):
            try:
                os.kill(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if self._process is not None:
            self.returncode = await self._process.wait()
        if self._reader is not None:
            await self._reader
        shutil.rmtree(self.directory, ignore_errors=True)

    # ---- log -----------------------------------------------------------------------------------

    @property
    def log(self) -> list[Item]:
        """Every log line so far."""
        return self.feed.items

    async def logged(
        self,
        event: str,
        within_s: float = 10.0,
        *,
        since: int = 0,
        where: Callable[[Item], bool] = lambda _line: True,
    ) -> Item:
        """The first line of an event from index `since` on, waiting for it."""
        return await self.feed.first(event, within_s, since=since, where=where)

    async def settled(self, within_s: float = 20.0) -> None:
        """Wait until every call that began has ended."""

        def ids(items: list[Item], *events: str) -> set[str]:
            return {str(i["call_id"]) for i in items if i.get("event") in events}

        def all_over(items: list[Item]) -> bool:
            return ids(items, "call offered", "call taken over") <= ids(items, "call ended")

        assert await self.feed.until(all_over, within_s), self.feed.tail()

    async def record(self, call_id: str, within_s: float = 5.0) -> CallRecord:
        """The record of an ended call, once it is in the database."""
        retrying = AsyncRetrying(
            stop=stop_after_delay(within_s), wait=wait_fixed(0.05), retry=retry_if_result(lambda r: r is None)
        )
        record: CallRecord = await retrying(self._stored, CallId(call_id))
        return record

    async def _stored(self, call_id: CallId) -> CallRecord | None:
        async with await CallStore.open(self.run_dir / DATABASE_NAME, create=False) as store:
            return await store.get(call_id)

    async def http(self, path: str) -> tuple[int, str]:
        """Status and body of a GET."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{self.http_port}{path}") as response,
        ):
            return response.status, await response.text()

    async def metric(self, name: str, is_right: Callable[[float], bool], within_s: float = 15.0) -> None:
        """Wait until /metrics has this value; the edge and its relay tell theirs once a second."""

        async def value() -> float:
            _, page = await self.http("/metrics")
            found = dict(line.rsplit(" ", 1) for line in page.splitlines() if not line.startswith("#"))
            return float(found.get(name, "nan"))

        looked = AsyncRetrying(
            stop=stop_after_delay(within_s),
            wait=wait_fixed(0.1),
            retry=retry_if_result(lambda found: not is_right(found)),
        )
        await looked(value)

    # ---- processes -----------------------------------------------------------------------------

    def processes(self) -> list[Process]:
        """Everything that runs for this gateway."""
        return marked(self.run)

    def core_pid(self) -> int:
        """The core."""
        return self._only("gateway.app")

    def bot_pid(self) -> int:
        """The embedded bot."""
        return self._only("gateway.bot")

    def template_pid(self) -> int:
        """The template from which cards are forked."""
        return self._only("gateway.cards.sip.template", parent=self.pid)

    def card_pids(self) -> list[int]:
        """The SIP cards."""
        template = self.template_pid()
        return [p.pid for p in self.processes() if p.parent == template]

    def card_pid(self, card: int) -> int:
        """The process of a SIP card, found by the unix socket it listens on."""
        rows = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()]
        inodes = {row[6] for row in rows if row[-1].endswith(f"{self.run_dir}/card{card}.sock")}
        found = [pid for pid in self.card_pids() if inodes & _socket_inodes(pid)]
        assert len(found) == 1, f"card {card}: {found}"
        return found[0]

    def _only(self, module: str, parent: int | None = None) -> int:
        found = [p.pid for p in self.processes() if module in p.command and parent in (None, p.parent)]
        assert len(found) == 1, f"{module}: {found}"
        return found[0]
