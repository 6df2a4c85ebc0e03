"""The bridge of one call: joins any number of legs and the agent.

Three ways to join, chosen anew whenever somebody comes, goes, or is put on hold:

    alone   caller <-> agent               frames go on in the event that brought them; no buffer
    pair    caller <-> person              the same, from leg to leg; the far card evens the clocks out
    mix     three and more, or one held    N-1 mix by the core's 20 ms clock (`gateway.media.mixer`)

The agent speaks, listens only, or is away. Prompts go to one party or to all, in every way of joining.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Literal

from gateway.backends import contract as ai
from gateway.calls.agent_line import AgentLine
from gateway.calls.checkpoint import AgentRole
from gateway.calls.journal import Journal
from gateway.calls.mix import Mix
from gateway.calls.party import Party
from gateway.calls.ticker import Ticker
from gateway.core.ids import Mark
from gateway.core.playout import MarkFinished
from gateway.core.record import TimelineKind
from gateway.legs.contract import Leg, LegEvent
from gateway.wire import card as wire

CALLER: Final = "caller"

Joined = Literal["alone", "pair", "mix"]
"""How the parties are joined; see above."""

Notify = Callable[[LegEvent | ai.BackendEvent], None]


class Bridge:
    """The media of one call."""

    def __init__(
        self,
        leg: Leg,
        journal: Journal,
        clock: Callable[[], float],
        notify: Notify,
        ticker: Ticker,
        *,
        mix_rate_hz: int = 16000,
        inherited: bool = False,
    ) -> None:
        """`leg`: the caller's. `inherited`: it may still be playing what an earlier core gave it."""
        self._journal = journal
        self._notify = notify
        self._clock = clock
        self._mix = Mix(mix_rate_hz, ticker, clock)
        self._mix.on_prompts = self._report_prompts
        self._mix.on_fault = lambda: self.on_fault()
        self.on_fault: Callable[[], None] = lambda: None
        """Told, while the exception is handled, that those in company hear each other no more."""
        self.agent = AgentLine(
            leg, leg.pcm_format, journal, clock, notify, leg.send_text, inherited=inherited
        )
        self.caller = Party(CALLER, "caller", leg, journal.facts.from_number, self._on_caller_event)
        self.caller.route = self.agent.on_audio
        self._parties: dict[str, Party] = {CALLER: self.caller}
        self._laid: dict[Mark, Party] = {}
        """Prompts that are laid over what a party hears."""
        self.listeners: list[Callable[[LegEvent], None]] = []
        """Get the events of the caller's leg beside the call."""
        self.agent_role: AgentRole = "speak"
        self.joined: Joined = "alone"
        self.on_changed: Callable[[], None] | None = None
        """Told when somebody came, went, or was put aside, and when the agent's part is another."""

    def describe(self) -> str:
        """The chain, for people."""
        legs = " + ".join(party.describe() for party in self._parties.values())
        how = {"alone": "<->", "pair": "<-> (direct) agent away:", "mix": f"<-> ({self._mix.describe()})"}
        role = "" if self.agent_role == "speak" else f" ({self.agent_role})"
        return f"leg {legs} {how[self.joined]} {self.agent.describe()}{role}"

    @property
    def parties(self) -> tuple[Party, ...]:
        """Who takes part, the caller first."""
        return tuple(self._parties.values())

    def find(self, key: str) -> Party | None:
        """A party by its key."""
        return self._parties.get(key)

    # ---- who takes part -----------------------------------------------------------------------

    def join(self, party: Party, *, agent: AgentRole) -> None:
        """Somebody who was called has answered."""
        self._parties[party.key] = party
        self._journal.note(TimelineKind.JOINED, party=party.key, leg=party.leg.kind, agent=agent)
        self.set_agent(agent)

    def leave(self, party: Party, *, agent: AgentRole) -> None:
        """Somebody has gone. The caller stays to the end."""
        if self._parties.pop(party.key, None) is None:
            return
        self._journal.note(TimelineKind.LEFT, party=party.key)
        party.route = None
        self._drop_laid(party)
        self.set_agent(agent)

    def set_agent(self, role: AgentRole) -> None:
        """Let the agent speak and hear, only hear, or neither."""
        self.agent_role = role
        self._rewire()

    def mute(self, party: Party, muted: bool) -> None:
        """The others don't hear it any more, or again."""
        party.muted = muted
        party.keep()
        self._rewire()

    def hold(self, party: Party, held: bool) -> None:
        """Put a party aside, or take it back. Its phone is told if it can be."""
        if party.held == held:
            return
        party.held = held
        party.keep()
        if party.leg.capabilities.hold:
            party.leg.hold(held)
        self._journal.note(TimelineKind.HELD if held else TimelineKind.RESUMED, party=party.key)
        self._rewire()

    def _rewire(self) -> None:
        parties = list(self._parties.values())
        put_aside = any(party.held or party.muted for party in parties)
        if len(parties) == 1 and not put_aside and self.agent_role != "listen":
            joined: Joined = "alone"
        elif len(parties) == 2 and self.agent_role == "away" and not put_aside:
            joined = "pair"
        else:
            joined = "mix"
        if joined != "mix":
            self._mix.stop()
        self._place_agent(joined)
        match joined:
            case "alone":
                self.caller.route = self.agent.on_audio if self.agent_role == "speak" else None
                self._drop_laid(self.caller)
            case "pair":
                self._pass_on(parties[0], parties[1])
                self._pass_on(parties[1], parties[0])
            case "mix":
                on_mix = None if self.agent_role == "away" else self.agent.on_mix
                watch = self.agent.on_audio if self.agent_role == "speak" else None
                self._mix.set(parties, on_mix, self.agent.pcm_format, watch)
        self.joined = joined
        if self.on_changed is not None:
            self.on_changed()

    def _place_agent(self, joined: Joined) -> None:
        alone = joined == "alone"
        voice = self.caller.leg if alone else self._mix.voice(self.agent.pcm_format, self._on_voice)
        self.agent.parked = self.agent_role == "away"
        self.agent.place(voice, hear_caller=alone and self.agent_role == "speak")

    def _pass_on(self, source: Party, target: Party) -> None:
        rate_hz = source.pcm_format.sample_rate_hz

        def pass_on(pcm: bytes, _flags: int) -> None:
            target.hear(pcm, rate_hz)
            if target.prompts.played_bytes:
                self._report_prompts(target)

        source.route = pass_on

    # ---- prompts ------------------------------------------------------------------------------

    def play_prompt(self, pcm: bytes, party: Party | None = None) -> Mark:
        """Play PCM in the party's format after what it is played already; default: to the caller.

        `PlayFinished` with the mark reaches the call; 0 ms if it was cut.
        """
        party = party or self.caller
        if self.joined == "alone":
            return self.agent.spoken.play_prompt(pcm)
        mark = self.agent.spoken.new_mark()
        self._laid[mark] = party
        party.prompts.play(pcm, mark, last=True)
        return mark

    def cut_prompts(self, party: Party | None = None) -> None:
        """Silence prompts and the agent."""
        party = party or self.caller
        if self.joined == "alone":
            self.agent.cut()
        self._drop_laid(party)

    def _drop_laid(self, party: Party) -> None:
        """Nobody draws these any more, or nobody wants them."""
        party.prompts.flush()
        for mark in [mark for mark, hearer in self._laid.items() if hearer is party]:
            self._finished(party, mark, 0)

    def _finished(self, party: Party, mark: Mark, played_ms: int) -> None:
        self._laid.pop(mark, None)
        self._notify(wire.PlayFinished(party.leg.address[1], mark, played_ms, self._clock()))

    def _report_prompts(self, party: Party) -> None:
        for event in party.prompts.take_events():
            if isinstance(event, MarkFinished):
                self._finished(party, event.mark, event.played_ms)

    # ---- events -------------------------------------------------------------------------------

    def _on_voice(self, event: wire.PlayStarted | wire.PlayFinished) -> None:
        """The agent's place in the mix reports; later, as a card's word would come."""
        asyncio.get_running_loop().call_soon(self.agent.spoken.on_played, event)

    def _on_caller_event(self, event: LegEvent) -> None:
        """Note what happened to the caller's leg, act on what concerns audio, and pass it on."""
        journal = self._journal
        for listener in list(self.listeners):
            listener(event)
        match event:
            case wire.PlayStarted() | wire.PlayFinished():
                self.agent.spoken.on_played(event)
            case wire.Answered():
                journal.answered(event.at_s)
            case wire.MediaChanged():
                journal.figures.codec = event.codec
                journal.note(
                    TimelineKind.MEDIA,
                    codec=event.codec,
                    ptime_ms=event.ptime_ms,
                    srtp=event.srtp,
                    held=event.held,
                )
            case wire.Dtmf():
                journal.note(TimelineKind.DTMF_IN, digit=event.digit, method=event.method)
                self.agent.on_key(event.digit)
            case wire.Quality():
                journal.figures.quality = event
                return
            case wire.ChannelOpened() | wire.ChannelText():
                self.agent.on_channel(event)
                return
            case wire.RtpStalled():
                journal.note(TimelineKind.RTP_STALLED, silent_s=round(event.silent_s, 1))
            case wire.LegClosed():
                journal.note(TimelineKind.HANGUP, by=event.by, status=event.status)
            case wire.Refused():
                journal.note(TimelineKind.NOTE, text=f"{event.command} refused: {event.reason}")
        self._notify(event)

    def close(self) -> None:
        """The call is over."""
        self._mix.stop()
