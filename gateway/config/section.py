"""The base of all parts of a file, and how a model says in plain words what it wants."""

from dataclasses import dataclass
from typing import ClassVar, Final, LiteralString

from pydantic import BaseModel, BeforeValidator, ConfigDict, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

UNFIT: LiteralString = "unfit"
"""Error type of `unfit`; its context holds `expected` and perhaps `found` and `key`."""

WRONG_TYPE: LiteralString = "wrong_type"
"""Error type of a value whose type was refused before conversion."""


@dataclass(frozen=True, slots=True)
class Expected:
    """Put into `Annotated` beside a pattern: what the pattern wants, in words."""

    words: str


def unfit(
    expected: str, *, found: str = "", key: str | tuple[str | int, ...] = "", hint: str = ""
) -> PydanticCustomError:
    """An error for validators. Never put the value into `expected`: it may be a secret.

    found: what is wrong when showing the value doesn't say it. key: a key below the value to point at,
    or several, each below the one before.
    """
    context = {"expected": expected, "found": found, "key": key, "hint": hint}
    return PydanticCustomError(UNFIT, "expected {expected}", context)


def _no_truth_value(value: object) -> object:
    if isinstance(value, bool):
        raise PydanticCustomError(WRONG_TYPE, "expected a number")
    return value


NO_TRUTH_VALUE: Final = BeforeValidator(_no_truth_value)
"""For `Annotated` numbers, behind their bounds: `true` does not count as 1."""


class Section(BaseModel):
    """A mapping in a file: unknown keys are errors, values are frozen, docstrings are documentation."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    expected: ClassVar[str] = ""
    """What to write, for sections that are given as one text."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """For editors, a section that is given as one text is a text."""
        found = handler(core_schema)
        if not cls.expected:
            return found
        described = handler.resolve_ref_schema(found)
        described.clear()
        described |= {"type": "string", "title": cls.__name__, "description": cls.expected}
        return found
