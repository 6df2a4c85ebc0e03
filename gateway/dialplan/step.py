"""What every step is: a model of how it is written, what it refers to, and what it does.

A step decides nothing about order. Its `run` returns an `Outcome`: go on, take one of its branches,
or jump to a flow; the interpreter (`gateway.dialplan.interpreter`) does that.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, Protocol, Self

from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from gateway.config.document import KeyPath
from gateway.config.section import Expected, Section, unfit
from gateway.dialplan.language.words import ONE_OR_MORE, Action, AnyText, Language, Seconds, or_this
from gateway.dialplan.runtime import CallControl, FailureKind, Prompt, StepFailedError

ReferenceKind = Literal["agent", "flow", "prompt", "file", "target", "targets"]
"""targets: a pattern of targets."""

TIMED_FAILURES: tuple[FailureKind, ...] = ("caller_silent", "max_duration", "no_answer", "timeout")
"""Failures that come only after time has passed, so that a loop by way of them is no fast loop."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A word in a step that must exist somewhere else."""

    kind: ReferenceKind
    word: str
    path: KeyPath
    """Below the step's own value."""


@dataclass(frozen=True, slots=True)
class BranchSpec:
    """Steps that a step may continue with, not yet compiled."""

    name: str
    path: KeyPath
    """Below the step's own value."""
    raw: object
    timed: bool = False
    """Taken only after time has passed."""
    label: str = ""
    """For `explain`; empty: the name."""


@dataclass(frozen=True, slots=True)
class Branch:
    """Continue with one of the step's branches."""

    name: str


@dataclass(frozen=True, slots=True)
class Jump:
    """Continue with a flow and nothing behind it."""

    flow: str


Outcome = Branch | Jump | None
"""None: go on with the next step."""


class PromptRef(Section):
    """A prompt by its name, or given in place."""

    name: str = ""
    """Name under `prompts`."""
    say: AnyText = ""
    """Words for the synthesiser; may hold ${variables}."""
    language: Language | None = None
    """Language of the words; default: `defaults.language`."""
    file: str = ""
    """WAV file, relative to the dialplan's directory."""

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, value: object) -> object:
        return {"name": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        if sum(map(bool, (self.name, self.say, self.file))) != 1:
            raise unfit("the name of a prompt, {say: TEXT} or {file: PATH}")
        return self

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """A text is the name of a prompt."""
        return or_this(core_schema, handler, {"type": "string", "description": "the name of a prompt"})

    def shown(self) -> str:
        """For `explain`."""
        return self.name or self.file or f'"{self.say}"'

    def references(self, path: KeyPath) -> Iterator[Reference]:
        """What it names; `path`: where it stands below its step."""
        if self.name:
            yield Reference("prompt", self.name, path)
        if self.file:
            yield Reference("file", self.file, (*path, "file"))


Prompts = Annotated[list[PromptRef], ONE_OR_MORE, Field(max_length=20)]
"""One prompt or a list."""

Targets = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=256), Expected("a target such as sip:op1@pbx")]],
    ONE_OR_MORE,
    Field(min_length=1, max_length=50),
]
"""One target or a list."""


class Handler(Section):
    """What to do about a failure."""

    do: Action
    """A flow, a step, or a list of steps."""
    after: Seconds | None = None
    """For caller_silent: how long the silence lasts."""

    @model_validator(mode="before")
    @classmethod
    def _action_alone(cls, value: object) -> object:
        return value if isinstance(value, dict) and "do" in value else {"do": value}

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """An action alone will do."""
        return or_this(core_schema, handler, {"x-dialplan": "action"})


class Scene(Protocol):
    """What a step may use of the plan while it runs."""

    @property
    def language(self) -> str:
        """Default language of what is said."""

    @property
    def place(self) -> str:
        """Where the step stands, as FILE:LINE:COLUMN; unique."""

    def text(self, template: str, quote: Callable[[str], str] = str) -> str:
        """A text with its variables filled in; `quote` is applied to each value."""

    def prompts(self, refs: list[PromptRef]) -> tuple[Prompt, ...]:
        """Prompts ready to play."""

    def agent(self, name: str | None) -> str:
        """A known agent; the first one for None. Raises `StepFailedError`."""


