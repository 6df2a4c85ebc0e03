"""What the steps of a dialplan, and the agent's tools, do with a call: `CallControl` made real."""

from collections.abc import Coroutine, Iterator, MutableMapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

from gateway.calls.agent import TalkLimits
from gateway.calls.agent_link import AgentLostError
from gateway.calls.agent_words import completed
from gateway.calls.callbacks import Callback
from gateway.calls.choosing import choice_tool, instructions
from gateway.calls.endings import by_fault, by_step
from gateway.calls.events import CallEndedError
from gateway.calls.meeting import Left
from gateway.calls.parts import CallParts
from gateway.calls.persons import Persons
from gateway.calls.referring import refer
from gateway.calls.tool_box import ToolBox
from gateway.calls.tools import TRANSFER_CALL, ToolSet
from gateway.calls.voicemail import record_caller
from gateway.core.call_state import CallState
from gateway.core.record import FieldValue, TimelineKind
from gateway.core.termination import Reason, Termination
from gateway.dialplan.runtime import (
    CallbackRequest,
    CallFactsView,
    ChoiceRequest,
    DialRequest,
    GatherRequest,
    HttpReply,
    HttpRequest,
    Prompt,
    QueueRequest,
    Recorded,
    RecordRequest,
    StepFailedError,
    TalkRequest,
)
from gateway.errors import LocalError
from gateway.wire import card as wire

_ANSWER_TIMEOUT_S: Final = 10.0
"""From our 200 to the card's word that it left."""
_DTMF_GAP_S: Final = 0.2


