"""A UDP forwarder that impairs what passes: many clients in front, one target behind.

Each client address is a path of its own: it has its own socket towards the target, its own rate limit
and its own chance, so that what one client sends never changes what another one loses.
"""

from collections import OrderedDict
from dataclasses import dataclass
from functools import partial
from typing import Final

from gateway.impair.forwarder import Forwarder, Lines
from gateway.impair.impairment import Impairment
from gateway.impair.port import Address, UdpPort

MOST_CLIENTS: Final = 500
"""The one that has been silent longest makes room for a new one."""


@dataclass(frozen=True, slots=True)
class _Path:
    number: int
    port: UdpPort
    """Faces the target."""
    lines: Lines


class Impairer(Forwarder):
    """`async with Impairer(("127.0.0.1", 0), target, up=Impairment(loss=0.05)) as impairer: ...`

    Clients send to `impairer.address`.
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
        super().__init__(listen, target, up=up, down=down, seed=seed)
        self._paths: OrderedDict[Address, _Path] = OrderedDict()

    def _from_client(self, packet: bytes, source: Address) -> None:
        path = self._paths.get(source) or self._new_path(source)
        self._paths.move_to_end(source)
        self._pass(path.lines["up"], packet, path.port, self._target)

    def _from_target(self, client: Address, packet: bytes, source: Address) -> None:
        path = self._paths.get(client)
        if source == self._target and path is not None:
            self._pass(path.lines["down"], packet, self._front, client)

    def _new_path(self, client: Address) -> _Path:
        if len(self._paths) >= MOST_CLIENTS:
            _, silent = self._paths.popitem(last=False)
            self._close(silent.port)
            self._retire(silent.number)
        port = self._open(self._inner_host, 0, partial(self._from_target, client))
        number, lines = self._new_lines()
        path = self._paths[client] = _Path(number, port, lines)
        return path
