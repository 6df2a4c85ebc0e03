"""A WebRTC card as the gateway starts it, in a short directory of its own."""

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import AF_UNIX, SOCK_DGRAM, socket

from gateway.config.models import GatewayConfig
from gateway.wire.edge import CardStatus, unpack_status

NUMBER = 3


@dataclass
class RunningCard:
    """A card's process and what it tells the edge."""

    process: asyncio.subprocess.Process
    socket_path: Path
    lifeline_fd: int
    status_socket: socket

    async def status(self) -> CardStatus:
        """Its next sign of life."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(15):
            return unpack_status(await loop.sock_recv(self.status_socket, 4096))

    def cut_lifeline(self) -> None:
        """As if the gateway had died."""
        os.close(self.lifeline_fd)
        self.lifeline_fd = -1

    def cpu_s(self) -> float:
        """CPU time used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def running_card(
    webrtc: Mapping[str, object] | None = None, *, secret: bytes | None = None
) -> AsyncIterator[RunningCard]:
    """Start a card and wait until it is ready."""
    directory = Path(tempfile.mkdtemp(prefix="gw-"))
    status = socket(AF_UNIX, SOCK_DGRAM)
    status.bind(str(directory / "status.sock"))
    status.setblocking(False)
    read_fd, write_fd = os.pipe()
    environment = {**os.environ, "GATEWAY_LIFELINE_FD": str(read_fd)}
    if secret is not None:
        environment["GATEWAY_UFRAG_SECRET"] = secret.hex()
    config = GatewayConfig.model_validate({"webrtc": dict(webrtc or {}), "log": {"level": "warning"}})
    path = directory / "card.sock"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *["-m", "gateway.cards.webrtc", "--card", str(NUMBER)],
        *["--socket", str(path), "--status", str(directory / "status.sock")],
        stdin=asyncio.subprocess.PIPE,
        pass_fds=(read_fd,),
        env=environment,
    )
    os.close(read_fd)
    card = RunningCard(process, path, write_fd, status)
    try:
        assert process.stdin is not None
        process.stdin.write(config.for_child())
        await card.status()
        yield card
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        if card.lifeline_fd >= 0:
            os.close(card.lifeline_fd)
        status.close()
        shutil.rmtree(directory)
