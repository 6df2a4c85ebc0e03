"""Runs the steps of a route with a call, until the call has ended.

Theory of operation: a stack of blocks, each with the number of its next step. A step goes on (None),
takes a branch (the branch's block is pushed, and what follows the step comes after it), or jumps to a
flow (the stack becomes the flow). A failed step takes its handler as a branch; without one the stack
becomes `defaults.on_failure`; a failure that nobody handles there, too many steps, too much time and a
path on which the caller has heard nothing end with the gateway's own apology. Nothing but
`StepFailedError` is caught: the exception by which a call ends passes through.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from gateway.dialplan.block import Block, PlacedStep
from gateway.dialplan.dialplan import Decision, Dialplan
from gateway.dialplan.language.variables import expand
from gateway.dialplan.runtime import CallControl, Prompt, Say, StepFailedError
from gateway.dialplan.step import Branch, Jump, PromptRef
from gateway.media.prompts import FALLBACK_LANGUAGE, texts

MAX_STEPS: Final = 1000
"""Steps in one call."""


async def run_route(decision: Decision, call: CallControl) -> None:
    """Do everything that a plan says about a call.

    decision: one that was taken. Returns when the call has been hung up, where `hang_up` of the call
    returns at all. A verb that is under way when the plan's longest call is over is cancelled.
    """
    runner = _Runner(decision, call)
    limit = asyncio.timeout(decision.dialplan.settings.max_call_s)
    try:
        async with limit:
            await runner.walk()
    except TimeoutError:
        if not limit.expired():
            raise
        await runner.last_resort("the call took longer than the plan allows")
    await call.hang_up()


class _Runner:
    """One call on its way through a plan."""

    def __init__(self, decision: Decision, call: CallControl) -> None:
        self._plan = decision.dialplan
        self._call = call
        self._stack: list[tuple[Block, int]] = [(decision.block, 0)]
        self._steps = 0
        self._heard = False
        self._in_on_failure = False
        facts = decision.subject.facts
        call.variables.update(
            {
                **dict.fromkeys(("digits", "choice", "recording", "said", "split"), ""),
                **decision.variables,
                "from": facts.from_number,
                "to": facts.to_number,
                "trunk": facts.trunk,
                "kind": facts.kind,
                "direction": facts.direction,
                "agent": facts.agent,
                "route": decision.route_name,
            }
        )

    async def walk(self) -> None:
        """Until there is no step left."""
        while (placed := self._next()) is not None:
            self._steps += 1
            if self._steps > MAX_STEPS:
                await self.last_resort(f"more than {MAX_STEPS} steps")
                return
            self._call.note(placed.step.word, place=placed.place)
            try:
                outcome = await placed.step.run(self._call, SceneOf(self._plan, self._call, placed.place))
            except StepFailedError as failure:
                if not self._handle(placed, failure):
                    await self.last_resort(f"{placed.step.word}: {failure}")
                    return
                continue
            self._heard = self._heard or placed.step.audible
            match outcome:
                case Branch(name=name):
                    self._stack.append((placed.branches[name].block, 0))
                case Jump(flow=flow):
                    self._stack = [(self._plan.flows[flow], 0)]
        if not self._heard:
            await self.last_resort("the plan has no step that the caller could hear")

    def _next(self) -> PlacedStep | None:
        while self._stack:
            block, number = self._stack[-1]
            if number < len(block):
                self._stack[-1] = (block, number + 1)
                return block[number]
            self._stack.pop()
        return None

    def _handle(self, placed: PlacedStep, failure: StepFailedError) -> bool:
        """Continue with what is to be done about a failure; whether there is anything."""
        self._call.variables["failure"] = failure.kind
        self._call.variables["failure_reason"] = str(failure)
        self._call.note("failed", of=placed.step.word, kind=failure.kind, reason=str(failure))
        branch = placed.branches.get(f"on.{failure.kind}")
        if branch is not None:
            self._stack.append((branch.block, 0))
            return True
        if self._in_on_failure or not self._plan.settings.on_failure:
            return False
        self._in_on_failure = True
        self._stack = [(self._plan.settings.on_failure, 0)]
        return True

    async def last_resort(self, reason: str) -> None:
        """Apologise, where that is possible."""
        self._call.note("apology", reason=reason)
        self._call.broken(reason)
        language = self._plan.settings.language
        known = texts().get(language.partition("-")[0])
        words = (known or texts()[FALLBACK_LANGUAGE])["apology"]
        try:
            await self._call.play((Say(words, language if known else FALLBACK_LANGUAGE),))
        except StepFailedError as failure:
            self._call.note("apology failed", kind=failure.kind, reason=str(failure))


class SceneOf:
    """What a step may use of the plan; see `gateway.dialplan.step.Scene`."""

    def __init__(self, plan: Dialplan, call: CallControl, place: str) -> None:
        self._plan = plan
        self._call = call
        self.place = place

    @property
    def language(self) -> str:
        """Default language of what is said."""
        return self._plan.settings.language

    def text(self, template: str, quote: Callable[[str], str] = str) -> str:
        """A text with its variables filled in."""
        if "${" not in template:
            return template
        now = self._call.now().astimezone(self._plan.settings.zone)
        values = {**self._call.variables, "date": f"{now:%Y-%m-%d}", "time": f"{now:%H:%M}"}
        return expand(template, values, quote)

    def prompts(self, refs: list[PromptRef]) -> tuple[Prompt, ...]:
        """Prompts ready to play."""
        return tuple(self._prompt(ref) for ref in refs)

    def _prompt(self, ref: PromptRef) -> Prompt:
        if ref.file:
            return self._plan.sound(ref.file)
        prompt: Prompt = (
            self._plan.prompts[ref.name] if ref.name else Say(ref.say, ref.language or self.language)
        )
        return Say(self.text(prompt.text), prompt.language) if isinstance(prompt, Say) else prompt

    def agent(self, name: str | None) -> str:
        """A known agent; the first one for None. Raises `StepFailedError`."""
        agents = self._plan.surroundings.agents
        found = next(iter(agents), "") if name is None else self.text(name)
        if found not in agents:
            raise StepFailedError("error", "the variable names no agent of the configuration")
        return found
