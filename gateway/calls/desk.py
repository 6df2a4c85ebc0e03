"""What may be done with a call from outside while its plan goes on: the control API's verbs."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from gateway.calls.bridge import CALLER, Bridge
from gateway.calls.checkpoint import AgentRole, KeptParty, KeptRecording
from gateway.calls.dialling import NotReachedError
from gateway.calls.events import CallEvents, EndRequested
from gateway.calls.gate import Gate, Refer, Verdict
from gateway.calls.journal import Journal
from gateway.calls.meeting import Meeting
from gateway.calls.parts import CallSettings
from gateway.calls.party import Party
from gateway.calls.persons import Persons
from gateway.calls.recorder import CallRecorder
from gateway.calls.spool import free_path
from gateway.core.record import TimelineKind
from gateway.core.termination import Reason
from gateway.dialplan.runtime import Prompt, StepFailedError
from gateway.errors import LocalError
from gateway.legs.contract import Leg, LegEvent
from gateway.wire import card as wire

_REFER_TIMEOUT_S: Final = 30.0
_MAX_PARTIES: Final = 16
_CALLER_AND_ONE: Final = 2

Result = TypeVar("Result")


class NotPossibleError(LocalError):
    """The call cannot do that, or not now. `status`: the HTTP status that says it best."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class CallDesk:
    """The verbs of one call. All raise `NotPossibleError`; what they began ends with the call."""

    def __init__(
        self,
        journal: Journal,
        events: CallEvents,
        bridge: Bridge,
        persons: Persons,
        settings: CallSettings,
        gate: Gate | None,
        serving_agent: Callable[[], bool],
        keep: Callable[[], None],
    ) -> None:
        """`gate`: where the call waits for a verdict. `serving_agent`: whether an agent is connected.

        `keep` leaves the call's state for a core that comes after this one.
        """
        self._journal = journal
        self._events = events
        self._bridge = bridge
        self._persons = persons
        self._settings = settings
        self._gate = gate
        self._serving_agent = serving_agent
        self._keep = keep
        self._work: set[asyncio.Task[Any]] = set()
        self._meetings: set[Meeting] = set()
        self._ends_with_last = False
        """Whether the call is over when the last person leaves."""
        self._over = False
        self._recorder: CallRecorder | None = None

    # ---- before the answer --------------------------------------------------------------------

    def decide(self, verdict: Verdict) -> None:
        """Accept, reject or refer a call that waits for that."""
        if self._gate is None or not self._gate.decide(verdict):
            raise NotPossibleError(409, "the call does not wait for a decision")

    # ---- sounds -------------------------------------------------------------------------------

    async def play(self, prompt: Prompt, to: str = "") -> int:
        """Play to one party, or to all; returns the length in ms. The sound itself may take longer."""
        parties = [self._party(to)] if to else list(self._bridge.parties)
        self._require_answer()
        longest_ms = 0.0
        for party in parties:
            try:
                pcm = await self._settings.sounds.pcm(prompt, party.pcm_format.sample_rate_hz)
            except LocalError as exc:
                raise NotPossibleError(422, str(exc)) from exc
            if self._bridge.find(party.key) is party and not self._events.leg_closed:
                self._bridge.play_prompt(pcm, party)
                longest_ms = max(longest_ms, party.pcm_format.duration_ms(len(pcm)))
        self._journal.note(TimelineKind.PROMPT, name="api", party=to or "all")
        return round(longest_ms)

    def send_dtmf(self, digits: str, to: str = "") -> None:
        """Send digits to a party's phone; default: the caller's."""
        self._require_answer()
        party = self._party(to or CALLER)
        try:
            party.leg.send_dtmf(digits)
        except LocalError as exc:
            raise NotPossibleError(409, str(exc)) from exc
        self._journal.note(TimelineKind.DTMF_OUT, digits=digits)

    def hold(self, held: bool, party: str = "") -> None:
        """Put a party aside, or take it back; default: the caller."""
        self._require_answer()
        self._bridge.hold(self._party(party or CALLER), held)

    def mute(self, muted: bool, party: str) -> None:
        """The others don't hear a party any more, or again."""
        self._bridge.mute(self._party(party), muted)

    # ---- people -------------------------------------------------------------------------------

    async def bridge(self, target: str, agent: AgentRole, ring_s: float) -> str:
        """Call somebody into the call; the key of the party, once it has answered.

        agent: what the agent does from then on. If it was last said to be away, the call ends when the
        last person leaves, unless they hand back.
        """
        self._require_answer()
        if len(self._bridge.parties) >= _MAX_PARTIES:
            raise NotPossibleError(409, f"a call has at most {_MAX_PARTIES} parties")
        try:
            party = await self._own(self._persons.find((target,), ring_s))
        except StepFailedError as exc:
            self._journal.note(TimelineKind.DIAL_FAILED, result=exc.kind, reason=str(exc))
            status = 403 if exc.kind == "not_allowed" else 409
            raise NotPossibleError(status, f"{exc.kind}: {exc}") from exc
        if self._over or self._events.leg_closed:
            party.close("the caller has gone")
            raise NotPossibleError(409, "the call has ended")
        party.called_by = "desk"
        party.keep()
        self._meet(party, agent if self._serving_agent() else "away")
        return party.key

    def take_back(self, leg: Leg, kept: KeptParty, agent: AgentRole) -> None:
        """The leg of a person whom an earlier core had called into the call. `agent`: its part then."""
        if len(self._bridge.parties) >= _MAX_PARTIES:
            leg.close(503, "too many people")
            return
        self._meet(self._persons.admit_again(leg, kept), agent)

    def _meet(self, party: Party, agent: AgentRole) -> None:
        self._ends_with_last = agent == "away"
        meeting = Meeting(self._bridge, party, self._journal)
        meeting.begin(agent)
        self._meetings.add(meeting)
        self._start(self._stay(meeting))

    async def _stay(self, meeting: Meeting) -> None:
        handed_back = await meeting.last() == "handed_back"
        last = len(self._bridge.parties) <= _CALLER_AND_ONE
        may_speak = self._serving_agent()
        over = last and self._ends_with_last and not (handed_back and may_speak)
        # Whoever stays goes on as it is; a caller who stays alone has the agent.
        speaks = may_speak and not over and (handed_back or last)
        self._meetings.discard(meeting)
        meeting.end("speak" if speaks else self._bridge.agent_role)
        if over:
            self._events.post(EndRequested(Reason.PARTY_HANGUP))

    def drop(self, party: str) -> None:
        """Hang up on somebody who was called."""
        found = self._party(party)
        if found.role == "caller":
            raise NotPossibleError(409, "hanging up on the caller ends the call: use hangup")
        found.close("dropped by the operator")

    def set_agent(self, role: AgentRole) -> None:
        """Let the agent speak, listen, or be away."""
        if not self._serving_agent():
            raise NotPossibleError(409, "no agent is connected")
        self._ends_with_last = role == "away"
        self._bridge.set_agent(role)

    async def refer(self, target: str) -> None:
        """Tell the caller's phone to call somebody else (RFC 3515); on success the call ends.

        A call that waits for a decision is answered for it.
        """
        try:
            uri = self._settings.dialler.refer_uri(target)
        except NotReachedError as exc:
            raise NotPossibleError(403, str(exc)) from exc
        leg = self._bridge.caller.leg
        if not leg.capabilities.transfer:
            raise NotPossibleError(409, "the caller's side cannot be referred; use bridge")
        waits = self._gate is not None and self._gate.waiting
        if not waits:
            self._require_answer()
        outcome: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()

        def listen(event: LegEvent) -> None:
            if outcome.done():
                return
            if isinstance(event, wire.Refused) and event.command == wire.Transfer.__name__:
                outcome.set_result((500, event.reason))
            elif (isinstance(event, wire.TransferProgress) and event.final) or isinstance(
                event, wire.LegClosed
            ):
                outcome.set_result((event.status, event.reason))

        self._bridge.listeners.append(listen)
        try:
            if waits:
                self.decide(Refer(target))
            else:
                leg.transfer(uri)
            async with asyncio.timeout(_REFER_TIMEOUT_S):
                status, reason = await outcome
        except NotPossibleError:
            raise
        except LocalError as exc:
            raise NotPossibleError(409, str(exc)) from exc
        except TimeoutError as exc:
            raise NotPossibleError(504, "the phone did not say how the transfer went") from exc
        finally:
            self._bridge.listeners.remove(listen)
        if not waits:
            self._journal.note(TimelineKind.TRANSFER, result=status, reason=reason)
        if not 200 <= status < 300:
            raise NotPossibleError(409, f"the phone could not be transferred: {status} {reason}")
        if not waits:
            self._events.post(EndRequested(Reason.TRANSFERRED))

    # ---- recording ----------------------------------------------------------------------------

    def record(self) -> str:
        """Record both sides from now on; the path of the file, which is complete after `stop_recording`."""
        self._require_answer()
        if self._recorder is not None:
            raise NotPossibleError(409, "the call is being recorded already")
        path = free_path(
            self._recordings, self._journal.facts.id, self._bridge.caller.pcm_format.sample_rate_hz
        )
        self._recorder = CallRecorder(path, self._bridge, self._settings.clock, self._settings.in_thread)
        self._keep()
        self._journal.note(TimelineKind.RECORDING, state="started")
        return str(path)

    def _free_path(self) -> Path:
        rate_hz = self._bridge.caller.pcm_format.sample_rate_hz
        return free_path(self._recordings, self._journal.facts.id, rate_hz)

    @property
    def _recordings(self) -> Path:
        return self._settings.recordings / "calls"

    @property
    def recording(self) -> KeptRecording | None:
        """What a core that comes after this one has to know of the recording under way."""
        return None if self._recorder is None else self._recorder.kept

    def go_on_recording(self, kept: KeptRecording) -> None:
        """An earlier core was recording the call; what it has written so far stays."""
        settings, path = self._settings, self._recordings / kept.name
        resume = partial(
            CallRecorder, bridge=self._bridge, clock=settings.clock, in_thread=settings.in_thread
        )
        try:
            self._recorder = resume(path, began_s=kept.began_s)
        except LocalError:
            # It is a file of its own already: what comes now is another.
            try:
                self._recorder = resume(
                    free_path(
                        self._recordings,
                        self._journal.facts.id,
                        self._bridge.caller.pcm_format.sample_rate_hz,
                    )
                )
            except LocalError as exc:
                self._journal.note(TimelineKind.RECORDING, state="failed", reason=str(exc))
                return
        self._keep()
        self._journal.note(TimelineKind.RECORDING, state="resumed")

    async def stop_recording(self) -> float:
        """Finish the file; its length in seconds."""
        recorder, self._recorder = self._recorder, None
        if recorder is None:
            raise NotPossibleError(409, "the call is not being recorded")
        duration_s = await recorder.finish()
        self._keep()
        self._journal.note(TimelineKind.RECORDING, state="ended", duration_s=duration_s)
        return duration_s

    def suspend(self) -> None:
        """This process ends, and the call does not: leave what is under way to the next core."""
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            recorder.suspend()

    # ---- the call's own -----------------------------------------------------------------------

    async def close(self) -> None:
        """The call is over."""
        self._over = True
        for task in list(self._work):
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        for meeting in self._meetings:
            meeting.end("away")
        if self._recorder is not None:
            await self.stop_recording()

    def _party(self, key: str) -> Party:
        party = self._bridge.find(key)
        if party is None:
            known = ", ".join(party.key for party in self._bridge.parties)
            raise NotPossibleError(404, f"the call has no such party (it has: {known})")
        return party

    def _require_answer(self) -> None:
        if self._events.leg_closed:
            raise NotPossibleError(409, "the call is ending")
        if self._journal.figures.answered_s is None:
            raise NotPossibleError(409, "the call has not been answered yet")

    def _start(self, work: Coroutine[Any, Any, Result]) -> "asyncio.Task[Result]":
        task = asyncio.create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return task

    async def _own(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Do work that the end of the call cancels."""
        task = self._start(work)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise NotPossibleError(409, "the call has ended") from None
            task.cancel()
            raise
