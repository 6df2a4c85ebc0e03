"""The JSON Schema of dialplan files, made from the models of the file and of the steps."""

from typing import Any, Final

from gateway.dialplan.compiler import CONTINUE
from gateway.dialplan.language.hours import DAYS
from gateway.dialplan.models import HoursEntry, PlanFile
from gateway.dialplan.step import Step
from gateway.dialplan.steps import STEPS

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_DAY: Final = rf"({'|'.join(DAYS)})(\s*-\s*({'|'.join(DAYS)}))?"
_DAYS: Final = rf"^(daily|{_DAY}(\s*,\s*{_DAY})*)$"
"""What `parse_days` takes."""


def json_schema() -> dict[str, Any]:
    """For editors that complete and mark mistakes (JSON Schema 2020-12)."""
    defs: dict[str, Any] = {}
    schema = _lifted(PlanFile.model_json_schema(), defs)
    hours = _lifted(HoursEntry.model_json_schema(), defs)
    weekly = hours["properties"].pop("weekly")
    hours["patternProperties"] = {_DAYS: weekly["additionalProperties"]}
    hours["additionalProperties"] = False
    by_name = schema["properties"]["hours"].pop("patternProperties")
    schema["properties"]["hours"]["patternProperties"] = dict.fromkeys(by_name, hours)
    for word, step in STEPS.items():
        defs[f"step_{word}"] = _value_schema(step, defs)
    bare = [word for word, step in STEPS.items() if step.bare]
    defs["step"] = {
        "anyOf": [
            {"type": "string", "description": "the name of a flow"},
            {"enum": [*bare, CONTINUE]},
            *(_single(word, step) for word, step in STEPS.items()),
        ]
    }
    step_ref = {"$ref": "#/$defs/step"}
    defs["action"] = {"anyOf": [step_ref, {"type": "array", "items": step_ref}]}
    return {"$schema": _DIALECT, **schema, "title": "Dialplan", "$defs": _with_actions(defs)} | {
        "properties": _with_actions(schema["properties"])
    }


def _lifted(schema: dict[str, Any], defs: dict[str, Any]) -> dict[str, Any]:
    defs.update(schema.pop("$defs", {}))
    return schema


def _value_schema(step: type[Step], defs: dict[str, Any]) -> dict[str, Any]:
    schema = _lifted(step.model_json_schema(), defs)
    if not step.shorthand:
        return schema
    short = schema["properties"][step.shorthand]
    if step.whole:
        return {**short, "description": schema.get("description", "")}
    return {"description": schema.pop("description", ""), "anyOf": [short, schema]}


def _single(word: str, step: type[Step]) -> dict[str, Any]:
    value: dict[str, Any] = {"$ref": f"#/$defs/step_{word}"}
    return {
        "type": "object",
        "description": (step.__doc__ or "").partition("\n")[0],
        "properties": {word: {"anyOf": [value, {"type": "null"}]} if step.bare else value},
        "required": [word],
        "additionalProperties": False,
    }


def _with_actions(part: Any) -> Any:
    """Puts the steps where the models only say that there are some."""
    if isinstance(part, list):
        return [_with_actions(each) for each in part]
    if not isinstance(part, dict):
        return part
    if part.get("x-dialplan") == "action":
        rest = {key: value for key, value in part.items() if key != "x-dialplan"}
        return {**rest, "$ref": "#/$defs/action"}
    return {key: _with_actions(value) for key, value in part.items()}
