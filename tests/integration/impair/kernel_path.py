"""Two network namespaces, and between them a path of IP packets that a modelled network impairs.

Each namespace has a TUN device whose other end is a descriptor of the test's process.
"""

import asyncio
import fcntl
import os
import secrets
import struct
import subprocess
from functools import partial
from types import TracebackType
from typing import Final, Literal, Self

from gateway.impair.impairment import Impairment
from gateway.impair.model import HEADER_BYTES, Line
from gateway.impair.outbox import Outbox

_TUNSETIFF: Final = 0x400454CA
_IFF_TUN: Final = 0x0001
_IFF_NO_PI: Final = 0x1000
_MTU_BYTES: Final = 1500
_PORTION: Final = 64

End = Literal["a", "b"]
_OTHER: Final[dict[End, End]] = {"a": "b", "b": "a"}
ADDRESSES: Final[dict[End, str]] = {"a": "198.51.100.1", "b": "198.51.100.2"}


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def _open_tun(name: str) -> int:
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI))
    return tun


class KernelPath:
    """`async with KernelPath(a_to_b=..., b_to_a=...) as path: path.command("a", "ping", ADDRESSES["b"])`."""

    def __init__(self, *, a_to_b: Impairment, b_to_a: Impairment, seed: int = 1) -> None:
        self.lines: dict[End, Line] = {"a": Line(a_to_b, f"{seed}/a"), "b": Line(b_to_a, f"{seed}/b")}
        """By the end that sends."""
        self._run = secrets.token_hex(3)
        self._tuns: dict[End, int] = {}
        self._made: list[str] = []
        self._outbox: Outbox | None = None

    def _namespace(self, end: End) -> str:
        return f"gw{self._run}{end}"

    def command(self, end: End, *arguments: str) -> list[str]:
        """A command line that runs in the namespace of that end."""
        return ["ip", "netns", "exec", self._namespace(end), *arguments]

    async def __aenter__(self) -> Self:
        self._outbox = Outbox()
        try:
            for end in ADDRESSES:
                self._set_up(end)
        except BaseException:
            self._take_down()
            raise
        loop = asyncio.get_running_loop()
        for end, tun in self._tuns.items():
            loop.add_reader(tun, partial(self._read, end))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._take_down()

    def _set_up(self, end: End) -> None:
        name = self._namespace(end)
        _ip("netns", "add", name)
        self._made.append(name)
        self._tuns[end] = _open_tun(name)
        _ip("link", "set", name, "netns", name)
        _ip("-n", name, "address", "add", f"{ADDRESSES[end]}/24", "dev", name)
        _ip("-n", name, "link", "set", name, "up")
        _ip("-n", name, "link", "set", "lo", "up")

    def _take_down(self) -> None:
        loop = asyncio.get_running_loop()
        for tun in self._tuns.values():
            loop.remove_reader(tun)
            os.close(tun)
        self._tuns.clear()
        if self._outbox is not None:
            self._outbox.close()
        for name in self._made:
            _ip("netns", "delete", name)

    def _read(self, end: End) -> None:
        assert self._outbox is not None
        loop = asyncio.get_running_loop()
        for _ in range(_PORTION):
            try:
                packet = os.read(self._tuns[end], _MTU_BYTES)
            except BlockingIOError:
                return
            for at in self.lines[end].releases(max(0, len(packet) - HEADER_BYTES), loop.time()):
                self._outbox.post(at, partial(self._write, _OTHER[end]), packet)

    def _write(self, end: End, packet: bytes) -> None:
        os.write(self._tuns[end], packet)