class CallVerbs:
    """Implements `gateway.dialplan.runtime.CallControl` for one call."""

    def __init__(self, facts: CallFactsView, parts: CallParts) -> None:
        self._leg, self._facts = parts.leg, facts
        self._journal, self._events = parts.journal, parts.events
        self._bridge, self._agent, self._settings = parts.bridge, parts.agent, parts.settings
        self._enter, self._keep = parts.enter, parts.keep
        self._rung = False
        self._plays_early = False
        self.persons = Persons(self, parts)
        self._variables: dict[str, str] = {}
        self.allow: tuple[str, ...] = ()
        """With whom the agent may connect the caller."""
        self._tool_box = ToolBox(self, parts)
        self.outcome = Termination(Reason.PLAN_ENDED)
        """Why the call ends when the plan has no more steps."""

    # ---- facts --------------------------------------------------------------------------------

    @property
    def facts(self) -> CallFactsView:
        """What is known from the call's beginning."""
        return self._facts

    @property
    def variables(self) -> MutableMapping[str, str]:
        """Of the plan."""
        return self._variables

    @property
    def answered(self) -> bool:
        """Whether the caller's side has been answered."""
        return self._journal.figures.answered_s is not None

    def now(self) -> datetime:
        """Wall clock."""
        return self._settings.wall_clock()

    def monotonic(self) -> float:
        """Seconds."""
        return self._settings.clock()

    def broken(self, reason: str) -> None:
        """The plan cannot go on, and the caller is told so; unless it ended otherwise, the call failed."""
        self._journal.note(TimelineKind.PROMPT, name="apology", language=self.language)
        if self.outcome.reason in (Reason.PLAN_ENDED, Reason.AGENT_HANGUP, Reason.PARTY_HANGUP):
            self.outcome = Termination(Reason.PLAN_FAILED, reason)

    def note(self, step: str, **fields: FieldValue) -> None:
        """A step of the plan."""
        self._journal.step(step, fields)

    # ---- ringing and answering ----------------------------------------------------------------

    def prewarm(self, request: TalkRequest) -> None:
        """Connect the agent that will talk first while the phone still rings."""
        tools = self._tools(request)
        self._agent.offer(tools)
        self._agent.link.start(request.agent, self._variables, tools)

    async def ring(self, early: Prompt | None = None) -> None:
        """180, once; with a prompt 183, and the prompt is played until the answer."""
        if early is None and (self._rung or self.answered):
            return
        pcm = b"" if early is None else await self._early(early)
        if not self._rung:
            self._rung = True
            self._enter(CallState.RINGING)
        self._leg.ring(early_media=bool(pcm))
        if pcm:
            self._plays_early = True
            self._bridge.play_prompt(pcm)
        self._journal.note(TimelineKind.RINGING, **{"early_media": True} if pcm else {})

    async def _early(self, prompt: Prompt) -> bytes:
        if self.answered or not self._leg.capabilities.early_media:
            why = "the call is answered" if self.answered else "this caller is silent before the answer"
            raise StepFailedError("not_possible", f"no early media: {why}")
        return await self.pcm(prompt)

    async def answer(self, *, greet: bool = False) -> None:
        """Answer; an agent that is being connected has its budget for that.

        greet: it speaks next, else it hears nothing yet. In a call that takes time to connect it speaks
        already, for its words wait at the card until somebody can hear them.
        """
        if self.answered:
            return
        await self.ring()
        link = self._agent.link
        if link.name:
            budget_ms = self._settings.agents[link.name].answer_budget_ms
            deadline = self.monotonic() + budget_ms / 1000
            while not link.settled:
                if await self._events.next(deadline) is None:
                    break
        self._enter(CallState.ANSWERING)
        if self._plays_early:
            self._bridge.cut_prompts()
        if not greet:
            self._bridge.set_agent("away")
        self._leg.answer()
        if greet and self._leg.kind == "webrtc":
            self._agent.greet_ahead()
        deadline = self.monotonic() + _ANSWER_TIMEOUT_S
        while not isinstance(event := await self._events.next(deadline), wire.Answered):
            if event is None:
                raise CallEndedError(Termination(Reason.SIGNALLING_FAILED, "the card did not answer"))
            if isinstance(event, wire.Refused) and event.command == wire.Answer.__name__:
                raise CallEndedError(Termination(Reason.SIGNALLING_FAILED, event.reason))
            self._agent.missed(event)
        self._keep()

    async def reject(self, status: int, reason: str) -> None:
        """Refuse the call; after the answer it just ends."""
        raise CallEndedError(Termination(Reason.DECLINED, f"status {status}", status, reason))

    async def hang_up(self) -> None:
        """End the call."""
        raise CallEndedError(self.outcome)

    # ---- prompts and digits -------------------------------------------------------------------

    async def play(self, prompts: tuple[Prompt, ...], *, interrupt_keys: str = "") -> str:
        """Play to the end or to a key."""
        await self.attend()
        for prompt in prompts:
            pcm = await self.pcm(prompt)
            mark = self._bridge.play_prompt(pcm)
            while True:
                event = await self._events.next(None)
                if isinstance(event, wire.PlayFinished) and event.mark == mark:
                    break
                if isinstance(event, wire.Dtmf) and event.digit in interrupt_keys:
                    self._bridge.cut_prompts()
                    return event.digit
        return ""

    async def attend(self) -> None:
        """The caller hears the plan, not an agent."""
        await self.answer()
        if self._bridge.agent_role != "away":
            self._bridge.set_agent("away")
        self._enter(CallState.IN_PLAN)

    async def pcm(self, prompt: Prompt) -> bytes:
        """Audio of a prompt at the caller's sample rate, while events go on. Raises `StepFailedError`."""
        return await self._events.during(self.spoken(prompt))

    async def spoken(self, prompt: Prompt) -> bytes:
        """The same, for work beside the events."""
        try:
            return await self._settings.sounds.pcm(prompt, self._leg.pcm_format.sample_rate_hz)
        except LocalError as exc:
            raise StepFailedError("error", str(exc)) from exc

    async def gather(self, request: GatherRequest) -> str:
        """Digits; the first one cuts the prompt."""
        digits = await self.play(request.prompt, interrupt_keys="0123456789*#ABCD")
        if digits and digits in request.end_keys:
            return ""
        while len(digits) < request.max_digits:
            wait_s = request.between_s if digits else request.timeout_s
            digit = await self._digit(self.monotonic() + wait_s)
            if not digit or digit in request.end_keys:
                break
            digits += digit
        return digits

    async def _digit(self, deadline: float) -> str:
        while (event := await self._events.next(deadline)) is not None:
            if isinstance(event, wire.Dtmf):
                return event.digit
        return ""

    async def send_dtmf(self, digits: str) -> None:
        """Send digits to the caller's side."""
        await self.answer()
        try:
            self._leg.send_dtmf(digits)
        except LocalError as exc:
            raise StepFailedError("not_possible", str(exc)) from exc
        self._journal.note(TimelineKind.DTMF_OUT, digits=digits)
        await self.wait(len(digits) * _DTMF_GAP_S)

    async def wait(self, seconds: float) -> None:
        """Let time pass."""
        await self.ring()
        deadline = self.monotonic() + seconds
        while await self._events.next(deadline) is not None:
            pass

    # ---- the agent ----------------------------------------------------------------------------

    @property
    def language(self) -> str:
        """Language of the gateway's own prompts in this call."""
        agent = self._settings.agents.get(self._journal.figures.agent)
        return agent.language if agent is not None else "en"

    async def go_on(self, news: str = "") -> None:
        """The conversation of a call that an earlier core began. `news`: for the model."""
        name = self._journal.figures.agent
        if len(self._bridge.parties) == 1:
            self._bridge.set_agent("speak")
        self.prewarm(TalkRequest(name, allow=self.allow))
        await self._conversation(self._agent.go_on(news), TalkLimits())

    async def talk(self, request: TalkRequest) -> str:
        """The conversation with an agent."""
        return await self._talk(request, self._tools(request))

    async def _talk(self, request: TalkRequest, tools: ToolSet) -> str:
        if request.agent not in self._settings.agents:
            raise StepFailedError("error", f"there is no agent {request.agent}")
        request = completed(request, self._settings.agents[request.agent])
        link = self._agent.link
        if link.name and not self._agent.serves(request.agent, tools, request.instructions):
            await link.release()
        self._agent.offer(tools)
        with self._agent.instructed(request.instructions):
            link.start(request.agent, self._variables, tools)
            self.allow = request.allow
            await self.answer(greet=True)
            self._bridge.set_agent("speak")
            limits = TalkLimits(request.max_duration_s, request.silence_s, request.mind_network)
            try:
                return await self._conversation(self._agent.begin(), limits)
            finally:
                self._bridge.set_agent("away")

    async def _conversation(self, begin: Coroutine[Any, Any, None], limits: TalkLimits) -> str:
        """All of a talk with the agent; the reason for its end. After a transfer the call is over."""
        try:
            with self._ending(Reason.AGENT_HANGUP):
                await begin
                reason = await self._agent.talk(limits)
        except AgentLostError:
            await self.persons.among_themselves()
            raise
        if reason == TRANSFER_CALL:
            self.outcome = Termination(Reason.PARTY_HANGUP)
            await self.hang_up()
        return reason

    def _tools(self, request: TalkRequest) -> ToolSet:
        """The functions that the model is offered."""
        return self._tool_box.tools(self._settings.agents[request.agent].tools, request.allow)

    async def choose(self, request: ChoiceRequest) -> str:
        """Find out by speech what the caller wants; empty if that takes too long."""
        if request.prompt:
            await self.play(request.prompt)
        chosen: list[str] = []
        tools = ToolSet((choice_tool(request.options, chosen.append),))
        talk = TalkRequest(
            request.agent, max_duration_s=request.timeout_s, instructions=instructions(request.options)
        )
        try:
            await self._talk(talk, tools)
        except StepFailedError as failure:
            if failure.kind != "max_duration":
                raise
        await self._agent.link.release()
        self.outcome = Termination(Reason.PLAN_ENDED)
        return chosen[0] if chosen else ""

    # ---- people -------------------------------------------------------------------------------

    async def dial(self, request: DialRequest) -> None:
        """Call people, join the first who answers, and stay until the conversation is over."""
        await self.ring()
        with self._ending(Reason.PARTY_HANGUP):
            await self.persons.dial(request)

    async def rejoin(self) -> Left | None:
        """Go on with the person that an earlier core left the caller with; None if they are gone."""
        with self._ending(Reason.PARTY_HANGUP):
            return await self.persons.rejoin()

    async def queue(self, request: QueueRequest) -> None:
        """Wait for a person, the longest waiting caller first."""
        await self.attend()
        with self._ending(Reason.PARTY_HANGUP):
            await self.persons.queue(request)

    async def refer(self, target: str) -> None:
        """Hand the caller's phone over (RFC 3515)."""
        await self.answer()
        await refer(self._leg, target, self._settings.dialler, self._events, self._journal, self.monotonic)

    def call_back(self, request: CallbackRequest) -> None:
        """Promise a call."""
        journal = self._journal
        said = journal.conversation.utterances
        callback = Callback(journal.facts.id, request, journal.facts.to_number, {**self._variables}, said)
        self._settings.callbacks.promise(callback)

    @contextmanager
    def _ending(self, reason: Reason) -> Iterator[None]:
        """How the call ends if nothing else happens after this."""
        try:
            yield
        except StepFailedError as failure:
            lost = failure.error if isinstance(failure, AgentLostError) else None
            self.outcome = by_fault(lost) if lost is not None else by_step(failure)
            raise
        self.outcome = Termination(reason)

    # ---- recording and services ---------------------------------------------------------------

    async def record(self, request: RecordRequest) -> Recorded:
        """Record the caller into a file."""
        await self.attend()
        directory, in_thread = self._settings.recordings, self._settings.in_thread
        with self._ending(Reason.PLAN_ENDED):
            return await record_caller(
                request, self._bridge, self._events, self._journal, directory, self.monotonic, in_thread
            )

    async def http(self, request: HttpRequest) -> HttpReply:
        """Ask a service."""
        await self.ring()
        return await self._events.during(self._settings.http.ask(request))

    def notify(self, request: HttpRequest) -> None:
        """Tell a service."""
        self._settings.http.tell(request)
