"""One call, from the INVITE to the record it leaves behind. Read `Call.run` from top to bottom."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from gateway.backends import contract as ai
from gateway.calls import checkpoint
from gateway.calls.bridge import Bridge
from gateway.calls.endings import by_fault, by_leg
from gateway.calls.journal import Journal
from gateway.calls.tools import END_CALL, TOOLS, tool_result
from gateway.config.models import AgentConfig
from gateway.core.call_state import CallState, advance
from gateway.core.record import CallRecord, TimelineKind
from gateway.core.termination import Reason, Termination
from gateway.legs.contract import Leg, LegEvent
from gateway.observe.log import get_logger
from gateway.wire import card as wire

_INBOX: Final = 256
_ANSWER_TIMEOUT_S: Final = 10.0
"""From our 200 to the card's word that it left."""
_CLOSE_TIMEOUT_S: Final = 12.0
"""From our BYE to the end of the leg (a BYE may be retransmitted for 32 s; we don't wait for all)."""
_GOODBYE_TIMEOUT_S: Final = 60.0
"""How long the agent's last words may take."""
_LINGER_S: Final = 0.2
"""Between the last words and BYE, for the jitter buffer of the far end."""
_STEADY_S: Final = 10.0
"""A backend lost sooner after a reconnect is not tried again."""
_MAX_FAILED_RESPONSES: Final = 2

MakeBackend = Callable[[AgentConfig, ai.BackendContext, tuple[dict[str, Any], ...]], ai.Backend]

log = get_logger()


@dataclass(frozen=True, slots=True)
class _BackendSettled:
    """Opening the backend succeeded or failed; `_backend` or `_failure` says which."""


@dataclass(frozen=True, slots=True)
class _EndRequested:
    reason: Reason


_Event = LegEvent | ai.BackendEvent | _BackendSettled | _EndRequested


class CallEndedError(Exception):
    """Unwinds a call to its end from wherever it is; never leaves `Call.run`."""

    def __init__(self, termination: Termination) -> None:
        super().__init__(termination.reason)
        self.termination = termination


@dataclass(frozen=True, slots=True)
class CallSettings:
    """What a call needs from the outside."""

    agent_name: str
    agent: AgentConfig
    make_backend: MakeBackend
    apology: bytes
    """Spoken when the AI is not available; PCM at the leg's sample rate."""
    clock: Callable[[], float]
    """CLOCK_MONOTONIC seconds."""