class Step(Section):
    """Base of all steps. The class variables say what the checks need to know."""

    word: ClassVar[str]
    """Its name in the file."""
    shorthand: ClassVar[str] = ""
    """Field that a value which is no mapping goes into."""
    whole: ClassVar[bool] = False
    """A mapping goes into `shorthand` too."""
    bare: ClassVar[bool] = False
    """May be written as a word alone."""
    ends: ClassVar[bool] = False
    """The call has ended when it has worked."""
    takes_time: ClassVar[bool] = False
    """Breaks a loop."""
    audible: ClassVar[bool] = False
    """The caller hears something, or is told by a status."""
    fails: ClassVar[tuple[FailureKind, ...]] = ()
    """Kinds of failure it may end with, and `on` may name."""

    def references(self) -> Iterator[Reference]:
        """Words that must exist elsewhere."""
        yield from ()

    def branches(self) -> Iterator[BranchSpec]:
        """Everything it may continue with."""
        yield from ()

    def assigns(self) -> Iterator[str]:
        """Variables that it sets, apart from the built-in ones."""
        yield from ()

    def describe(self) -> str:
        """Its line in `explain`, without the word."""
        return ""

    @abstractmethod
    async def run(self, call: CallControl, scene: Scene) -> Outcome:
        """Do it. Raises `StepFailedError`."""


class FailingStep(Step):
    """A step that may fail and says what to do then."""

    on: dict[FailureKind, Handler] = Field(default_factory=dict)
    """What to do about each kind of failure; without a handler `defaults.on_failure` is done."""

    def branches(self) -> Iterator[BranchSpec]:
        """The handlers; a step with more branches adds its own."""
        for kind, handler in self.on.items():
            yield BranchSpec(f"on.{kind}", ("on", kind), handler.do, kind in TIMED_FAILURES)

    @model_validator(mode="after")
    def _known_failures(self) -> Self:
        for kind, handler in self.on.items():
            if kind not in self.fails:
                raise unfit(
                    f"a failure of {self.word} ({', '.join(self.fails)})", found=f'"{kind}"', key="on"
                )
            if handler.after is not None and kind != "caller_silent":
                raise unfit("after: with caller_silent only", found=f"after: with {kind}", key="on")
        return self


class CallingStep(FailingStep):
    """A step that calls people and ends with the conversation; a failure may go on with steps of its own."""

    ends: ClassVar[bool] = True
    takes_time: ClassVar[bool] = True
    audible: ClassVar[bool] = True

    else_: Action = Field(default=None, alias="else")
    """What to do about a failure that no handler in `on` is for."""

    def branches(self) -> Iterator[BranchSpec]:
        """As `Step` says."""
        yield from super().branches()
        if self.else_ is not None:
            yield BranchSpec("else", ("else",), self.else_)

    @abstractmethod
    async def connect(self, call: CallControl, scene: Scene) -> None:
        """Call, until the conversation has ended. Raises `StepFailedError`."""

    async def run(self, call: CallControl, scene: Scene) -> Outcome:
        """As `Step` says."""
        try:
            await self.connect(call, scene)
        except StepFailedError as failure:
            if self.else_ is None or failure.kind in self.on:
                raise
            call.note(f"{self.word} failed", kind=failure.kind, reason=str(failure))
            return Branch("else")
        await call.hang_up()
        return None


def prompt_references(refs: list[PromptRef], field: str) -> Iterator[Reference]:
    """References of a list of prompts in a field."""
    for index, ref in enumerate(refs):
        yield from ref.references((field, index) if len(refs) > 1 else (field,))


def target_references(targets: list[str], field: str) -> Iterator[Reference]:
    """References of a list of targets in a field."""
    for index, target in enumerate(targets):
        yield Reference("target", target, (field, index) if len(targets) > 1 else (field,))


def spoken_seconds(value: float) -> str:
    """`2m`, `90s`, `0.5s`."""
    if value >= 60 and value % 60 == 0:
        return f"{value / 60:g}m"
    return f"{value:g}s"
