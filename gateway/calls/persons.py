"""What a call does with people: calls them, lets the caller wait for them, and joins them."""

import asyncio
from typing import Final, Protocol

from gateway.calls.checkpoint import KeptParty
from gateway.calls.dialling import Hunt, RingAbout
from gateway.calls.line.care import LineCare
from gateway.calls.looped import Looped
from gateway.calls.meeting import Left, Meeting
from gateway.calls.parts import CallParts
from gateway.calls.party import Party
from gateway.calls.waiting import Waiting
from gateway.core.call_state import CallState
from gateway.core.record import TimelineKind
from gateway.dialplan.runtime import DialRequest, Prompt, QueueRequest
from gateway.legs.contract import Leg
from gateway.media.tones import ringback

_TRANSCRIPT_LINES: Final = 20
_RETURN_S: Final = 3.0
"""After the caller's leg, until a person's leg is found again by a restarted core."""
_MAX_RETURNED: Final = 16


class CallerSide(Protocol):
    """The caller's side of the call."""

    @property
    def answered(self) -> bool:
        """Whether it has been answered."""

    async def answer(self) -> None:
        """Answer it if it has not been."""

    async def attend(self) -> None:
        """The caller hears the plan, not an agent."""

    async def pcm(self, prompt: Prompt) -> bytes:
        """Audio of a prompt, while events go on."""

    async def spoken(self, prompt: Prompt) -> bytes:
        """The same, for work beside the events."""


class Persons:
    """The part of one call's verbs that concerns people."""

    def __init__(self, call: CallerSide, parts: CallParts) -> None:
        self._call = call
        self._journal, self._events = parts.journal, parts.events
        self._bridge, self._agent, self._settings = parts.bridge, parts.agent, parts.settings
        self._enter, self._keep = parts.enter, parts.keep
        self._called = 0
        self._returned: asyncio.Queue[Party] = asyncio.Queue(_MAX_RETURNED)

    async def dial(self, request: DialRequest) -> None:
        """Call people, join the first who answers, and stay until the conversation is over."""
        targets = request.targets
        if request.strategy == "round_robin":
            targets = self._settings.queues.rotate(request.key, targets)
        waiting = await self._waiting_sound(request.hears)
        try:
            find = self._hunt(request.caller_id).find(targets, request.ring_s, request.strategy)
            party = await self._events.during(find, waiting.on_event, _unwanted)
        finally:
            waiting.stop()
        await self._converse(party)

    async def _waiting_sound(self, prompt: Prompt | None) -> Looped:
        """What a caller who was answered hears while others are called."""
        pcm = b""
        if self._call.answered:
            await self._call.attend()
            pcm = await self._tone_or(prompt)
        return Looped(self._bridge, pcm)

    async def _tone_or(self, prompt: Prompt | None) -> bytes:
        """Audio of a prompt; of the ringing tone without one."""
        if prompt is not None:
            return await self._call.pcm(prompt)
        return ringback(self._bridge.caller.pcm_format.sample_rate_hz)

    def _hunt(self, caller_id: str) -> Hunt:
        facts, figures = self._journal.facts, self._journal.figures
        said = self._journal.conversation.utterances[-_TRANSCRIPT_LINES:]
        about = RingAbout(
            call_id=facts.id,
            from_number=facts.from_number,
            to_number=facts.to_number,
            agent=figures.agent,
            transcript=tuple((line.role, line.text) for line in said),
            caller_id=caller_id,
        )
        return Hunt(self._settings.dialler, about, self.admit)

    def admit(self, leg: Leg) -> Party:
        """A leg that is being called for this call."""
        self._called += 1
        return self._admit(leg, f"person{self._called}")

    def _admit(self, leg: Leg, key: str) -> Party:
        party = Party(key, "person", leg, "")
        party.care = LineCare(party, self._journal, self._settings.ladders, self._settings.clock).on_event
        party.attach(self._journal.facts.id)
        self._journal.note(TimelineKind.DIALLING, party=party.key, leg=leg.kind)
        return party

    def take_back(self, leg: Leg, kept: KeptParty) -> None:
        """The leg of a person whom an earlier core had called; `rejoin` takes it."""
        if self._returned.full():
            leg.close(503, "too many people")
            return
        self._returned.put_nowait(self.admit_again(leg, kept))

    def admit_again(self, leg: Leg, kept: KeptParty) -> Party:
        """A leg that an earlier core had called for this call; it has answered."""
        number = kept.key.removeprefix("person")
        self._called = max(self._called, int(number) if number.isdecimal() else 0)
        party = self._admit(leg, kept.key)
        party.restore(kept)
        line = self._settings.dialler.line_again(kept.user, kept.ring_id, leg) if kept.user else None
        if line is not None:
            party.talks_at(line)
        party.answered.set_result(None)
        return party

    async def rejoin(self) -> Left | None:
        """Go on with the person that an earlier core left the caller with; None if they are gone."""
        try:
            async with asyncio.timeout(_RETURN_S):
                party = await self._events.during(self._returned.get(), None, _unwanted)
        except TimeoutError:
            # Whoever may have put the caller on hold will not take them back.
            self._bridge.hold(self._bridge.caller, False)
            return None
        return await self._converse(party)

    def close(self) -> None:
        """Hang up on people who came back too late."""
        while not self._returned.empty():
            self._returned.get_nowait().close("the call is over")

    async def find(self, targets: tuple[str, ...], ring_s: float) -> Party:
        """The first who answers, for somebody else to join. Raises `StepFailedError`."""
        return await self._hunt("").find(targets, ring_s, "all")

    async def _converse(self, party: Party) -> Left:
        """Caller and person, until one of them leaves."""
        try:
            await self._call.answer()
        except BaseException:
            party.close("the caller has gone")
            raise
        self._enter(CallState.BRIDGED)
        self._keep()
        meeting = Meeting(self._bridge, party, self._journal)
        meeting.begin("away")
        try:
            return await self._events.during(meeting.last())
        finally:
            meeting.end("away")

    async def among_themselves(self) -> None:
        """The agent is lost: the caller and whoever was called into the call talk on until they leave."""
        while others := [party.closed for party in self._bridge.parties[1:] if not party.closed.done()]:
            self._bridge.set_agent("away")
            self._enter(CallState.BRIDGED)
            await self._events.during(asyncio.wait(others))

    async def hand_over(self, targets: tuple[str, ...], ring_s: float) -> Left:
        """In the middle of a conversation with an agent: a person takes over. Raises `StepFailedError`.

        When the person hands back, the agent goes on.
        """
        await self._agent.let_finish()
        try:
            waiting = await self._waiting_sound(None)
            try:
                find = self._hunt("").find(targets, ring_s, "all")
                party = await self._events.during(find, waiting.on_event, _unwanted)
            finally:
                waiting.stop()
            return await self._converse(party)
        finally:
            self._enter(CallState.TALKING)
            self._bridge.set_agent("speak")

    async def queue(self, request: QueueRequest) -> None:
        """Wait for a person, the longest waiting caller first."""
        queues = self._settings.queues
        music = await self._tone_or(request.music)
        async with queues.place(request.name, request.max_length, request.max_active) as place:
            sound = Looped(self._bridge, music)
            waiting = Waiting(request, place, queues, lambda: self._hunt(""), self._call.spoken, sound)
            try:
                party = await self._events.during(waiting.served(), sound.on_event, _unwanted)
            finally:
                sound.stop()
            async with queues.serving(request.name, place):
                await self._converse(party)


def _unwanted(party: Party) -> None:
    """Somebody answered just when the call ended."""
    party.close("the caller has gone")
