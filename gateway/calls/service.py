"""All calls of this core: takes new ones, adopts old ones, and sees each to its end."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from secrets import token_hex
from typing import Any, Final, Protocol

from gateway.calls import checkpoint
from gateway.calls.call import Call
from gateway.calls.gate import Gate
from gateway.calls.journal import CallFacts, Journal
from gateway.calls.parts import CallSettings
from gateway.config.models import GatewayConfig
from gateway.config.trunks import TrunkConfig
from gateway.core.ids import CallId, CardId, LegId
from gateway.core.record import CallKind, CallRecord, TimelineEvent, TimelineKind
from gateway.core.sip_uri import user_of
from gateway.core.termination import Reason, Termination
from gateway.dialplan.dialplan import Decision, Dialplan
from gateway.dialplan.interpreter import run_route
from gateway.dialplan.runtime import CallFactsView, TalkRequest
from gateway.dialplan.steps.reject import RejectStep
from gateway.errors import LocalError
from gateway.legs.contract import Leg
from gateway.observe.log import get_logger
from gateway.wire import card as wire

_WRITE_TIMEOUT_S: Final = 1.0
_RETURN_S: Final = 5.0
"""How long a person's leg waits for its call after a restart of the core."""

log = get_logger()


class RecordStore(Protocol):
    """Where finished calls go."""

    async def save(self, record: CallRecord) -> None:
        """Write a record. Raises `LocalError`."""


@dataclass(frozen=True, slots=True)
class CallDependencies:
    """What calls need, put together by the composition root."""

    config: GatewayConfig
    plan: Callable[[CallFactsView], Dialplan]
    """The plan for a new call."""
    calls: CallSettings
    store: RecordStore
    on_ended: Callable[[CallRecord], None]
    on_event: Callable[[CallId, TimelineEvent], None]
    """Told of everything that happens in calls."""
    gate: Callable[[CallFacts, wire.Incoming], Gate | None]
    """Told of every new call; gives a gate where a program outside decides about it."""
    clock: Callable[[], float]
    """CLOCK_MONOTONIC seconds; the same as the calls'."""


