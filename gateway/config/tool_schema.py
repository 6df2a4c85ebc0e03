"""JSON Schemas (draft 2020-12) that describe what a tool takes; checked when the configuration is read."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from gateway.config.section import unfit
from gateway.config.validate import nearest

MAX_DEPTH: Final = 12
"""Deepest nesting of schemas."""

_TYPES: Final = ("array", "boolean", "integer", "null", "number", "object", "string")
_NOTES: Final = frozenset(
    {"$comment", "$defs", "$schema", "default", "deprecated", "description", "examples", "title"}
)
"""Keywords that check nothing."""
_ONE: Final = ("additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then")
_LISTS: Final = ("allOf", "anyOf", "oneOf", "prefixItems")
_MAPPINGS: Final = ("$defs", "dependentSchemas", "patternProperties", "properties")

Path = tuple[str | int, ...]


def check_parameters(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema itself; for validators: raises what `unfit` makes, pointing at what is wrong."""
    # Takes half a second to import: only for whoever has tools.
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    if schema.get("type") != "object":
        raise unfit("a JSON Schema with type: object", key=("type",), found=_missing(schema, "type"))
    _check_keywords(schema, set(Draft202012Validator.VALIDATORS) | _NOTES)
    wrong = best_match(Draft202012Validator(Draft202012Validator.META_SCHEMA).iter_errors(schema))
    if wrong is not None:
        path: Path = tuple(wrong.absolute_path)
        raise unfit(_expected(path), key=path)
    return schema


def _check_keywords(schema: Mapping[str, Any], known: set[str]) -> None:
    for path, part in _parts(schema, (), 0):
        for keyword, value in part.items():
            if keyword not in known:
                raise unfit(
                    "a keyword of JSON Schema",
                    found=f'the keyword "{keyword}"',
                    key=(*path, keyword),
                    hint=nearest(keyword, sorted(known)),
                )
            if keyword in ("$ref", "$dynamicRef") and not _leads_somewhere(schema, str(value)):
                raise unfit("a reference within this schema, such as #/$defs/address", key=(*path, keyword))
            if keyword == "pattern" and isinstance(value, str) and not _is_pattern(value):
                raise unfit("a regular expression", key=(*path, keyword))
        _check_required(path, part)


def _check_required(path: Path, part: Mapping[str, Any]) -> None:
    required, properties = part.get("required"), part.get("properties")
    if not isinstance(required, list) or not isinstance(properties, Mapping):
        return
    for index, name in enumerate(required):
        if name not in properties:
            raise unfit(
                f"one of {', '.join(map(str, properties)) or 'properties, which has none'}",
                key=(*path, "required", index),
                hint=nearest(str(name), [str(known) for known in properties]),
            )


def _parts(schema: object, path: Path, depth: int) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """The schema and all schemas in it."""
    if not isinstance(schema, Mapping):
        return  # true and false are schemas, too; anything else is found by the meta-schema
    if depth > MAX_DEPTH:
        raise unfit(f"at most {MAX_DEPTH} schemas within each other", found="more", key=path)
    yield path, schema
    for keyword in _ONE:
        yield from _parts(schema.get(keyword), (*path, keyword), depth + 1)
    for keyword in _LISTS:
        inner = schema.get(keyword)
        for index, each in enumerate(inner if isinstance(inner, list) else ()):
            yield from _parts(each, (*path, keyword, index), depth + 1)
    for keyword in _MAPPINGS:
        inner = schema.get(keyword)
        for name, each in (inner if isinstance(inner, Mapping) else {}).items():
            yield from _parts(each, (*path, keyword, name), depth + 1)


def _leads_somewhere(schema: Mapping[str, Any], reference: str) -> bool:
    """Whether a JSON pointer (RFC 6901) names a part of the schema."""
    found: object = schema
    first, *rest = reference.split("/")
    for part in rest:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, Mapping) and key in found:
            found = found[key]
        elif isinstance(found, list) and key.isdecimal() and int(key[:6]) < len(found):
            found = found[int(key[:6])]
        else:
            return False
    return first == "#" and isinstance(found, Mapping | bool)


def _is_pattern(text: str) -> bool:
    try:
        re.compile(text)
    except (re.error, RecursionError, OverflowError):
        return False
    return True


def _missing(schema: Mapping[str, Any], keyword: str) -> str:
    return "" if keyword in schema else f"no {keyword}"


def _expected(path: Path) -> str:
    keyword = next((part for part in reversed(path) if isinstance(part, str)), "")
    words = {
        "type": f"one of {', '.join(_TYPES)}, or a list of them",
        "required": "a list of names, each once",
        "properties": "a mapping of names to schemas",
        "description": "a text",
        "title": "a text",
        "enum": "a list of values",
    }
    return words.get(
        keyword, f"what JSON Schema (2020-12) allows for {keyword}" if keyword else "a JSON Schema"
    )
