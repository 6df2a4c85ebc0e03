"""From a document to a model: pydantic's verdict, retold with places and in plain words."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from gateway.config.document import Document, KeyPath
from gateway.config.problems import ConfigError, Problem, show
from gateway.config.section import UNFIT, Expected, Section

_USER_IN_URL = re.compile(r"//[^/@\s\"]*@")
_KEY_MARKER = "[key]"

M = TypeVar("M", bound=BaseModel)


def validate(model: type[M], document: Document) -> M:
    """The document's data as a `model`; an empty document counts as an empty mapping.

    Raises `ConfigError` with the problems of the document and of the data together.
    """
    problems = list(document.problems)
    data = {} if document.data is None else document.data
    result: M | None = None
    try:
        result = model.model_validate(data)
    except ValidationError as exc:
        already = {(problem.line, problem.column) for problem in problems}
        details = exc.errors(include_url=False)
        found = [_problem(model, document, data, detail) for detail in details]
        problems += [problem for problem in found if (problem.line, problem.column) not in already]
    if problems or result is None:
        raise ConfigError(problems)
    return result


def validate_part(
    model: type[M], document: Document, path: KeyPath, data: object, *, wrapped: str = ""
) -> tuple[M | None, list[Problem]]:
    """A part of a document as a `model`, or what is wrong with it.

    path: where the part stands. data: the part; with `wrapped` the part put below that key, which the
    file does not have.
    """
    try:
        return model.model_validate(data), []
    except ValidationError as exc:
        details = exc.errors(include_url=False)
        return None, [_problem(model, document, data, detail, path, wrapped) for detail in details]


def nearest(word: str, words: Iterable[str]) -> str:
    """`did you mean "max_calls"?`, or nothing when no word is near."""
    matches = difflib.get_close_matches(word.lower(), list(words), n=1, cutoff=0.6)
    return f'did you mean "{matches[0]}"?' if matches else ""


# ---- finding the place and the type that an error is about ----------------------------------------


@dataclass(frozen=True, slots=True)
class _Type:
    """A type with what `Annotated` and `Field` add to it."""

    annotation: Any
    extras: tuple[Any, ...] = ()

    def unwrapped(self) -> "_Type":
        """Without `Annotated` around it."""
        annotation, extras = self.annotation, list(self.extras)
        while get_origin(annotation) is Annotated:
            annotation, *more = get_args(annotation)
            extras += more
        flat = [deep for extra in extras for deep in _flattened(extra)]
        return _Type(annotation, tuple(flat))

    def options(self) -> list["_Type"]:
        """Members of a union without None; the type itself otherwise."""
        plain = self.unwrapped()
        if get_origin(plain.annotation) not in (Union, UnionType):
            return [plain]
        members = [_Type(arg).unwrapped() for arg in get_args(plain.annotation) if arg is not NoneType]
        return [_Type(member.annotation, plain.extras + member.extras) for member in members]

    @property
    def model(self) -> type[BaseModel] | None:
        """The model class, if it is one."""
        options = self.options()
        only = options[0].annotation if len(options) == 1 else None
        return only if isinstance(only, type) and issubclass(only, BaseModel) else None

    @property
    def is_mapping(self) -> bool:
        """Whether the keys are free to choose."""
        return get_origin(self.options()[0].annotation) in (dict, Mapping)

    def by_tag(self) -> dict[str, "_Type"]:
        """Members of a discriminated union by tag."""
        tag_field = next((e.discriminator for e in self.unwrapped().extras if isinstance(e, FieldInfo)), None)
        if not isinstance(tag_field, str):
            return {}
        return {
            str(tag): option
            for option in self.options()
            for tag in get_args(option.annotation.model_fields[tag_field].annotation)
        }


def _flattened(extra: object) -> Iterator[object]:
    if isinstance(extra, FieldInfo):
        if extra.discriminator is not None:
            yield extra
        yield from extra.metadata
    else:
        yield extra


def _child(parent: _Type | None, part: str | int) -> _Type | None:
    """The type of one key or item below `parent`; None when there is no such thing."""
    if parent is None:
        return None
    if (model := parent.model) is not None:
        fields = model.model_fields
        info = fields.get(str(part)) or next((each for each in fields.values() if each.alias == part), None)
        return None if info is None else _Type(info.annotation, (info,))
    for option in parent.options():
        origin, args = get_origin(option.annotation), get_args(option.annotation)
        if origin in (dict, Mapping) and isinstance(part, str):
            return _Type(args[1])
        if origin in (list, tuple) and isinstance(part, int):
            return _Type(args[0])
    return None


@dataclass(slots=True)
class _Spot:
    """What an error's location leads to."""

    path: KeyPath
    """Where to point in the file."""
    beyond: str
    """Field inside a value that is one text in the file, such as the port of a URL."""
    kind: _Type | None
    """What belongs there."""
    parent: _Type | None
    about_key: bool = False


