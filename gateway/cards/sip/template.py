"""The template: a process that has imported everything and forks a SIP card for each order.

    python -m gateway.cards.sip.template

Standard input: first line the gateway configuration as JSON (only its `log` section is read), then
one `SpawnCard` per line; end of file ends the template, not its cards. Standard output: `CardSpawned`
and `CardExited` lines. A card forked from here is ready in a tenth of the time an exec would take and
shares the template's memory.
"""

import gc
import os
import selectors
import signal
import sys
from typing import Literal

import msgspec

from gateway.cards.sip.process import run_card
from gateway.core.ids import CardId
from gateway.observe.log import configure_logging, get_logger
from gateway.wire.edge import CardExited, CardSpawned, SpawnCard, pack_line, unpack_spawn
from gateway.wire.frames import WireError


class _Log(msgspec.Struct, frozen=True):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console", "auto"] = "auto"
    personal: Literal["keep", "drop"] = "keep"


class _Configuration(msgspec.Struct, frozen=True):
    log: _Log = _Log()


class Template:
    """Forks cards on order and reports their ends."""

    def __init__(self, orders_fd: int, reports_fd: int) -> None:
        self._orders_fd, self._reports_fd = orders_fd, reports_fd
        self._selector = selectors.DefaultSelector()
        self._selector.register(orders_fd, selectors.EVENT_READ)
        self._cards: dict[int, tuple[CardId, int]] = {}  # pidfd -> card, pid
        self._rest = b""

    def run(self) -> None:
        """Serve until the orders end."""
        while True:
            for key, _ in self._selector.select():
                if key.fd != self._orders_fd:
                    self._reap(key.fd)
                elif not self._read_orders():
                    return

    def _read_orders(self) -> bool:
        data = os.read(self._orders_fd, 65536)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            try:
                order = unpack_spawn(line)
            except WireError as exc:
                get_logger().error("order not understood", error=str(exc))
                continue
            self._spawn(order)
        return bool(data)

    def _spawn(self, order: SpawnCard) -> None:
        pid = os.fork()
        if pid == 0:
            run_card(order)
        pidfd = os.pidfd_open(pid)
        self._cards[pidfd] = (order.card, pid)
        self._selector.register(pidfd, selectors.EVENT_READ)
        self._report(CardSpawned(order.card, pid))

    def _reap(self, pidfd: int) -> None:
        card, pid = self._cards.pop(pidfd)
        self._selector.unregister(pidfd)
        os.close(pidfd)
        _, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        self._report(CardExited(card, pid, f"signal {-code}" if code < 0 else f"exit {code}"))

    def _report(self, message: CardSpawned | CardExited) -> None:
        os.write(self._reports_fd, pack_line(message))


def _first_line(fd: int) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(fd, 1)
        if not byte:
            break
        line += byte
    return line


def main() -> int:
    """Read the configuration, then fork on order."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        log = msgspec.json.decode(_first_line(sys.stdin.fileno()), type=_Configuration).log
    except msgspec.MsgspecError as exc:
        sys.stderr.write(f"configuration not understood: {exc}\n")
        return 2
    configure_logging("card", level=log.level, format=log.format, personal=log.personal)
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)  # frames leave no cycles behind
    Template(sys.stdin.fileno(), sys.stdout.fileno()).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
