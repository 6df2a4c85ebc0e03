"""Starts and restarts everything else: core, template, bot, cards; knows whether calls can come."""

import asyncio
import os
import signal
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from gateway.config.models import GatewayConfig
from gateway.core.ids import CardId
from gateway.edge.board import Admission
from gateway.edge.cardkeeper import CardKeeper
from gateway.edge.children import Child, Lifeline
from gateway.edge.dispatcher import Dispatcher
from gateway.edge.link import CoreLink
from gateway.edge.orders import card_order, card_socket
from gateway.edge.slots import CardPhase
from gateway.edge.webrtc import WebrtcSide
from gateway.observe.log import get_logger
from gateway.wire.edge import (
    CardDown,
    CardStatus,
    CardUp,
    EdgeToCore,
    ReleaseSlot,
    SpawnCard,
    WantSlot,
    unpack_from_template,
)
from gateway.wire.frames import WireError

_EARLY_DEATHS_TO_GIVE_UP: Final = 4
_CHILD_STOP_S: Final = 3.0
TEMPLATE_START_S: Final = 60.0
"""How long a template may take to import everything, on a busy machine."""

log = get_logger()


class Supervisor:
    """Owns the child processes and the link to the core."""

    def __init__(
        self,
        config: GatewayConfig,
        run_dir: Path,
        inner_port: int,
        dispatcher: Dispatcher,
        *,
        on_change: Callable[[], None],
        on_failure: Callable[[str], None],
    ) -> None:
        """on_change: readiness or the number of calls may be another. on_failure: one line, give up.

        Raises `CannotStartError` if the WebRTC port can't be had.
        """
        self._config = config
        self._run_dir = run_dir
        self._inner_port = inner_port
        self._dispatcher = dispatcher
        self._on_change = on_change
        self._on_failure = on_failure
        self._lifeline = Lifeline()
        self._link = CoreLink(self)
        self._webrtc = self._make_webrtc()
        self._children = self._make_children()
        self._keeper = CardKeeper(self._order_for, self._children["template"].write, self._on_card_death)
        dispatcher.keeper = self._keeper
        dispatcher.tell_core = self._link.send
        self._dead_pids: deque[int] = deque(maxlen=64)
        self._core_ready = False
        self._core_was_lost = False
        self._reload_owed = False
        """The core is to read its dialplans once more when it is ready."""
        self._was_ready = False
        self._template_works = False
        """It has carried out an order."""
        self._template_since_s = 0.0
        self._draining = False

    @property
    def ready(self) -> bool:
        """A core is there and at least one card that it is connected to."""
        return self._core_ready and self._dispatcher.slots.serving

    @property
    def settled(self) -> bool:
        """Whether the WebRTC cards are up as well, or can't be."""
        return self._webrtc is None or self._webrtc.settled

    @property
    def webrtc_peers(self) -> int:
        """Peers on WebRTC cards."""
        return self._webrtc.peers if self._webrtc is not None else 0

    async def open(self) -> None:
        """Listen for the core."""
        await self._link.open(self._run_dir)

    def start(self, group: asyncio.TaskGroup) -> None:
        """Run every child in `group`, and order the first cards."""
        for child in self._children.values():
            group.create_task(child.run(), name=child.name)
        if self._webrtc is not None:
            self._webrtc.start(group)
        self._dispatcher.tick()

    def tick(self, now: float) -> None:
        """Once in a while."""
        if self._webrtc is not None:
            self._webrtc.check(now)

    def counters(self) -> dict[str, float]:
        """Of the WebRTC side."""
        return self._webrtc.counters() if self._webrtc is not None else {}

    def tell_core(self, message: EdgeToCore) -> None:
        """To the core, if there is one."""
        self._link.send(message)

    def drain(self) -> None:
        """No new calls from now on."""
        self._draining = True
        self._admit()

    def reload_core(self) -> None:
        """Let the core read its dialplans again; one that starts may have read them already, so later."""
        self._reload_owed = not self._core_ready
        if self._core_ready:
            self._children["core"].hang_up()

    async def end_core(self, patience_s: float) -> None:
        """After `StopCore`: wait for it to leave by itself, then make it."""
        core = self._children["core"]
        core.no_more()
        if not self._link.connected:
            patience_s = 0.0  # it can't have heard
        if not await core.ended_within(patience_s):
            await core.stop(_CHILD_STOP_S)

    async def end_others(self) -> None:
        """Cards, template and bot."""
        self._dispatcher.fleet.closing = True
        await self._keeper.end_all()
        if self._webrtc is not None:
            await self._webrtc.stop()
        others = [child for name, child in self._children.items() if name != "core"]
        await asyncio.gather(*(child.stop(_CHILD_STOP_S) for child in others))

    async def close(self) -> None:
        """Close the link and cut the lifeline, which ends whatever is left."""
        await self._link.close()
        if self._webrtc is not None:
            self._webrtc.close()
        self._lifeline.cut()

    # ---- the core ------------------------------------------------------------------------------

    def on_core_connected(self) -> None:
        """Tell it which cards there are."""
        for card in self._dispatcher.slots.cards.values():
            if card.phase is not CardPhase.STARTING:
                self._tell_of_card(card.id, card.pid)
        if self._webrtc is not None:
            self._webrtc.on_core_connected()

    def on_core_ready(self) -> None:
        """New calls may come."""
        self._core_ready = True
        if self._core_was_lost:
            log.info("the new core takes calls")
        if self._reload_owed:
            self.reload_core()
        self._admit()

    def on_core_cannot_start(self, message: str) -> None:
        """There is no use in trying again, unless there are calls that a later core may go on with."""
        if self._was_ready:
            log.error("core cannot start again", error=message)
        else:
            self._on_failure(message)

    def on_core_message(self, message: WantSlot | ReleaseSlot) -> None:
        """A slot for a call that the core places."""
        self._dispatcher.on_core_message(message)

    def on_core_hung(self) -> None:
        """Its successor takes the calls over."""
        self._children["core"].kill()

    def on_core_lost(self) -> None:
        """No new calls; the cards keep theirs."""
        self._core_ready = False
        self._core_was_lost = True
        self._dispatcher.on_core_lost()
        self._admit()

    def _admit(self) -> None:
        router = self._dispatcher.router
        if self._draining:
            router.admission = Admission.DRAINING
        else:
            router.admission = Admission.OPEN if self._core_ready else Admission.NOT_READY
        self._was_ready = self._was_ready or self.ready
        self._on_change()

    # ---- cards -----------------------------------------------------------------------------------

    def on_status(self, status: CardStatus) -> None:
        """A card's sign of life."""
        if self._webrtc is not None and self._webrtc.on_status(status):
            return
        slots = self._dispatcher.slots
        known = slots.cards.get(status.card)
        if known is None or (known.pid and known.pid != status.pid):
            self._end_stray(status)
            return
        first = known.phase is CardPhase.STARTING
        if first:
            self._keeper.watch(status.card, status.pid)
            if slots.cards.get(status.card) is not known:
                return  # it has ended since it wrote this
        ordered_at = known.heard_at
        self._dispatcher.on_status(status)
        if first:
            start_ms = round((time.monotonic() - ordered_at) * 1000, 1)
            log.debug("card started", card=status.card, pid=status.pid, start_ms=start_ms)
            self._tell_of_card(status.card, status.pid)
        self._admit()

    def _on_template_line(self, line: bytes) -> None:
        try:
            process = self._keeper.handle_template(unpack_from_template(line))
        except WireError as exc:
            log.error("template not understood", error=str(exc))
            return
        self._template_works = True
        if process is None:
            return
        if process.card in self._dispatcher.slots.cards:
            self._dispatcher.slots.card_spawned(process.card, process.pid)
        else:
            self._keeper.kill(process.card)  # nobody waits for it any more

    def _on_card_death(self, card: CardId, pid: int, status: str) -> None:
        self._dead_pids.append(pid)
        dispatcher = self._dispatcher
        known = dispatcher.slots.cards.get(card)
        expected = known is None or known.phase is CardPhase.RETIRING or dispatcher.fleet.closing
        say = log.debug if expected else log.error
        say("card ended", card=card, pid=pid, status=status, calls=known.used if known else 0)
        if not expected:
            dispatcher.router.counters["card_deaths_total"] += 1
        dispatcher.on_card_death(card)
        self._link.send(CardDown(card, pid, status))
        Path(card_socket(self._run_dir, card)).unlink(missing_ok=True)
        if not self._was_ready and dispatcher.fleet.early_deaths >= _EARLY_DEATHS_TO_GIVE_UP:
            self._on_failure(f"line cards do not start ({status})")
        self._on_change()

    def on_stuck_order(self, card: CardId) -> None:
        """The template does not do its work: another one will. At first it may be slow to import."""
        if not self._template_works and time.monotonic() - self._template_since_s < TEMPLATE_START_S:
            return
        self._keeper.forget_order(card)
        self._on_card_death(card, 0, "never started")
        self._children["template"].kill()

    def _end_stray(self, status: CardStatus) -> None:
        """A card nobody counts on: ordered from a template that died before it could say so."""
        if status.pid in self._dead_pids:
            return
        self._dead_pids.append(status.pid)
        log.warning("unknown card", card=status.card, pid=status.pid)
        try:
            os.kill(status.pid, signal.SIGKILL)
        except ProcessLookupError:
            log.debug("unknown card was gone already", pid=status.pid)

    def _tell_of_card(self, card: CardId, pid: int) -> None:
        self._link.send(CardUp(card, "sip", card_socket(self._run_dir, card), pid))

    # ---- children ----------------------------------------------------------------------------------

    def _order_for(self, card: CardId) -> SpawnCard:
        return card_order(card, self._config.sip, self._run_dir, self._inner_port)

    def _make_webrtc(self) -> WebrtcSide | None:
        if self._config.webrtc is None:
            return None
        return WebrtcSide(
            self._config,
            self._config.webrtc,
            self._run_dir,
            self._lifeline,
            tell_core=self._link.send,
            on_change=self._on_change,
        )

    def _make_children(self) -> dict[str, Child]:
        line = self._config.for_child()

        def child(name: str, *arguments: str, on_line: Callable[[bytes], None] | None = None) -> Child:
            return Child(
                name,
                arguments,
                line,
                self._lifeline,
                on_line=on_line,
                on_start=lambda pid: self._on_child_start(name, pid),
                on_death=lambda status: self._on_child_death(name, status),
            )

        children = {
            "core": child("core", "gateway.app"),
            "template": child("template", "gateway.cards.sip.template", on_line=self._on_template_line),
        }
        if self._config.needs_bot:
            children["bot"] = child("bot", "gateway.bot", "--socket", str(self._run_dir / "bot.sock"))
        return children

    def _on_child_start(self, name: str, pid: int) -> None:
        log.debug("process started", name=name, pid=pid)
        if name == "template":
            self._template_works, self._template_since_s = False, time.monotonic()
            self._keeper.on_template_started()

    def _on_child_death(self, name: str, status: str) -> None:
        self._dispatcher.router.counters[f"{name}_restarts_total"] += 1
        if not self._was_ready and self._children[name].early_deaths >= _EARLY_DEATHS_TO_GIVE_UP:
            self._on_failure(f"the {name} process does not start ({status})")
