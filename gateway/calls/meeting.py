"""A person who was called into a call: heard, put aside, gone, or done and handing back to the agent."""

import asyncio
from typing import Literal

from gateway.backends.contract import Utterance
from gateway.calls.bridge import Bridge
from gateway.calls.checkpoint import AgentRole
from gateway.calls.journal import Journal
from gateway.calls.party import Party

Left = Literal["hung_up", "handed_back"]


class Meeting:
    """One person's part in a call, from the moment they have answered."""

    def __init__(self, bridge: Bridge, party: Party, journal: Journal) -> None:
        self._bridge = bridge
        self._party = party
        self._journal = journal
        self._handed_back: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._over = False

    def begin(self, agent: AgentRole) -> None:
        """Join the others. `agent`: its part from now on."""
        line = self._party.line
        self._bridge.join(self._party, agent=agent)
        if line is not None:
            line.attach(self._asked)
            if self._party.holds_caller:
                line.held(True)
            line.joined(self._journal.facts.id)
            self._journal.on_said.append(self._said)

    async def last(self) -> Left:
        """Until the person leaves. Whoever awaits it has to call `end`, however it ends."""
        await asyncio.wait((self._party.closed, self._handed_back), return_when=asyncio.FIRST_COMPLETED)
        return "handed_back" if self._handed_back.done() else "hung_up"

    def end(self, agent_after: AgentRole) -> None:
        """The person leaves, or has left. `agent_after`: the agent's part from now on. Idempotent."""
        if self._over:
            return
        self._over = True
        party = self._party
        if self._said in self._journal.on_said:
            self._journal.on_said.remove(self._said)
        if party.holds_caller:
            self._bridge.hold(self._bridge.caller, False)
        self._bridge.leave(party, agent=agent_after)
        if not party.closed.done():
            party.close("handed back" if self._handed_back.done() else "the caller has gone")

    def _said(self, utterance: Utterance) -> None:
        if self._party.line is not None:
            self._party.line.said(utterance.role, utterance.text)

    def _asked(self, request: str) -> None:
        """What the person's page wants."""
        match request:
            case "hold" | "resume":
                self._party.holds_caller = held = request == "hold"
                self._party.keep()
                self._bridge.hold(self._bridge.caller, held)
                if self._party.line is not None:
                    self._party.line.held(held)
            case "hand_back":
                if not self._handed_back.done():
                    self._handed_back.set_result(None)
            case "hang_up":
                self._party.close("hung up")
