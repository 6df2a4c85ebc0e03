"""The shape of a dialplan file, version 1. The steps are read by `gateway.dialplan.compiler`."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from gateway.config.section import Expected, Section, unfit
from gateway.dialplan.language.hours import (
    HoursError,
    check_holiday_region,
    parse_dates,
    parse_days,
    parse_spans,
)
from gateway.dialplan.language.patterns import PatternError, parse_pattern
from gateway.dialplan.language.words import (
    ONE_OR_MORE,
    Action,
    AnyText,
    Language,
    Name,
    NumberPattern,
    Percent,
    Region,
    Seconds,
    Value,
    VariableName,
    ZoneName,
    or_this,
)

_ENTRY_EXPECTED: Final = (
    'a dialled number, a beginning such as "+4930*", "*", digits with X, Z, N, a range, /regex/ '
    "or {in: LIST} or {not_in: LIST}"
)
_LIST_EXPECTED: Final = "a number or a pattern in quotes, or {file: PATH} of a CSV file"


@dataclass(frozen=True, slots=True)
class Entry:
    """One of the numbers a route or list is for."""

    kind: Literal["pattern", "in", "not_in", "file"]
    word: str
    """The pattern, the list's name, or the file's path."""


def _entry(value: object, kinds: tuple[Literal["in", "not_in", "file"], ...], expected: str) -> Entry:
    if isinstance(value, Entry):
        return value
    if isinstance(value, str):
        try:
            parse_pattern(value)
        except PatternError as exc:
            raise unfit(str(exc)) from exc
        return Entry("pattern", value)
    if isinstance(value, dict) and len(value) == 1:
        (key, word), *_ = value.items()
        for kind in kinds:
            if key == kind and isinstance(word, str) and word:
                return Entry(kind, word)
    hint = "put it in quotes" if isinstance(value, int | float) and not isinstance(value, bool) else ""
    raise unfit(expected, hint=hint)


def _match_entry(value: object) -> Entry:
    return _entry(value, ("in", "not_in"), _ENTRY_EXPECTED)


def _list_entry(value: object) -> Entry:
    return _entry(value, ("file",), _LIST_EXPECTED)


def _entry_schema(*keys: str) -> WithJsonSchema:
    choices = [{"type": "object", "properties": {key: {"type": "string"}}, "required": [key]} for key in keys]
    return WithJsonSchema({"anyOf": [{"type": "string"}, *choices]})


_AsText = PlainSerializer(lambda entry: entry.word)

MatchEntry = Annotated[
    Any, BeforeValidator(_match_entry), _AsText, _entry_schema("in", "not_in"), Expected(_ENTRY_EXPECTED)
]
ListEntry = Annotated[
    Any, BeforeValidator(_list_entry), _AsText, _entry_schema("file"), Expected(_LIST_EXPECTED)
]

MatchEntries = Annotated[
    list[MatchEntry],
    ONE_OR_MORE,
    Field(min_length=1, max_length=10_000),
    Expected(_ENTRY_EXPECTED),
]


def _hours_reference(text: str) -> str:
    if not text.removeprefix("not ").strip():
        raise unfit('the name of a set of hours, or "not" and a name')
    return text


class Match(Section):
    """Which calls a route is for. All conditions must hold; of a list, one entry."""

    to: MatchEntries | None = None
    """The dialled number."""
    from_: MatchEntries | None = Field(default=None, alias="from")
    """The caller's number."""
    trunk: Annotated[list[Name] | None, ONE_OR_MORE, Field(min_length=1)] = None
    """Trunks of the configuration."""
    header: Annotated[dict[str, NumberPattern] | None, Field(min_length=1)] = None
    """Headers of the SIP request: a text, a beginning with *, or /regex/."""
    hours: Annotated[str | None, AfterValidator(_hours_reference), Expected("a set of hours")] = None
    """Name under `hours`, or "not" and a name."""
    kind: Annotated[list[Literal["sip", "webrtc", "outbound"]] | None, ONE_OR_MORE, Field(min_length=1)] = (
        None
    )
    """sip, webrtc: calls that came in so · outbound: calls that the gateway placed."""
    percent: Percent | None = None
    """This share of all callers, always the same ones."""
    variables: Annotated[dict[VariableName, NumberPattern] | None, Field(min_length=1)] = None
    """Variables that the call brought along: a text, a beginning with *, or /regex/."""

    @model_validator(mode="after")
    def _some_condition(self) -> Self:
        if all(getattr(self, name) is None for name in type(self).model_fields):
            raise unfit('at least one condition, such as {to: "*"} for every call')
        return self


class RouteEntry(Section):
    """A route as it is written."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    """Shown in the records of the calls that took it."""
    match: Match
    """Which calls it is for."""
    split: Annotated[
        dict[Name, Annotated[float, Field(ge=0, le=1_000_000)]] | None, Field(min_length=1, max_length=20)
    ] = None
    """Names and weights; ${split} is one of them, the same for a caller each time."""
    do: Annotated[list[Action], Field(min_length=1, max_length=100), Expected("a list of steps")]
    """What happens with them."""

    @model_validator(mode="after")
    def _some_weight(self) -> Self:
        if self.split is not None and not sum(self.split.values()):
            raise unfit("at least one weight above 0", found="weights that are all 0", key="split")
        return self


class Prompt(Section):
    """Something to say or play."""

    say: AnyText = ""
    """Words for the synthesiser; may hold ${variables}."""
    language: Language | None = None
    """Language of the words; default: `defaults.language`."""
    file: str = ""
    """WAV file, relative to the dialplan's directory."""

    @model_validator(mode="before")
    @classmethod
    def _words_alone(cls, value: object) -> object:
        return {"say": value} if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """A text is what to say."""
        return or_this(core_schema, handler, {"type": "string", "description": "words to say"})

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        if bool(self.say) == bool(self.file):
            raise unfit("either {say: TEXT} or {file: PATH}")
        return self