def _resolve(model: type[BaseModel], data: object, location: tuple[str | int, ...]) -> _Spot:
    spot = _Spot((), "", _Type(model), None)
    value = data
    entered_mapping = False
    for part in location:
        if part == _KEY_MARKER and entered_mapping:
            spot.about_key = True
            continue
        tags = spot.kind.by_tag() if spot.kind is not None else {}
        if part in tags:
            # pydantic names the chosen member of a union; it is no key of the file.
            spot.kind = tags[str(part)]
            entered_mapping = False
            continue
        spot.parent, spot.kind = spot.kind, _child(spot.kind, part)
        entered_mapping = spot.parent is not None and spot.parent.is_mapping
        if isinstance(value, dict) and isinstance(part, int):
            continue  # one thing in the place of a list of such things
        if isinstance(value, dict | list):
            spot.path = (*spot.path, part)
            inside = isinstance(part, int) and isinstance(value, list) and part < len(value)
            value = value.get(part) if isinstance(value, dict) else value[part] if inside else None  # type: ignore[index]
        elif isinstance(part, str):
            spot.beyond = part
    return spot


# ---- words ----------------------------------------------------------------------------------------


def _problem(
    model: type[BaseModel],
    document: Document,
    data: object,
    detail: ErrorDetails,
    at: KeyPath = (),
    wrapped: str = "",
) -> Problem:
    spot = _resolve(model, data, detail["loc"])
    value = spot.path[-1] if spot.about_key else _look_up(data, spot.path)
    spot.path = (*at, *(spot.path[1:] if wrapped and spot.path[:1] == (wrapped,) else spot.path))
    context = detail.get("ctx") or {}
    match detail["type"]:
        case "extra_forbidden":
            keys = _keys(spot.parent.model) if spot.parent and spot.parent.model else []
            return document.problem(
                spot.path,
                found="an unknown key",
                expected=_one_of(keys),
                hint=nearest(str(spot.path[-1]), keys),
                at_key=True,
            )
        case "missing":
            return document.problem(spot.path, found="nothing", expected=_describe(spot.kind))
        case "union_tag_not_found" | "union_tag_invalid":
            return _wrong_tag(document, spot, context)
    if detail["type"] == UNFIT:
        key = context["key"]
        if isinstance(key, tuple) and (*spot.path, *key) in document.values:
            spot.path, value = (*spot.path, *key), _look_up(value, key)
        elif key and (*spot.path, key) in document.values:
            spot.path = (*spot.path, key)
        found, expected, hint = context["found"], context["expected"], context["hint"]
    else:
        found, expected, hint = "", _expected(spot), _hint(spot, value)
    found = found or _found(document, spot, value)
    return document.problem(spot.path, found=found, expected=expected, hint=hint, at_key=spot.about_key)


