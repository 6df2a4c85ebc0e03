"""`set`: give variables a value."""

from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field

from gateway.dialplan.language.variables import MAX_VALUE_CHARS
from gateway.dialplan.language.words import Value, VariableName
from gateway.dialplan.runtime import CallControl
from gateway.dialplan.step import Outcome, Scene, Step


class SetStep(Step):
    """Set variables, as `{set: {department: sales, note: "from ${from}"}}`."""

    word: ClassVar[str] = "set"
    shorthand: ClassVar[str] = "variables"
    whole: ClassVar[bool] = True

    variables: dict[VariableName, Value] = Field(min_length=1)
    """Name to value; values may hold ${variables}."""

    def assigns(self) -> Iterator[str]:
        """As `Step` says."""
        yield from self.variables

    def describe(self) -> str:
        """As `Step` says."""
        return ", ".join(f"{name} = {value}" for name, value in self.variables.items())

    async def run(self, call: CallControl, scene: Scene) -> Outcome:
        """As `Step` says."""
        for name, value in self.variables.items():
            call.variables[name] = scene.text(value)[:MAX_VALUE_CHARS]
        return None