class Call:
    """One caller and one agent."""

    def __init__(self, leg: Leg, journal: Journal, settings: CallSettings, *, adopted: bool = False) -> None:
        self.id = journal.facts.id
        self._leg = leg
        self._journal = journal
        self._settings = settings
        self._adopted = adopted
        self._state = CallState.OFFERED
        self._inbox: asyncio.Queue[_Event] = asyncio.Queue(_INBOX)
        self._bridge = Bridge(leg, journal, settings.clock, self._post, inherited=adopted)
        self._opening: asyncio.Task[None] | None = None
        self._backend: ai.Backend | None = None
        self._failure: ai.BackendError | None = None
        self._reconnected_at: float | None = None
        self._failed_responses = 0
        self._leg_closed = False
        self._log = log.bind(call_id=self.id)
        leg.attach(self.id, self._bridge)

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
        """The call's media path."""
        return self._bridge

    def end(self, reason: Reason) -> None:
        """Ask for the end from outside."""
        self._post(_EndRequested(reason))

    # ---- the life of a call -------------------------------------------------------------------

    async def run(self) -> CallRecord:
        """Live through the call; returns its record, whatever happens."""
        try:
            termination = await self._until_its_end()
            await self._hang_up(termination)
        finally:
            await self._release_backend()
        self._enter(CallState.ENDED)
        return self._journal.record(termination)

    async def _until_its_end(self) -> Termination:
        """Everything up to the reason to hang up."""
        try:
            if self._adopted:
                await self._take_over()
            else:
                await self._ring_until_ready()
                await self._answer()
            await self._talk()
            raise AssertionError("a conversation ends by CallEndedError")
        except CallEndedError as end:
            return end.termination
        except Exception:  # noqa: BLE001 - one call's fault must not end the others
            self._log.exception("call failed")
            return Termination(Reason.INTERNAL_ERROR)

    async def _ring_until_ready(self) -> None:
        """Ring while the backend connects, for as long as the answer budget lasts."""
        self._enter(CallState.RINGING)
        self._leg.ring()
        self._journal.note(TimelineKind.RINGING)
        self._open_backend()
        deadline = self._settings.clock() + self._settings.agent.answer_budget_ms / 1000
        while self._backend is None and self._failure is None:
            if await self._next(deadline) is None:
                return

    async def _answer(self) -> None:
        """Accept the call and let the agent speak; apologise if there is no agent."""
        self._enter(CallState.ANSWERING)
        self._leg.answer()
        deadline = self._settings.clock() + _ANSWER_TIMEOUT_S
        while not isinstance(event := await self._next(deadline), wire.Answered):
            if event is None:
                raise CallEndedError(Termination(Reason.SIGNALLING_FAILED, "the card did not answer"))
            if isinstance(event, wire.Refused) and event.command == wire.Answer.__name__:
                raise CallEndedError(Termination(Reason.SIGNALLING_FAILED, event.reason))
        self._keep()
        backend = await self._opened_backend()
        self._enter(CallState.TALKING)
        backend.greet()

    async def _opened_backend(self) -> ai.Backend:
        """The backend, once it is open; apologises and ends the call if it could not be opened."""
        while self._backend is None:
            if self._failure is not None:
                await self._apologise(self._failure)
            await self._next(None)
        return self._backend

    async def _take_over(self) -> None:
        """Go on with a call that an earlier core process left behind."""
        self._enter(CallState.RECOVERING)
        await self._reconnect()

    async def _talk(self) -> None:
        """The conversation; ends by `CallEndedError` only."""
        while True:
            if self._failure is not None:
                await self._recover(self._failure)
            event = await self._next(None)
            match event:
                case ai.FunctionCall():
                    await self._use_tool(event)
                case ai.ResponseDone():
                    self._judge_response(event)
                case ai.Transcript():
                    self._keep()

    async def _recover(self, error: ai.BackendError) -> None:
        """The backend was lost mid-call: once more with the transcript, else apologise."""
        await self._release_backend()
        again_at = self._reconnected_at
        if not error.retryable or (again_at is not None and self._settings.clock() - again_at < _STEADY_S):
            await self._apologise(error)
        self._enter(CallState.RECOVERING)
        self._journal.figures.reconnects += 1
        await self._reconnect()

    async def _reconnect(self) -> None:
        """Open a new session with what was said so far."""
        self._open_backend()
        backend = await self._opened_backend()
        self._reconnected_at = self._settings.clock()
        self._enter(CallState.TALKING)
        self._keep()
        conversation = self._journal.conversation
        if not conversation.begun:
            backend.greet()
        elif conversation.caller_spoke_last:
            backend.resume()

    async def _apologise(self, error: ai.BackendError) -> None:
        """Say that the AI is not available, and end the call. Never returns."""
        self._enter(CallState.APOLOGISING)
        termination = by_fault(error)
        self._journal.note(TimelineKind.PROMPT, name="apology", language=self._settings.agent.language)
        mark = self._bridge.play_prompt(self._settings.apology)
        deadline = self._settings.clock() + _GOODBYE_TIMEOUT_S
        while (event := await self._next(deadline)) is not None:
            if isinstance(event, wire.PlayFinished) and event.mark == mark:
                await self._linger()
                break
        raise CallEndedError(termination)

    async def _use_tool(self, request: ai.FunctionCall) -> None:
        """Carry out what the model asks for."""
        self._journal.note(TimelineKind.TOOL_CALL, name=request.name, arguments=request.arguments)
        if request.name == END_CALL:
            await self._let_agent_finish()
            raise CallEndedError(Termination(Reason.AGENT_HANGUP))
        output = tool_result(request)
        self._journal.note(TimelineKind.TOOL_RESULT, name=request.name, output=output)
        if self._backend is not None:
            self._backend.send_tool_result(request.call_id, output)

    async def _let_agent_finish(self) -> None:
        """Wait until the running answer is complete and has been heard."""
        await self._until_silent(self._settings.clock() + _GOODBYE_TIMEOUT_S)
        await self._linger()

    async def _linger(self) -> None:
        """What was played last is still on its way to the caller's ear."""
        deadline = self._settings.clock() + _LINGER_S
        while await self._next(deadline) is not None:
            pass

    async def _until_silent(self, deadline: float) -> None:
        responding = self._backend is not None
        while responding or self._bridge.agent_audible:
            event = await self._next(deadline)
            if event is None:
                return
            if self._failure is not None:
                await self._release_backend()
                responding = False
            elif isinstance(event, ai.ResponseDone):
                responding = False

    def _judge_response(self, done: ai.ResponseDone) -> None:
        """A service that fails every answer is as good as gone."""
        if done.status != "failed":
            self._failed_responses = 0
            return
        self._failed_responses += 1
        if self._failed_responses >= _MAX_FAILED_RESPONSES:
            error = ai.BackendError("refused", f"the answer failed: {done.detail}", retryable=False)
            self._fault(error)
        elif self._backend is not None:
            self._backend.resume()

    async def _hang_up(self, termination: Termination) -> None:
        """End the leg if it still lives, and wait until it is gone or the end is asked for once more."""
        if self._leg_closed:
            return
        self._enter(CallState.CLOSING)
        status, reason = termination.sip_status
        self._leg.close(status, reason)
        deadline = self._settings.clock() + _CLOSE_TIMEOUT_S
        while not self._leg_closed:
            try:
                event = await self._next(deadline)
            except CallEndedError as again:
                if again.termination.reason is Reason.RTP_TIMEOUT:
                    continue
                event = None
            if event is None and not self._leg_closed:
                self._log.warning("the leg did not end in time")
                return

    # ---- events -------------------------------------------------------------------------------

    def _post(self, event: _Event) -> None:
        """Hand an event to the call's task; overflow ends the call, for it cannot be right any more."""
        try:
            self._inbox.put_nowait(event)
        except asyncio.QueueFull:
            self._log.error("the call does not keep up with its events", state=self._state.value)
            while not self._inbox.empty():
                self._leg_closed = isinstance(self._inbox.get_nowait(), wire.LegClosed) or self._leg_closed
            self._inbox.put_nowait(_EndRequested(Reason.INTERNAL_ERROR))

    async def _next(self, deadline: float | None) -> _Event | None:
        """The next event, None at the deadline. Raises `CallEndedError` when the leg is gone."""
        timeout_s = None if deadline is None else max(0.0, deadline - self._settings.clock())
        try:
            async with asyncio.timeout(timeout_s):
                event = await self._inbox.get()
        except TimeoutError:
            return None
        match event:
            case wire.LegClosed():
                self._leg_closed = True
                self._journal.figures.sip_status = event.status
                raise CallEndedError(by_leg(event, answered=self._journal.figures.answered_s is not None))
            case wire.RtpStalled():
                raise CallEndedError(Termination(Reason.RTP_TIMEOUT, f"{event.silent_s:.0f} s without RTP"))
            case _EndRequested():
                raise CallEndedError(Termination(event.reason))
            case ai.BackendLost():
                self._fault(event.error)
        return event

    def _enter(self, state: CallState) -> None:
        if state is not self._state:
            self._state = advance(self._state, state)

    def _keep(self) -> None:
        self._leg.keep(checkpoint.pack(self._journal))

    def _fault(self, error: ai.BackendError) -> None:
        """Remember, log and note that the backend is of no use."""
        self._failure = error
        self._log.warning(
            "backend fault",
            agent=self._settings.agent_name,
            fault=error.kind,
            error=str(error),
            retryable=error.retryable,
        )
        self._journal.note(
            TimelineKind.BACKEND_FAULT, fault=error.kind, detail=str(error), retryable=error.retryable
        )

    # ---- the backend --------------------------------------------------------------------------

    def _open_backend(self) -> None:
        """Start connecting; `_BackendSettled` follows."""
        facts = self._journal.facts
        context = ai.BackendContext(
            call_id=self.id,
            agent=self._settings.agent_name,
            pcm_format=self._leg.pcm_format,
            variables={"from": facts.from_number, "to": facts.to_number},
        )
        backend = self._settings.make_backend(self._settings.agent, context, TOOLS)
        self._failure = None
        self._journal.note(TimelineKind.BACKEND_CONNECTING, backend=backend.describe())
        self._opening = asyncio.create_task(self._open(backend), name=f"open backend of {self.id}")

    async def _open(self, backend: ai.Backend) -> None:
        began = self._settings.clock()
        try:
            await backend.open(self._bridge, self._journal.conversation.utterances)
        except ai.BackendError as exc:
            await backend.close()
            self._fault(exc)
        except asyncio.CancelledError:
            await backend.close()
            raise
        except Exception:  # noqa: BLE001 - the call ends in order, whatever the backend's code did
            self._log.exception("opening the backend failed")
            await backend.close()
            self.end(Reason.INTERNAL_ERROR)
            return
        else:
            self._backend = backend
            self._bridge.connect(backend)
            took_ms = round((self._settings.clock() - began) * 1000, 1)
            self._journal.note(TimelineKind.BACKEND_READY, took_ms=took_ms)
        self._post(_BackendSettled())

    async def _release_backend(self) -> None:
        """Close the session, or stop opening it."""
        opening, self._opening = self._opening, None
        if opening is not None:
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)
        self._bridge.disconnect()
        backend, self._backend = self._backend, None
        if backend is not None:
            await backend.close()
