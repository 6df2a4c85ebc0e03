"""`play`: let the caller hear prompts."""

from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from gateway.dialplan.language.words import Keys
from gateway.dialplan.runtime import CallControl, FailureKind
from gateway.dialplan.step import (
    FailingStep,
    Outcome,
    PromptRef,
    Prompts,
    Reference,
    Scene,
    prompt_references,
)


class PlayStep(FailingStep):
    """Play prompts to their end. Answers the call if that has not happened."""

    word: ClassVar[str] = "play"
    shorthand: ClassVar[str] = "prompts"
    takes_time: ClassVar[bool] = True
    audible: ClassVar[bool] = True
    fails: ClassVar[tuple[FailureKind, ...]] = ("not_possible", "error")

    prompts: Prompts = Field(min_length=1)
    """What to play, one after the other."""
    interrupt: Keys | None = None
    """Keys that end it; the key is then in ${digits}."""

    @model_validator(mode="before")
    @classmethod
    def _in_place(cls, value: object) -> object:
        """`play: {say: Hello.}` and `play: {file: hello.wav}` are one prompt in its place."""
        if not isinstance(value, dict) or "prompts" in value or not {"say", "file"} & set(value):
            return value
        prompt = {key: value[key] for key in PromptRef.model_fields if key in value}
        return {"prompts": prompt, **{key: each for key, each in value.items() if key not in prompt}}

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """One prompt in its place, or the whole."""
        found = handler(core_schema)
        properties = handler.resolve_ref_schema(found)["properties"]
        for key in ("say", "file", "language"):
            properties[key] = {"type": "string"}
        handler.resolve_ref_schema(found).pop("required", None)
        return found

    def references(self) -> Iterator[Reference]:
        """As `Step` says."""
        yield from prompt_references(self.prompts, "prompts")

    def describe(self) -> str:
        """As `Step` says."""
        return ", ".join(ref.shown() for ref in self.prompts)

    async def run(self, call: CallControl, scene: Scene) -> Outcome:
        """As `Step` says."""
        key = await call.play(scene.prompts(self.prompts), interrupt_keys=self.interrupt or "")
        if self.interrupt:
            call.variables["digits"] = key
        return None
