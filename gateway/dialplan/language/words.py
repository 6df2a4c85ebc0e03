"""Types of values in a dialplan file: how they are written, and what to say when they are not."""

import re
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from gateway.config.languages import LanguageCode
from gateway.config.section import Expected, unfit
from gateway.dialplan.language.hours import HoursError, parse_zone
from gateway.dialplan.language.numbers import is_region
from gateway.dialplan.language.patterns import PatternError, parse_pattern
from gateway.dialplan.language.variables import NAME

_UNITS_S: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION: Final = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)(ms|s|m|h)")
_PERCENT: Final = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,4})?)%?")
_MAX_S: Final = 86400.0


def _seconds(value: object) -> float:
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise unfit("a length of time such as 5s, 500ms, 2m or 1h")
    seconds = float(match[1]) * _UNITS_S[match[2]]
    if not 0 < seconds <= _MAX_S:
        raise unfit("a length of time above 0 and up to 24h")
    return seconds


def _percent(value: object) -> float:
    text = str(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else ""
    match = _PERCENT.fullmatch(text.strip())
    if match is None or not 0 < float(match[1]) <= 100:
        raise unfit("a percentage above 0 and up to 100, such as 10 or 10%")
    return float(match[1])


def _pattern(text: str) -> str:
    try:
        parse_pattern(text)
    except PatternError as exc:
        raise unfit(str(exc)) from exc
    return text


def _zone(text: str) -> str:
    try:
        parse_zone(text)
    except HoursError as exc:
        raise unfit(str(exc)) from exc
    return text


def _region(text: str) -> str:
    if not is_region(text):
        raise unfit("a country of two capital letters such as DE (ISO 3166)")
    return text


def _variable(text: str) -> str:
    if not NAME.fullmatch(text):
        raise unfit("a name of small letters, digits and underscores that begins with a letter")
    return text


def one_or_more(value: object) -> object:
    """A single value where a list may stand counts as a list of one."""
    return value if isinstance(value, list) else [value]


class _OneOrMore:
    """For `Annotated` lists: a single value counts as a list of one, also for editors."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(one_or_more, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        whole = handler(schema)
        choices = whole.get("anyOf", [whole])
        return {"anyOf": [*(each["items"] for each in choices if "items" in each), *choices]}


ONE_OR_MORE: Final = _OneOrMore()


def or_this(schema: CoreSchema, handler: GetJsonSchemaHandler, other: JsonSchemaValue) -> JsonSchemaValue:
    """The schema of a section that may also be written in another way."""
    found = handler(schema)
    described = handler.resolve_ref_schema(found)
    section = dict(described)
    described.clear()
    described["anyOf"] = [other, section]
    return found


def _plain_value(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


Seconds = Annotated[
    float,
    BeforeValidator(_seconds),
    Expected("a length of time such as 5s, 500ms, 2m or 1h"),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?(ms|s|m|h)$"}),
]
"""Written as 5s, 500ms, 2m, 1h; seconds."""

Percent = Annotated[
    float,
    BeforeValidator(_percent),
    Expected("a percentage such as 10 or 10%"),
    WithJsonSchema({"type": ["number", "string"], "description": "such as 10 or 10%"}),
]

NumberPattern = Annotated[
    str,
    AfterValidator(_pattern),
    Expected('a number, a beginning such as "+4930*", digits with X, Z, N, a range, or /regex/'),
]
"""See `gateway.dialplan.language.patterns`."""


def at_most(limit_s: float, written: str) -> AfterValidator:
    """For `Annotated` lengths of time, behind `Seconds`. written: the limit as the file says it."""

    def check(value: float) -> float:
        if value > limit_s:
            raise unfit(f"at most {written}")
        return value

    return AfterValidator(check)


ZoneName = Annotated[str, AfterValidator(_zone), Expected("a time zone such as Europe/Berlin")]
Region = Annotated[str, AfterValidator(_region), Expected("a country such as DE (ISO 3166)")]
VariableName = Annotated[str, AfterValidator(_variable), Expected("the name of a variable")]

Name = Annotated[
    str,
    Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$"),
    Expected("a name of up to 63 small letters, digits, dashes and underscores that begins with a letter"),
]
"""Of a flow, list, prompt, set of hours, queue or mailbox."""

AnyText = Annotated[str, Field(max_length=4096), Expected("a text")]
"""May hold ${variables}."""

Value = Annotated[
    str,
    BeforeValidator(_plain_value),
    Field(max_length=4096),
    Expected("a text, a number, true or false"),
    WithJsonSchema({"type": ["string", "number", "boolean"]}),
]
"""A text; numbers and true/false are taken as they are written."""

Keys = Annotated[str, Field(pattern=r"^[0-9A-D*#]{1,16}$"), Expected("keys of a telephone, in quotes")]

Language = LanguageCode

Action = Annotated[
    Any,
    WithJsonSchema({"x-dialplan": "action"}),
    Expected("a flow, a step, or a list of steps"),
]
"""What happens next: name of a flow, a step, or a list of steps. Read by `gateway.dialplan.compiler`."""
