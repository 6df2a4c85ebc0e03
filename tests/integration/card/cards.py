"""A real template process with real cards, in a short temporary directory."""

import asyncio
import contextlib
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from gateway.core.ids import CardId
from gateway.wire.edge import (
    CardExited,
    CardSpawned,
    CardStatus,
    SpawnCard,
    pack_line,
    unpack_from_template,
    unpack_status,
)
from tests.integration.card.core import StandInCore
from tests.integration.processes import free_udp_range

CODECS = ("PCMU/8000/1", "PCMA/8000/1", "G722/16000/1", "GSM/8000/1", "iLBC/8000/1", "speex/8000/1")
WITHIN_S = 15.0


@dataclass
class RunningCard:
    """A card that has reported itself."""

    order: SpawnCard
    pid: int
    sip_port: int

    @property
    def socket_path(self) -> Path:
        """Where it listens for its core."""
        return Path(self.order.socket_path)

    async def core(self, *, attach: bool = True) -> StandInCore:
        """Connect a core."""
        return await StandInCore.connect(self.socket_path, attach=attach)

    def alive(self) -> bool:
        """Whether the process runs."""
        return Path(f"/proc/{self.pid}/stat").exists()

    def rss_kb(self) -> int:
        """Resident memory."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0])

    def descriptors(self) -> int:
        """Open files."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def cpu_s(self) -> float:
        """CPU time used so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Rack:
    """The template and what it reports."""

    def __init__(self, run_dir: Path, process: asyncio.subprocess.Process, status: socket.socket) -> None:
        self.run_dir, self._process, self._status = run_dir, process, status
        self.reports: list[CardSpawned | CardExited] = []
        self.statuses: list[CardStatus] = []
        self.on_status: Callable[[CardStatus], None] = lambda _status: None
        """Told of every status, as an edge is."""
        self.on_report: Callable[[CardSpawned | CardExited], None] = lambda _report: None
        """Told of everything the template says."""
        self._changed = asyncio.Condition()
        self._next = 0

    async def card(
        self,
        *,
        rtp_timeout_s: float = 20.0,
        orphan_timeout_s: float = 10.0,
        sample_rate_hz: int = 8000,
        edge_port: int = 9,
    ) -> RunningCard:
        """Order a card and wait until it says that it lives; `edge_port`: where its requests go."""
        number, self._next = self._next, self._next + 1
        order = self.order(
            number,
            rtp_timeout_s=rtp_timeout_s,
            orphan_timeout_s=orphan_timeout_s,
            sample_rate_hz=sample_rate_hz,
            edge_port=edge_port,
        )
        self.write(pack_line(order))
        status = await self.status(number, lambda _: True)
        return RunningCard(order, status.pid, status.sip_port)

    def write(self, line: bytes) -> None:
        """A line for the template."""
        assert self._process.stdin is not None
        self._process.stdin.write(line)

    def order(
        self,
        number: int,
        *,
        rtp_timeout_s: float = 20.0,
        orphan_timeout_s: float = 10.0,
        sample_rate_hz: int = 8000,
        edge_port: int = 9,
    ) -> SpawnCard:
        """What a card is told at its start."""
        low, high = free_udp_range(80)
        return SpawnCard(
            card=CardId(number),
            socket_path=str(self.run_dir / f"c{number}"),
            status_path=str(self.run_dir / "s"),
            edge_sip=f"127.0.0.1:{edge_port}",
            rtp_address="127.0.0.1",
            rtp_port_low=low,
            rtp_port_high=high,
            codecs=CODECS,
            sample_rate_hz=sample_rate_hz,
            rtp_timeout_s=rtp_timeout_s,
            orphan_timeout_s=orphan_timeout_s,
        )

    async def status(
        self, card: int, where: Callable[[CardStatus], bool], *, newer_than: int = 0
    ) -> CardStatus:
        """A status of a card that fulfils a condition, received or to come."""
        found: list[CardStatus] = []

        def there() -> bool:
            found[:] = [s for s in self.statuses[newer_than:] if s.card == card and where(s)]
            return bool(found)

        await self._until(there)
        return found[-1]

    async def exited(self, pid: int) -> CardExited:
        """Wait for the template's report of a card's end."""
        await self._until(lambda: any(isinstance(r, CardExited) and r.pid == pid for r in self.reports))
        return next(r for r in self.reports if isinstance(r, CardExited) and r.pid == pid)

    async def _until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(WITHIN_S), self._changed:
            await self._changed.wait_for(condition)

    async def read_reports(self) -> None:
        """Follow the template's standard output."""
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            async with self._changed:
                self.reports.append(unpack_from_template(line))
                self._changed.notify_all()
            self.on_report(self.reports[-1])

    async def read_statuses(self) -> None:
        """Follow the cards' datagrams."""
        loop = asyncio.get_running_loop()
        while True:
            datagram = await loop.sock_recv(self._status, 65536)
            async with self._changed:
                self.statuses.append(unpack_status(datagram))
                self._changed.notify_all()
            self.on_status(self.statuses[-1])


@contextlib.asynccontextmanager
async def rack() -> AsyncIterator[Rack]:
    """A template, stopped with all its cards when the block ends."""
    run_dir = Path(tempfile.mkdtemp(prefix="gwc", dir="/tmp"))
    lifeline_read, lifeline_write = os.pipe()
    status = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    status.bind(str(run_dir / "s"))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway.cards.sip.template",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        pass_fds=(lifeline_read,),
        env={**os.environ, "GATEWAY_LIFELINE_FD": str(lifeline_read)},
    )
    os.close(lifeline_read)
    assert process.stdin is not None
    process.stdin.write(b'{"log": {"level": "info"}}\n')
    unit = Rack(run_dir, process, status)
    followers = [asyncio.create_task(unit.read_reports()), asyncio.create_task(unit.read_statuses())]
    try:
        yield unit
    finally:
        os.close(lifeline_write)
        for report in list(unit.reports):
            if isinstance(report, CardSpawned):
                await unit.exited(report.pid)
        process.stdin.close()
        await process.wait()
        for follower in followers:
            follower.cancel()
        await asyncio.gather(*followers, return_exceptions=True)
        status.close()
        shutil.rmtree(run_dir)