def _checked_days(text: str) -> str:
    """A key of a set of hours."""
    try:
        parse_days(text)
    except HoursError as exc:
        raise unfit(str(exc)) from exc
    return text


def _checked_spans(text: str) -> str:
    try:
        parse_spans(text)
    except HoursError as exc:
        raise unfit(str(exc)) from exc
    return text


def _checked_dates(text: str) -> str:
    try:
        parse_dates(text, ())
    except HoursError as exc:
        raise unfit(str(exc)) from exc
    return text


def _checked_holidays(text: str) -> str:
    try:
        check_holiday_region(text)
    except HoursError as exc:
        raise unfit(str(exc)) from exc
    return text


_Days = Annotated[str, AfterValidator(_checked_days), Expected("weekdays such as mon-fri")]
_SpansText = Annotated[str, AfterValidator(_checked_spans), Expected('hours such as "08:30-18:00"')]
_Dates = Annotated[str, AfterValidator(_checked_dates), Expected("a date such as 2026-12-24")]
_HOURS_KEYS: Final = ("except", "holidays", "on_holidays", "timezone")


class HoursEntry(Section):
    """Opening hours. Weekdays stand beside the other keys: {mon-fri: "08:30-18:00", sat: closed}."""

    weekly: dict[_Days, _SpansText] = Field(default_factory=dict)
    """Weekdays to hours."""
    except_: dict[_Dates, _SpansText] = Field(default_factory=dict, alias="except")
    """Dates (2026-12-24, 2026-12-24..2026-12-31, or 12-24 for every year) to hours; ahead of all else."""
    holidays: Annotated[str, AfterValidator(_checked_holidays)] | None = None
    """Country or part of one whose public holidays are days of `on_holidays`, such as DE-BE."""
    on_holidays: _SpansText = "closed"
    """Hours on public holidays."""
    timezone: ZoneName | None = None
    """Default: `defaults.timezone`."""

    keys: ClassVar[tuple[str, ...]] = _HOURS_KEYS


class Defaults(Section):
    """What holds for the whole plan."""

    timezone: ZoneName | None = None
    """Time zone of hours and cases; default: UTC."""
    on_failure: Action = None
    """What to do about a failure that no step handles."""
    language: Language | None = None
    """Language of what is said; default: en."""
    region: Region | None = None
    """Country whose national way of dialling callers use that came by no trunk."""
    max_call: Seconds | None = None
    """Longest call; default: 4h."""


class Expectation(Section):
    """What a case must lead to."""

    route: str | None = None
    """Name of the route; null: no route."""
    agent: str | None = None
    """Agent that talks first."""

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set:
            raise unfit("route or agent")
        return self


class Case(Section):
    """A call, and where it must go. What is left out of trunk, kind and header counts as fitting."""

    to: str
    """The dialled number."""
    from_: str = Field(default="", alias="from")
    """The caller's number."""
    at: str | None = None
    """Local time such as "2026-12-24 11:00"."""
    trunk: str | None = None
    header: dict[str, str] | None = None
    kind: Literal["sip", "webrtc", "outbound"] | None = None
    variables: dict[VariableName, Value] = Field(default_factory=dict)
    """Variables that the call brings along."""
    expect: Expectation
    """Where it must go."""


class PlanFile(Section):
    """One file of a dialplan directory. All files of a directory are one plan."""

    version: Literal[1]
    """Version of the language."""
    defaults: Defaults | None = None
    """What holds for the whole plan; in one file only."""
    variables: list[VariableName] = Field(default_factory=list)
    """Variables that come from outside: from an agent's tools, a dialler, a browser."""
    lists: Annotated[
        dict[Name, Annotated[list[ListEntry], ONE_OR_MORE]],
        Expected('lists by name, such as {vip: ["+4930111*"]}'),
    ] = Field(default_factory=dict)
    """Lists of numbers by name."""
    hours: Annotated[dict[Name, Any], Expected("hours by name, such as {office: {daily: open}}")] = Field(
        default_factory=dict
    )
    """Opening hours by name."""
    prompts: Annotated[dict[Name, Prompt], Expected("prompts by name, such as {welcome: Hello.}")] = Field(
        default_factory=dict
    )
    """Prompts by name."""
    routes: Annotated[list[RouteEntry], Expected("a list of routes, each with name, match and do")] = Field(
        default_factory=list
    )
    """The first one that matches takes the call; files count in the order of their names."""
    flows: Annotated[dict[Name, Action], Expected("flows by name, such as {closed: [hangup]}")] = Field(
        default_factory=dict
    )
    """Steps by name, for goto and all places that name a flow."""
    cases: list[Case] = Field(default_factory=list)
    """Calls and where they must go; run at every check."""
