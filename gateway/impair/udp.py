"""A UDP forwarder that impairs what passes: many clients in front, one target behind.

Each client address is a path of its own: it has its own socket towards the target, its own rate limit
and its own chance, so that what one client sends never changes what another one loses.
"""

import asyncio
from collections import OrderedDict
from functools import partial
from types import TracebackType
from typing import Final, Literal, Self

from gateway.impair.impairment import Impairment
from gateway.impair.model import Line, LineCounters
from gateway.impair.outbox import Outbox
from gateway.impair.port import Address, UdpPort, host_towards

Way = Literal["up", "down"]
"""up: from the clients to the target · down: back."""

MOST_PATHS: Final = 1000
"""The one that has been silent longest makes room for a new one."""


class Path:
    """What one client has to itself."""

    def __init__(self, port: UdpPort, up: Line, down: Line) -> None:
        self.port = port
        """Faces the target."""
        self.lines: dict[Way, Line] = {"up": up, "down": down}


class Impairer:
    """`async with Impairer(("127.0.0.1", 0), target, up=Impairment(loss=0.05)) as impairer: ...`

    Clients send to `impairer.address`. The same seed and the same packets give the same losses, delays
    and duplicates: the n-th client's chance depends on the seed, n and the direction alone.
    """

    def __init__(
        self,
        listen: Address,
        target: Address,
        *,
        up: Impairment | None = None,
        down: Impairment | None = None,
        seed: int = 1,
    ) -> None:
        """listen: port 0 takes any free one."""
        self._listen, self._target, self._seed = listen, target, seed
        self._now: dict[Way, Impairment] = {"up": up or Impairment(), "down": down or Impairment()}
        self._paths: OrderedDict[Address, Path] = OrderedDict()
        self._gone: dict[Way, LineCounters] = {"up": LineCounters(), "down": LineCounters()}
        self._made = 0
        self._unsent = 0
        self._inner_host = ""
        self._port: UdpPort | None = None
        self._outbox: Outbox | None = None

    async def __aenter__(self) -> Self:
        """Open the port. Raises `PortError`."""
        self._inner_host = host_towards(self._target)
        self._outbox = Outbox()
        self._port = UdpPort(self._listen, self._from_client)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close everything; what is under way is lost."""
        while self._paths:
            self._forget()
        if self._port is not None:
            self._port.close()
        if self._outbox is not None:
            self._outbox.close()

    @property
    def address(self) -> Address:
        """Where clients send to."""
        assert self._port is not None, "not open"
        return self._port.address

    @property
    def paths(self) -> int:
        """Clients seen so far."""
        return self._made

    @property
    def undelivered(self) -> int:
        """Packets that this machine dropped, not the model: too many waiting, or no buffer."""
        ports = [path.port for path in self._paths.values()] + ([self._port] if self._port else [])
        overflowed = self._outbox.overflowed if self._outbox else 0
        return overflowed + self._unsent + sum(port.unsent for port in ports)

    def impairment(self, way: Way) -> Impairment:
        """What new packets meet."""
        return self._now[way]

    def counters(self, way: Way) -> LineCounters:
        """All clients together, those that have gone included."""
        total = self._gone[way]
        for path in self._paths.values():
            total = total.plus(path.lines[way].counters)
        return total

    def change(self, *, up: Impairment | None = None, down: Impairment | None = None) -> None:
        """Another network from the next packet on; None leaves a direction as it is."""
        changes: tuple[tuple[Way, Impairment | None], ...] = (("up", up), ("down", down))
        for way, impairment in changes:
            if impairment is not None:
                self._now[way] = impairment
                for path in self._paths.values():
                    path.lines[way].change(impairment)

    def _from_client(self, packet: bytes, source: Address) -> None:
        path = self._paths.get(source)
        if path is None:
            path = self._new_path(source)
        self._paths.move_to_end(source)
        self._pass(path, "up", packet, path.port, self._target)

    def _from_target(self, client: Address, packet: bytes, source: Address) -> None:
        path = self._paths.get(client)
        if source == self._target and path is not None and self._port is not None:
            self._pass(path, "down", packet, self._port, client)

    def _pass(self, path: Path, way: Way, packet: bytes, port: UdpPort, to: Address) -> None:
        assert self._outbox is not None
        send = partial(port.send, to=to)
        for at in path.lines[way].releases(len(packet), asyncio.get_running_loop().time()):
            self._outbox.post(at, send, packet)

    def _new_path(self, client: Address) -> Path:
        if len(self._paths) >= MOST_PATHS:
            self._forget()
        self._made += 1
        port = UdpPort((self._inner_host, 0), partial(self._from_target, client))
        seed = f"{self._seed}/{self._made}"
        path = Path(port, Line(self._now["up"], f"{seed}/up"), Line(self._now["down"], f"{seed}/down"))
        self._paths[client] = path
        return path

    def _forget(self) -> None:
        """The path that has been silent longest."""
        _, path = self._paths.popitem(last=False)
        path.port.close()
        self._unsent += path.port.unsent
        self._gone = {way: total.plus(path.lines[way].counters) for way, total in self._gone.items()}