class CallService:
    """Owner of the calls' tasks."""

    def __init__(self, dependencies: CallDependencies) -> None:
        self._deps = dependencies
        self._calls: dict[CallId, Call] = {}
        self._on_leg: dict[tuple[CardId, LegId], CallId] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._returned: dict[CallId, list[tuple[Leg, checkpoint.KeptParty]]] = {}
        """Legs of people whose calls have not been taken over yet."""

    @property
    def live(self) -> int:
        """Calls in progress."""
        return len(self._calls)

    @property
    def calls(self) -> list[Call]:
        """Calls in progress, oldest first."""
        return list(self._calls.values())

    def find(self, call_id: CallId) -> Call | None:
        """A call in progress."""
        return self._calls.get(call_id)

    def find_on(self, leg: Leg) -> Call | None:
        """The call in progress that a leg belongs to."""
        call_id = self._on_leg.get(leg.address)
        return None if call_id is None else self._calls.get(call_id)

    def refusal(self, to: str) -> tuple[int, str] | None:
        """Why a WebRTC call to this number or agent would be refused, and an HTTP status."""
        decision = self.decide(self._view(CallId(""), "webrtc", to, "", "", ()))
        if decision.by_chance:
            return None
        if not decision.taken:
            return 404, "no agent and no route of the dialplan takes this call"
        first = decision.block[0].step if decision.block else None
        if isinstance(first, RejectStep):
            return 403, f"the dialplan refuses this call: {first.describe()}"
        return None

    def decide(self, facts: CallFactsView) -> Decision:
        """What the plan in force does with a call."""
        return self._deps.plan(facts).decide(facts, datetime.now(UTC))

    def _view_of(self, facts: CallFacts, incoming: wire.Incoming) -> CallFactsView:
        if facts.direction == "outbound":
            number, shown = facts.to_number, facts.from_number
            return CallFactsView(facts.kind, "outbound", number, shown, call_id=facts.id)
        return self._view(
            facts.id, facts.kind, facts.to_number, facts.from_number, facts.peer, incoming.headers
        )

    def _view(
        self,
        call_id: CallId,
        kind: CallKind,
        to: str,
        caller: str,
        peer: str,
        headers: tuple[tuple[str, str], ...],
    ) -> CallFactsView:
        """What the dialplan may look at."""
        first: dict[str, str] = {}
        for name, value in headers:
            first.setdefault(name.lower(), value)
        return CallFactsView(
            kind,
            "inbound",
            to,
            caller,
            trunk=trunk_of(self._deps.config.trunks, peer) if kind == "sip" else "",
            headers=first,
            agent=to if kind == "webrtc" and to in self._deps.config.agents else "",
            call_id=call_id,
        )

    def on_incoming(self, leg: Leg, incoming: wire.Incoming) -> None:
        """A card offers a new call."""
        journal = self._new_journal(leg, incoming)
        self._watch(journal)
        facts = journal.facts
        journal.note(TimelineKind.INCOMING, at_s=incoming.received_at_s, card=leg.address[0])
        view = self._view_of(facts, incoming)
        decision = self.decide(view)
        self._note_route(journal, view, decision)
        if not decision.taken:
            self._refuse(leg, journal)
            return
        gate = self._deps.gate(facts, incoming)
        self._start(leg, journal, decision, view, gate=gate)

    def on_adopted(self, leg: Leg, snapshot: wire.LegSnapshot) -> None:
        """A card holds a leg that an earlier core knew."""
        if snapshot.state in ("incoming", "ringing") and not snapshot.outbound:
            self.on_incoming(leg, snapshot.incoming)
            return
        try:
            kept = checkpoint.party_of(snapshot.kept)
        except LocalError as exc:
            log.error("a person's leg has lost its call", error=str(exc))
            leg.close(480, "Temporarily Unavailable")
            return
        # A call that we placed has a caller's memory, and none before it was answered.
        if kept is not None or (snapshot.outbound and not snapshot.kept):
            self._take_back(kept, leg)
            return
        journal, left = self._restored_journal(leg, snapshot)
        self._watch(journal)
        view = self._view_of(journal.facts, snapshot.incoming)
        decision = self.decide(view)
        _note_for_replay(journal, view, decision)
        agents, figures = self._deps.config.agents, journal.figures
        # A plan without an agent has none now either.
        if figures.agent not in agents and (figures.agent or not figures.route):
            figures.route = decision.route_name
            figures.agent = decision.first_agent or ("" if decision.taken else next(iter(agents)))
        self._start(leg, journal, decision, view, left=left)
        for returned, kept_party in self._returned.pop(journal.facts.id, []):
            self._calls[journal.facts.id].take_back(returned, kept_party)

    def _take_back(self, kept: checkpoint.KeptParty | None, leg: Leg) -> None:
        """The leg of a person: back to its call, as soon as that is there."""
        call = self._calls.get(kept.call_id) if kept is not None else None
        if kept is None:
            leg.close(480, "Temporarily Unavailable")
        elif call is not None:
            call.take_back(leg, kept)
        else:
            self._returned.setdefault(kept.call_id, []).append((leg, kept))
            asyncio.get_running_loop().call_later(_RETURN_S, self._give_up, kept.call_id)

    def _give_up(self, call_id: CallId) -> None:
        for leg, _ in self._returned.pop(call_id, []):
            log.warning("a person's leg has lost its call", call_id=call_id)
            leg.close(480, "Temporarily Unavailable")

    def _watch(self, journal: Journal) -> None:
        call_id, on_event = journal.facts.id, self._deps.on_event
        journal.watch(lambda event: on_event(call_id, event))

    def _restored_journal(self, leg: Leg, snapshot: wire.LegSnapshot) -> tuple[Journal, checkpoint.Standing]:
        if snapshot.kept:
            try:
                kept = checkpoint.unpack(snapshot.kept)
            except LocalError as exc:
                log.error("a call is taken over without its memory", error=str(exc))
            else:
                journal = Journal(checkpoint.facts_of(kept), self._deps.clock)
                checkpoint.restore(journal, kept)
                return journal, checkpoint.standing_of(kept)
        journal = self._new_journal(leg, snapshot.incoming)
        journal.figures.answered_s = self._deps.clock()
        journal.figures.recovered = 1
        journal.note(TimelineKind.RECOVERED, times=1)
        return journal, checkpoint.Standing()

    def _new_journal(self, leg: Leg, incoming: wire.Incoming) -> Journal:
        now = self._deps.clock()
        began = min(now, incoming.received_at_s) if incoming.received_at_s > 0 else now
        facts = CallFacts(
            id=CallId("call_" + token_hex(10)),
            kind=leg.kind,
            node=self._deps.config.node.name,
            sip_call_id=incoming.sip_call_id,
            from_number=_party(leg.kind, incoming.from_header),
            to_number=_party(leg.kind, incoming.request_uri),
            peer=incoming.peer,
            card=leg.address[0],
            started_at=datetime.now(UTC) - timedelta(seconds=now - began),
            started_s=began,
        )
        return Journal(facts, self._deps.clock)

    def begin(
        self, leg: Leg, journal: Journal, view: CallFactsView, decision: Decision, ring_s: float
    ) -> "asyncio.Task[None]":
        """A call that we placed and that rings now; the task is over when the call is."""
        self._watch(journal)
        journal.note(TimelineKind.DIALLING, party="caller", leg=leg.address[1])
        self._note_route(journal, view, decision)
        return self._start(leg, journal, decision, view, ring_s=ring_s)

    @staticmethod
    def _note_route(journal: Journal, view: CallFactsView, decision: Decision) -> None:
        _note_for_replay(journal, view, decision)
        route, agent = decision.route_name, decision.first_agent
        journal.note(TimelineKind.ROUTED, route=route, agent=agent, plan=decision.digest)
        journal.figures.route, journal.figures.agent = route, agent

    def _refuse(self, leg: Leg, journal: Journal) -> None:
        termination = Termination(Reason.NO_ROUTE)
        leg.reject(*termination.sip_status)
        self._track(self._finish(journal.record(termination)), f"refuse {journal.facts.id}")

    def _start(
        self,
        leg: Leg,
        journal: Journal,
        decision: Decision,
        view: CallFactsView,
        *,
        gate: Gate | None = None,
        left: checkpoint.Standing | None = None,
        ring_s: float | None = None,
    ) -> "asyncio.Task[None]":
        facts, figures = journal.facts, journal.figures
        log.info(
            "call offered" if left is None else "call taken over",
            call_id=facts.id,
            direction=facts.direction,
            agent=figures.agent,
            route=figures.route,
            card=facts.card,
            personal={"from": facts.from_number, "to": facts.to_number, "peer": facts.peer},
        )
        call = Call(
            leg,
            view,
            journal,
            self._deps.calls,
            partial(run_route, decision),
            first_talk=_first_talk(decision),
            gate=gate,
            left=left,
            ring_s=ring_s,
        )
        self._calls[call.id] = call
        self._on_leg[leg.address] = call.id
        return self._track(self._live(call, leg), f"call {call.id}")

    async def _live(self, call: Call, leg: Leg) -> None:
        try:
            record = await call.run()
        finally:
            del self._calls[call.id]
            # A card that was restarted counts its legs from the beginning again.
            if self._on_leg.get(leg.address) == call.id:
                del self._on_leg[leg.address]
        await self._finish(record)

    async def _finish(self, record: CallRecord) -> None:
        log.info(
            "call ended",
            call_id=record.id,
            result=record.result.value,
            reason=record.reason.value,
            detail=record.detail,
            duration_s=round(record.duration_s, 3),
            setup_ms=record.setup_ms and round(record.setup_ms, 1),
        )
        self._deps.on_ended(record)
        try:
            await self._deps.store.save(record)
        except LocalError as exc:
            log.error("the call's record could not be written", call_id=record.id, error=str(exc))

    def _track(self, work: Coroutine[Any, Any, None], name: str) -> "asyncio.Task[None]":
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._untrack)
        return task

    def _untrack(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a call's task failed", task=task.get_name(), exc_info=error)

    async def stop(self, reason: Reason, timeout_s: float) -> None:
        """End every call and wait until its record is written.

        After `timeout_s` the calls don't wait for their legs any more, and have a second to be written.
        """
        for call in list(self._calls.values()):
            call.end(reason)
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=timeout_s)
        for call in list(self._calls.values()):
            call.end(reason)
        if self._tasks:
            _, late = await asyncio.wait(set(self._tasks), timeout=_WRITE_TIMEOUT_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)


def _party(kind: CallKind, text: str) -> str:
    """Who calls or is called; a WebRTC peer is named by the API, a phone in the header of a request."""
    return text if kind == "webrtc" else user_of(text)


def _note_for_replay(journal: Journal, view: CallFactsView, decision: Decision) -> None:
    """What the plan looked at and the record would not hold otherwise."""
    journal.figures.trunk = view.trunk
    journal.figures.headers = decision.dialplan.asked_headers(view)


def _first_talk(decision: Decision) -> TalkRequest | None:
    """What to connect while the phone rings."""
    if not decision.first_agent:
        return None
    return TalkRequest(decision.first_agent, allow=decision.first_allow)


def trunk_of(trunks: Mapping[str, TrunkConfig], peer: str) -> str:
    """The trunk that a call comes from by its address (`transport:address:port`); empty if from none."""
    address = peer.partition(":")[2].rpartition(":")[0]
    return next((name for name, trunk in trunks.items() if trunk.sends_from(address)), "")
