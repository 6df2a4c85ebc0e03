"""A running relay with real worker processes."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tenacity import AsyncRetrying, retry_if_result, stop_after_delay, wait_fixed

from gateway.config.models import GatewayConfig
from gateway.config.webrtc import AddressPort, WebrtcConfig
from gateway.edge.children import Lifeline
from gateway.edge.relay.keeper import RelayKeeper
from tests.integration.edge.ice_peers import Address
from tests.integration.processes import free_sip_port

SECRET = bytes(range(32))
"""What the ufrags are signed with."""


async def counted(keeper: RelayKeeper, name: str, enough: Callable[[float], bool]) -> float:
    """Workers report every second."""

    async def look() -> float:
        return keeper.counters().get(name, 0)

    looked = AsyncRetrying(
        stop=stop_after_delay(15),
        wait=wait_fixed(0.1),
        retry=retry_if_result(lambda value: not enough(value)),
    )
    return await looked(look)


@dataclass
class RunningRelay:
    address: Address
    keeper: RelayKeeper

    async def counted(self, name: str, enough: Callable[[float], bool]) -> float:
        """A counter, once it is as expected."""
        return await counted(self.keeper, name, enough)

    def pids(self) -> list[int]:
        """The workers."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    words = (entry / "cmdline").read_bytes().split(b"\0")
                    parent = (entry / "stat").read_text().rpartition(") ")[2].split()[1]
                except (FileNotFoundError, ProcessLookupError):
                    continue
                if b"gateway.edge.relay" in words and int(parent) == os.getpid():
                    found.append(int(entry.name))
        return found


@asynccontextmanager
async def running_relay(workers: int = 1) -> AsyncIterator[RunningRelay]:
    listen = AddressPort(address="127.0.0.1", port=free_sip_port())
    webrtc = WebrtcConfig(listen=listen, relay_workers=workers)
    lifeline = Lifeline()
    keeper = RelayKeeper(GatewayConfig(webrtc=webrtc), webrtc, lifeline, SECRET)
    try:
        async with asyncio.TaskGroup() as group:
            keeper.start(group)
            try:
                yield RunningRelay((listen.address, listen.port), keeper)
            finally:
                await keeper.stop()
    finally:
        keeper.close()
        lifeline.cut()
