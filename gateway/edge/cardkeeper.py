"""The processes of the cards: ordered from the template, watched by pidfd, ended by signal."""

import asyncio
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gateway.core.ids import CardId
from gateway.observe.log import get_logger
from gateway.wire.edge import CardSpawned, FromTemplate, SpawnCard, pack_line

_GRACE_S: Final = 1.0
_TELL_S: Final = 0.1
"""How long the template may take to say how a card ended; only it can know."""

log = get_logger()


@dataclass(frozen=True, slots=True)
class CardProcess:
    """A card's process."""

    card: CardId
    pid: int
    pidfd: int


class CardKeeper:
    """Knows a card's process from its first sign to its end; a pidfd can't mean another process.

    Cards outlive the template, so that its word alone can't be relied on.
    """

    def __init__(
        self,
        order_for: Callable[[CardId], SpawnCard],
        write_to_template: Callable[[bytes], None],
        on_death: Callable[[CardId, int, str], None],
    ) -> None:
        """on_death gets the card, its pid and how it ended."""
        self._order_for = order_for
        self._write = write_to_template
        self._on_death = on_death
        self._processes: dict[CardId, CardProcess] = {}
        self._ordered: set[CardId] = set()
        self._told: dict[int, str] = {}
        self._ended: dict[int, asyncio.TimerHandle] = {}
        self._all_gone = asyncio.Event()
        self._all_gone.set()

    def start(self, card: CardId) -> None:
        """Order a card."""
        self._ordered.add(card)
        self._write(pack_line(self._order_for(card)))

    def handle_template(self, message: FromTemplate) -> CardProcess | None:
        """What the template says; the process if it is a new one."""
        if isinstance(message, CardSpawned):
            return self.watch(message.card, message.pid)
        process = self._processes.get(message.card)
        if process is not None and process.pid == message.pid:
            self._told[message.pid] = message.status
            timer = self._ended.pop(message.pid, None)
            if timer is not None:
                timer.cancel()
                self._finish(process)
        return None

    def on_template_started(self) -> None:
        """A new template: give it the orders that have not been carried out."""
        for card in sorted(self._ordered):
            self._write(pack_line(self._order_for(card)))

    def watch(self, card: CardId, pid: int) -> CardProcess | None:
        """A card's process shows itself. None if it is known, or gone already."""
        known = self._processes.get(card)
        if known is not None:
            return None
        self._ordered.discard(card)
        try:
            pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            self._on_death(card, pid, "unknown")
            return None
        process = CardProcess(card, pid, pidfd)
        self._processes[card] = process
        self._all_gone.clear()
        asyncio.get_running_loop().add_reader(pidfd, self._on_exit, process)
        return process

    def kill(self, card: CardId) -> bool:
        """SIGKILL. False if the card has no process yet."""
        if card not in self._processes:
            return False
        self.signal(card, signal.SIGKILL)
        return True

    def forget_order(self, card: CardId) -> None:
        """Nobody waits for this card any more."""
        self._ordered.discard(card)

    def signal(self, card: CardId, number: signal.Signals) -> None:
        """Send a signal, if the process still is."""
        process = self._processes.get(card)
        if process is None:
            return
        try:
            signal.pidfd_send_signal(process.pidfd, number)
        except ProcessLookupError:
            log.debug("card was gone already", card=card)

    async def end_all(self, patience_s: float = _GRACE_S) -> None:
        """SIGTERM for all cards, SIGKILL for those that are still there after a while."""
        self._ordered.clear()
        for card in list(self._processes):
            self.signal(card, signal.SIGTERM)
        try:
            async with asyncio.timeout(patience_s):
                await self._all_gone.wait()
        except TimeoutError:
            for card in list(self._processes):
                self.signal(card, signal.SIGKILL)
            await self._all_gone.wait()

    def _on_exit(self, process: CardProcess) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(process.pidfd)
        if process.pid in self._told:
            self._finish(process)
        else:
            self._ended[process.pid] = loop.call_later(_TELL_S, self._finish, process)

    def _finish(self, process: CardProcess) -> None:
        self._ended.pop(process.pid, None)
        status = self._told.pop(process.pid, "") or _reaped(process.pidfd)
        os.close(process.pidfd)
        del self._processes[process.card]
        if not self._processes:
            self._all_gone.set()
        self._on_death(process.card, process.pid, status)


def _reaped(pidfd: int) -> str:
    """How a process ended, if it was left to us (as process 1 of a container, after its template died)."""
    try:
        found = os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG)
    except ChildProcessError:
        return "unknown"
    if found is None:
        return "unknown"
    name = "exit" if found.si_code == os.CLD_EXITED else "signal"
    return f"{name} {found.si_status}"
