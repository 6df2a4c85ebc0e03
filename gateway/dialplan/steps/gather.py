"""`gather`: ask for keys, or let an agent find out by speech what the caller wants."""

import re
from collections.abc import Iterator
from typing import Annotated, ClassVar, Final, Self

from pydantic import AfterValidator, Field, model_validator

from gateway.config.section import NO_TRUTH_VALUE, Expected, unfit
from gateway.dialplan.language.words import Action, AnyText, Keys, Seconds, VariableName
from gateway.dialplan.runtime import CallControl, ChoiceRequest, FailureKind, GatherRequest
from gateway.dialplan.step import (
    Branch,
    BranchSpec,
    FailingStep,
    Outcome,
    Prompts,
    Reference,
    Scene,
    prompt_references,
    spoken_seconds,
)

NONE: Final = "none"
OTHER: Final = "other"
_REPEAT: Final = re.compile(r"repeat ([1-9]) then (\S+)")


def _choice_key(key: str) -> str:
    if not re.fullmatch(r"[0-9A-D*#]{1,16}|[a-z][a-z0-9_-]{0,62}", key):
        raise unfit(f"keys such as 1 or 42, a word of `words`, {NONE} or {OTHER}")
    return key


ChoiceKey = Annotated[str, AfterValidator(_choice_key), Expected("keys, a word, none or other")]


class GatherStep(FailingStep):
    """Ask the caller for keys or, with `words` and `agent`, for what they want in their own words.

    `choices` says what happens with each answer. `none` is for no answer, `other` for one that is not
    among the choices (default: as `none`); both may be "repeat 2 then FLOW". Without any of these the
    next step follows, and the answer is in ${digits} or ${choice}.
    """

    word: ClassVar[str] = "gather"
    takes_time: ClassVar[bool] = True
    audible: ClassVar[bool] = True
    fails: ClassVar[tuple[FailureKind, ...]] = ("backend_down", "not_possible", "error")

    digits: Annotated[int, Field(ge=1, le=32), NO_TRUTH_VALUE] = 1
    """Keys to wait for at most."""
    timeout: Seconds = 5.0
    """From the end of the prompts to the first key or word."""
    between: Seconds = 3.0
    """From one key to the next."""
    end_keys: Keys = "#"
    """Keys that end the entry and are no part of it."""
    prompts: Prompts = Field(default_factory=list)
    """Played until the first key, and again at each repetition."""
    into: VariableName | None = None
    """Variable that gets the answer, beside ${digits} or ${choice}."""
    agent: AnyText | None = None
    """Agent that listens for `words`."""
    words: dict[ChoiceKey, AnyText] = Field(default_factory=dict)
    """Word of a choice to what the caller may mean by it."""
    choices: dict[ChoiceKey, Action] = Field(default_factory=dict)
    """What to do with each answer."""

    @model_validator(mode="after")
    def _fitting_choices(self) -> Self:
        if bool(self.words) != bool(self.agent):
            raise unfit("agent and words together", found="one without the other")
        for key in self.choices:
            if key in (NONE, OTHER):
                continue
            if self.words and key not in self.words:
                raise unfit("a word of `words`, none or other", found=f'"{key}"', key="choices")
            if not self.words and (len(key) > self.digits or not re.fullmatch(r"[0-9A-D*#]+", key)):
                said = f"at most {self.digits} keys (digits: {self.digits}), none or other"
                raise unfit(said, found=f'"{key}"', key="choices")
        return self

    def references(self) -> Iterator[Reference]:
        """As `Step` says."""
        yield from prompt_references(self.prompts, "prompts")
        if self.agent:
            yield Reference("agent", self.agent, ("agent",))

    def assigns(self) -> Iterator[str]:
        """As `Step` says."""
        if self.into:
            yield self.into

    def branches(self) -> Iterator[BranchSpec]:
        """As `Step` says."""
        yield from super().branches()
        for key, raw in self.choices.items():
            _, action = _repeated(raw)
            label = raw if isinstance(raw, str) else ""
            yield BranchSpec(f"choices.{key}", ("choices", key), action, timed=True, label=label)

    def describe(self) -> str:
        """As `Step` says."""
        keys = f"{self.digits} digit{'s' if self.digits > 1 else ''}"
        what = f"one of {', '.join(self.words)} with {self.agent}" if self.words else keys
        prompts = ", ".join(ref.shown() for ref in self.prompts)
        return f"{what}, {spoken_seconds(self.timeout)}" + (f", after {prompts}" if prompts else "")

    async def run(self, call: CallControl, scene: Scene) -> Outcome:
        """As `Step` says."""
        attempts: dict[str, int] = {}
        while True:
            answer = await self._ask(call, scene)
            key = self._branch(answer)
            if not key:
                return None
            repeats, _ = _repeated(self.choices[key])
            attempts[key] = attempts.get(key, 0) + 1
            if attempts[key] > repeats:
                return Branch(f"choices.{key}")
            call.note("gather again", attempt=attempts[key] + 1)

    async def _ask(self, call: CallControl, scene: Scene) -> str:
        prompts = scene.prompts(self.prompts)
        if self.words:
            options = {word: scene.text(meaning) for word, meaning in self.words.items()}
            agent = scene.agent(self.agent)
            answer = await call.choose(ChoiceRequest(agent, options, prompts, self.timeout))
            call.variables["choice"] = answer
        else:
            request = GatherRequest(prompts, self.digits, self.timeout, self.between, self.end_keys)
            answer = await call.gather(request)
            call.variables["digits"] = answer
        if self.into:
            call.variables[self.into] = answer
        return answer

    def _branch(self, answer: str) -> str:
        """Key of `choices` for an answer; empty: none of them."""
        if answer and answer in self.choices and answer not in (NONE, OTHER):
            return answer
        asked = any(key not in (NONE, OTHER) for key in self.choices)
        if answer and not asked:
            return OTHER if OTHER in self.choices else ""
        wanted = (OTHER, NONE) if answer else (NONE,)
        return next((key for key in wanted if key in self.choices), "")


def _repeated(raw: object) -> tuple[int, object]:
    """`repeat 2 then operator` as (2, "operator"); anything else as (0, itself)."""
    match = _REPEAT.fullmatch(raw.strip()) if isinstance(raw, str) else None
    return (0, raw) if match is None else (int(match[1]), match[2])
