"""One call, from the INVITE to the record it leaves behind. Read `Call.run` from top to bottom."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Final

from gateway.calls import checkpoint
from gateway.calls.agent import AgentDialogue
from gateway.calls.agent_link import AgentLink, AgentLostError
from gateway.calls.bridge import Bridge
from gateway.calls.desk import CallDesk
from gateway.calls.endings import by_fault, by_step
from gateway.calls.events import CallEndedError, CallEvents, EndRequested, LineBad
from gateway.calls.gate import Accept, Gate, Refer, Reject
from gateway.calls.journal import Journal
from gateway.calls.line.care import LineCare
from gateway.calls.parts import CallParts, CallSettings
from gateway.calls.placed import reached
from gateway.calls.verbs import CallVerbs
from gateway.core.call_state import CallState, advance
from gateway.core.record import CallRecord, TimelineKind
from gateway.core.termination import Reason, Termination
from gateway.dialplan.runtime import CallControl, CallFactsView, StepFailedError, TalkRequest
from gateway.legs.contract import Leg
from gateway.observe.log import get_logger
from gateway.wire import card as wire

_CLOSE_TIMEOUT_S: Final = 12.0
"""From our BYE to the end of the leg (a BYE may be retransmitted for 32 s; we don't wait for all)."""
_APOLOGY_TIMEOUT_S: Final = 60.0
_HANDED_BACK: Final = "(The person who spoke with the caller has handed them back to you; go on.)"

Plan = Callable[[CallControl], Awaitable[None]]
"""What happens in the call: the steps of a route of the dialplan, one after the other."""

_STAGES: Final[dict[CallState, checkpoint.Stage]] = {
    CallState.IN_PLAN: "plan",
    CallState.TALKING: "agent",
    CallState.BRIDGED: "person",
}

log = get_logger()


class Call:
    """One caller, and everybody they talk to."""

    def __init__(
        self,
        leg: Leg,
        facts: CallFactsView,
        journal: Journal,
        settings: CallSettings,
        plan: Plan,
        *,
        first_talk: TalkRequest | None = None,
        gate: Gate | None = None,
        left: checkpoint.Standing | None = None,
        ring_s: float | None = None,
    ) -> None:
        """`first_talk`: its agent is connected while the phone rings.

        `gate`: where the call waits for a verdict. `left`: how an earlier core left the call it had begun.
        `ring_s`: the call is ours, and the far end has so long to answer it.
        """
        self.id = journal.facts.id
        self._leg = leg
        self._journal = journal
        self._settings = settings
        self._plan = plan
        self._first_talk = first_talk
        self._gate = gate
        self._left = left
        self._ring_s = ring_s
        self._state = CallState.OFFERED
        clock = settings.clock
        self._events = CallEvents(journal, clock)
        self._bridge = Bridge(
            leg,
            journal,
            clock,
            self._events.post,
            settings.ticker,
            mix_rate_hz=settings.mix_rate_hz,
            inherited=left is not None,
        )
        if left is not None:
            self._bridge.caller.held, self._bridge.caller.muted = left.held, left.muted
        link = AgentLink(
            self._bridge.agent,
            self._events,
            journal,
            settings.agents,
            settings.make_backend,
            settings.breakers,
            clock,
            self._say_wait,
        )
        self._agent = AgentDialogue(
            self._bridge.agent, link, self._events, journal, clock, self._enter, self._keep
        )
        parts = CallParts(
            leg, journal, self._events, self._bridge, self._agent, settings, self._enter, self._keep
        )
        self._verbs = CallVerbs(facts, parts)
        self.desk = CallDesk(
            journal,
            self._events,
            self._bridge,
            self._verbs.persons,
            settings,
            gate,
            lambda: link.backend is not None,
            self._keep,
        )
        """What may be done with the call from outside."""
        self._log = log.bind(call_id=self.id)
        self._bridge.caller.care = LineCare(
            self._bridge.caller,
            journal,
            settings.ladders,
            clock,
            trunk=facts.trunk,
            on_hopeless=lambda: self._events.post(LineBad()),
        ).on_event
        self._bridge.caller.attach(self.id)
        self._bridge.on_changed = self._keep
        self._bridge.on_fault = self._on_mix_fault

    @property
    def state(self) -> CallState:
        """Where the call is."""
        return self._state

    @property
    def journal(self) -> Journal:
        """What is written down so far."""
        return self._journal

    @property
    def bridge(self) -> Bridge:
        """The call's media."""
        return self._bridge

    def take_back(self, leg: Leg, kept: checkpoint.KeptParty) -> None:
        """The leg of somebody whom an earlier core called into this call."""
        left = self._left or checkpoint.Standing()
        if kept.by == "desk" or left.stage == "agent":
            self.desk.take_back(leg, kept, left.agent_role)
        else:
            self._verbs.persons.take_back(leg, kept)

    def end(self, reason: Reason) -> None:
        """Ask for the end from outside."""
        self._events.post(EndRequested(reason))

    # ---- the life of a call -------------------------------------------------------------------

    async def run(self) -> CallRecord:
        """Live through the call; returns its record, whatever happens."""
        try:
            termination = await self._until_its_end()
            await self._hang_up(termination)
        except asyncio.CancelledError:
            self.desk.suspend()
            raise
        finally:
            await self._let_go()
        self._enter(CallState.ENDED)
        return self._journal.record(termination)

    async def _let_go(self) -> None:
        """Each part, whatever becomes of the others; the record must not be lost for a fault here."""
        try:
            async with AsyncExitStack() as ending:
                ending.callback(self._bridge.close)
                ending.push_async_callback(self._agent.link.release)
                ending.callback(self._verbs.persons.close)
                ending.push_async_callback(self.desk.close)
        except Exception:  # noqa: BLE001
            self._log.exception("a call did not end cleanly")

    def _on_mix_fault(self) -> None:
        self._log.exception("the mix has failed")
        self._events.post(EndRequested(Reason.INTERNAL_ERROR))

    async def _until_its_end(self) -> Termination:
        """Everything up to the reason to hang up."""
        try:
            if self._left is not None:
                await self._take_over(self._left)
            else:
                if self._ring_s is not None:
                    await self._reach(self._ring_s)
                await self._follow_plan()
            return self._verbs.outcome
        except CallEndedError as end:
            return end.termination
        except Exception:  # noqa: BLE001 - one call's fault must not end the others
            self._log.exception("call failed")
            return await self._excuse(Termination(Reason.INTERNAL_ERROR))

    async def _follow_plan(self) -> None:
        """The steps; a failure that the plan does not take care of is told to the caller."""
        try:
            plan = await self._pass_gate()
            if self._first_talk is not None:
                await self._verbs.ring()
                self._verbs.prewarm(self._first_talk)
            await plan(self._verbs)
        except StepFailedError as failure:
            await self._fail(failure)

    async def _reach(self, ring_s: float) -> None:
        """The far end has to answer."""
        self._enter(CallState.RINGING)
        await reached(self._events, self._journal, self._settings.clock, ring_s)
        self._bridge.set_agent("away")
        self._enter(CallState.ANSWERING)
        self._keep()

    async def _pass_gate(self) -> Plan:
        """The plan, or what was decided outside in its place."""
        if self._gate is None:
            return self._plan
        await self._verbs.ring()
        verdict = await self._events.during(self._gate.verdict())
        self._journal.note(TimelineKind.NOTE, text=f"decided outside: {type(verdict).__name__.lower()}")
        match verdict:
            case Reject(status, reason):
                await self._verbs.reject(status, reason)
            case Refer(target):
                await self._verbs.refer(target)
            case Accept(agent, instructions) if agent or instructions:
                if not agent:
                    agent = self._first_talk.agent if self._first_talk else next(iter(self._settings.agents))
                self._journal.figures.instructions = instructions
                self._first_talk = TalkRequest(agent, instructions=instructions)
                return _talk_with(self._first_talk)
        return self._plan

    async def _take_over(self, left: checkpoint.Standing) -> None:
        """Go on with a call that an earlier core process left behind."""
        self._enter(CallState.RECOVERING)
        self._verbs.allow = left.allow
        if left.recording is not None:
            self.desk.go_on_recording(left.recording)
        try:
            if left.stage == "person":
                ended = await self._verbs.rejoin()
                if ended == "handed_back" and self._journal.figures.agent:
                    await self._verbs.go_on(_HANDED_BACK)
                if ended is not None:
                    return
                await self._verbs.persons.among_themselves()
            if left.stage == "plan" or not self._journal.figures.agent:
                # Where it stood in its plan is not known: the caller hears it from the beginning.
                await self._plan(self._verbs)
                return
            await self._verbs.go_on()
        except StepFailedError as failure:
            await self._fail(failure)

    async def _fail(self, failure: StepFailedError) -> None:
        """Nothing in the plan helps any more. Never returns."""
        if isinstance(failure, AgentLostError):
            termination = by_fault(failure.error)
        else:
            self._journal.note(TimelineKind.NOTE, text=f"not handled: {failure.kind}: {failure}")
            termination = by_step(failure)
            if not self._verbs.answered:
                raise CallEndedError(termination)
        await self._verbs.answer()
        await self._apologise(termination)

    async def _excuse(self, termination: Termination) -> Termination:
        """After a fault of our own nobody is left in silence."""
        if not self._verbs.answered or self._events.leg_closed:
            return termination
        try:
            await self._apologise(termination)
        except CallEndedError as end:
            return end.termination
        except Exception:  # noqa: BLE001 - the call ends in order, whatever the apology's code did
            self._log.exception("the apology failed")
        return termination

    async def _apologise(self, termination: Termination) -> None:
        """Say that the call cannot go on, and end it. Never returns."""
        self._enter(CallState.APOLOGISING)
        self._bridge.set_agent("away")
        language = self._verbs.language
        self._journal.note(TimelineKind.PROMPT, name="apology", language=language)
        apology = self._settings.sounds.apology(language, self._leg.pcm_format.sample_rate_hz)
        mark = self._bridge.play_prompt(apology)
        deadline = self._settings.clock() + _APOLOGY_TIMEOUT_S
        while (event := await self._events.next(deadline)) is not None:
            if isinstance(event, wire.PlayFinished) and event.mark == mark:
                await self._agent.linger()
                break
        raise CallEndedError(termination)

    async def _hang_up(self, termination: Termination) -> None:
        """End the leg if it still lives, and wait until it is gone or the end is asked for once more."""
        if self._events.leg_closed:
            return
        self._enter(CallState.CLOSING)
        status, reason = termination.sip_status
        if status < 300 and not self._verbs.answered:
            # An end that is normal for us still has to refuse a caller who was never answered.
            status, reason = 480, "Temporarily Unavailable"
        self._leg.close(status, reason)
        deadline = self._settings.clock() + _CLOSE_TIMEOUT_S
        while not self._events.leg_closed:
            try:
                event = await self._events.next(deadline)
            except CallEndedError as again:
                if again.termination.reason is Reason.RTP_TIMEOUT:
                    continue
                event = None
            if event is None and not self._events.leg_closed:
                self._log.warning("the leg did not end in time")
                return

    def _say_wait(self) -> None:
        """The agent's service is being looked for."""
        rate_hz = self._leg.pcm_format.sample_rate_hz
        self._bridge.play_prompt(self._settings.sounds.filler(self._verbs.language, rate_hz))

    def _enter(self, state: CallState) -> None:
        if state is not self._state:
            self._state = advance(self._state, state)
            if state in _STAGES:
                self._keep()

    def _keep(self) -> None:
        """Leave with the leg what a core that comes after this one has to know."""
        caller, before = self._bridge.caller, self._left or checkpoint.Standing()
        standing = checkpoint.Standing(
            stage=_STAGES.get(self._state, before.stage),
            recording=self.desk.recording,
            held=caller.held,
            muted=caller.muted,
            agent_role=self._bridge.agent_role,
            allow=self._verbs.allow,
        )
        self._leg.keep(checkpoint.pack(self._journal, standing))


def _talk_with(request: TalkRequest) -> Plan:
    async def plan(call: CallControl) -> None:
        await call.talk(request)

    return plan