def _wrong_tag(document: Document, spot: _Spot, context: Mapping[str, Any]) -> Problem:
    tags = list(spot.kind.by_tag()) if spot.kind is not None else []
    path = (*spot.path, str(context["discriminator"]).strip("'"))
    tag = context.get("tag")
    return document.problem(
        path,
        found=document.found(path, tag),
        expected=_one_of(tags),
        hint=nearest(str(tag), tags) if tag is not None else "",
    )


def _look_up(data: object, path: KeyPath) -> object:
    for part in path:
        if isinstance(data, dict):
            data = data.get(part)
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        else:
            return None
    return data


def _found(document: Document, spot: _Spot, value: object) -> str:
    if spot.kind is not None and any(option.annotation is SecretStr for option in spot.kind.options()):
        return "something else (not shown)"
    shown = show(value) if spot.about_key else document.found(spot.path, value)
    return _USER_IN_URL.sub("//***@", shown)


def _expected(spot: _Spot) -> str:
    if spot.about_key and spot.kind is not None and spot.parent is not None:
        return _describe(_Type(get_args(spot.parent.options()[0].annotation)[0]))
    if spot.beyond:
        return f"{spot.beyond} to be {_describe(spot.kind)}"
    return _describe(spot.kind)


def _hint(spot: _Spot, value: object) -> str:
    if spot.about_key and spot.parent is not None:
        kind = _Type(get_args(spot.parent.options()[0].annotation)[0]).unwrapped()
        words = get_args(kind.annotation) if get_origin(kind.annotation) is Literal else ()
        return nearest(str(value), [str(word) for word in words])
    if spot.kind is None or spot.about_key:
        return ""
    for option in spot.kind.options():
        if get_origin(option.annotation) is Literal and isinstance(value, str):
            return nearest(value, [str(arg) for arg in get_args(option.annotation)])
        if option.annotation is str and value is not None and not isinstance(value, str | list | dict):
            return "put it in quotes"
    return ""


def _keys(model: type[BaseModel]) -> list[str]:
    """The keys of a mapping, as they are written in the file."""
    return [info.alias or name for name, info in model.model_fields.items()]


def _one_of(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"one of {', '.join(words)}"


def _describe(kind: _Type | None) -> str:
    """What a type wants, e.g. `a whole number from 1 to 2000`."""
    if kind is None:
        return "something else"
    may_be_null = NoneType in get_args(kind.unwrapped().annotation)
    words = " or ".join(dict.fromkeys(_describe_one(option) for option in kind.options()))
    return f"{words} or null" if may_be_null else words


def _describe_one(kind: _Type) -> str:
    annotation, extras = kind.annotation, kind.extras
    said = next((extra.words for extra in extras if isinstance(extra, Expected)), "")
    if said:
        return said
    origin = get_origin(annotation)
    at_least_one = any(isinstance(extra, MinLen) and extra.min_length > 0 for extra in extras)
    if origin is Literal:
        return _one_of([str(arg) for arg in get_args(annotation)])
    if origin in (list, tuple):
        return "a list with at least one entry" if at_least_one else "a list"
    if origin in (dict, Mapping):
        return "a mapping"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        said = annotation.expected if issubclass(annotation, Section) else ""
        return said or f"a mapping with the keys {', '.join(_keys(annotation))}"
    words: dict[Any, str] = {
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        str: "a text that is not empty" if at_least_one else "a text",
        SecretStr: "a text",
        Path: "a path",
    }
    return words.get(annotation, "something else") + _bounds(extras)


def _bounds(extras: tuple[Any, ...]) -> str:
    low = next(
        (extra.ge if isinstance(extra, Ge) else extra.gt for extra in extras if isinstance(extra, Ge | Gt)),
        None,
    )
    high = next(
        (extra.le if isinstance(extra, Le) else extra.lt for extra in extras if isinstance(extra, Le | Lt)),
        None,
    )
    if low is not None and high is not None:
        return f" from {low:g} to {high:g}" if isinstance(low, float) else f" from {low} to {high}"
    if low is not None:
        return f" of at least {low}"
    return f" of at most {high}" if high is not None else ""
