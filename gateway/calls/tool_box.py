"""Puts together what the model of one conversation may do with its call."""

from collections.abc import Callable, MutableMapping
from typing import Protocol

from gateway.calls.parts import CallParts
from gateway.calls.persons import Persons
from gateway.calls.tool_own import dtmf_tool, hold_tool, variable_tool
from gateway.calls.tools import SayWait, Tool, ToolFailedError, ToolSet
from gateway.calls.transfer import transfer_tool
from gateway.config.tools import AgentTools
from gateway.core.record import TimelineKind
from gateway.core.variables import MAX_VALUE_CHARS
from gateway.dialplan.runtime import Prompt, Say, StepFailedError
from gateway.errors import LocalError


class CallerSide(Protocol):
    """The call's verbs, as far as tools need them."""

    persons: Persons

    @property
    def variables(self) -> MutableMapping[str, str]:
        """Of the plan."""

    @property
    def language(self) -> str:
        """Of the gateway's own prompts in this call."""

    async def spoken(self, prompt: Prompt) -> bytes:
        """Audio of a prompt. Raises `StepFailedError`."""


class ToolBox:
    """The tools of one call."""

    def __init__(self, call: CallerSide, parts: CallParts) -> None:
        self._call, self._leg = call, parts.leg
        self._journal, self._events = parts.journal, parts.events
        self._bridge, self._agent, self._settings = parts.bridge, parts.agent, parts.settings

    def tools(self, chosen: AgentTools, allow: tuple[str, ...]) -> ToolSet:
        """What an agent gets in a conversation; `allow`: whom the caller may be connected with."""
        tools: list[Tool] = []
        if chosen.transfer_call and allow:
            tools.append(transfer_tool(allow, self._call.persons.hand_over))
        if chosen.send_dtmf and self._leg.capabilities.dtmf:
            tools.append(dtmf_tool(self._send_dtmf))
        if chosen.hold:
            tools.append(hold_tool(self._hold))
        if chosen.set_variable:
            tools.append(variable_tool(tuple(chosen.set_variable), self._put))
        for name in chosen.http:
            tools.append(self._settings.http_tools.tool(name, self._settings.http.ask, self._waiting_words))
        return ToolSet(tuple(tools), end_call=chosen.end_call)

    def _send_dtmf(self, digits: str) -> None:
        try:
            self._leg.send_dtmf(digits)
        except LocalError as exc:
            raise ToolFailedError(str(exc)) from exc
        self._journal.note(TimelineKind.DTMF_OUT, digits=digits)

    def _put(self, name: str, value: str) -> None:
        self._call.variables[name] = value[:MAX_VALUE_CHARS]

    async def _hold(self, seconds: float) -> None:
        """The caller is put aside when the agent's words have been heard. Raises `ToolFailedError`."""
        await self._agent.let_finish()
        caller = self._bridge.caller
        if self._on_hold():
            raise ToolFailedError("the caller is on hold already")
        deadline = self._settings.clock() + seconds
        try:
            self._bridge.hold(caller, True)
            while self._on_hold() and await self._events.next(deadline) is not None:
                pass
        finally:
            self._bridge.hold(caller, False)

    def _on_hold(self) -> bool:
        return self._bridge.caller.held

    def _waiting_words(self, words: str) -> SayWait:
        async def say(wanted: Callable[[], bool]) -> None:
            pcm = await self._words(words)
            if wanted():
                self._bridge.play_prompt(pcm)

        return say

    async def _words(self, words: str) -> bytes:
        language = self._call.language
        if words:
            try:
                return await self._call.spoken(Say(words, language))
            except StepFailedError as exc:
                self._journal.note(TimelineKind.NOTE, text=f"words of a function: {exc}")
        return self._settings.sounds.filler(language, self._leg.pcm_format.sample_rate_hz)
