"""A YAML file as plain data that remembers where each value stands.

Only what configuration needs: mappings with text keys, lists, text, numbers, true/false and null
(YAML 1.2 rules, so `on`, `yes` and `2026-12-24` are text). Anchors and aliases work within limits;
tags and merge keys are refused. Everything wrong is reported as `Problem`s with a place.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from ruamel.yaml import YAML
from ruamel.yaml.composer import MaxDepthExceededError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from gateway.config.environment import UnresolvedError, expand, has_reference
from gateway.config.problems import FOUND_MAX_CHARS, ConfigError, Problem, show

MAX_BYTES: Final = 1 << 20
"""Longest file that is read."""

MAX_NODES: Final = 100_000
"""Values in a file, aliases counted as often as they are used."""

MAX_DEPTH: Final = 64
"""Deepest nesting."""

_QUOTED_TEXT: Final = re.compile(r"'[^'<][^']+'")
"""Words of the file that the YAML library quotes in its messages; they may be secrets."""

KeyPath = tuple[str | int, ...]
"""Where a value stands: keys and list indexes from the top."""


@dataclass(frozen=True, slots=True)
class Place:
    """A position in a file, 1-based."""

    line: int
    column: int


@dataclass(slots=True)
class Document:
    """The data of one file with the place of every key and value."""

    file: str
    """Name of the file as it shall appear in messages."""
    data: object = None
    """dict, list, str, int, float, bool or None, nested."""
    values: dict[KeyPath, Place] = field(default_factory=dict)
    """Where each value begins."""
    keys: dict[KeyPath, Place] = field(default_factory=dict)
    """Where the key of each mapping value stands."""
    texts: dict[KeyPath, str] = field(default_factory=dict)
    """Scalars as they are written in the file, references not resolved."""
    references: set[KeyPath] = field(default_factory=set)
    """Scalars that hold values of environment variables: never to be printed."""
    problems: list[Problem] = field(default_factory=list)
    """What was wrong with the file as YAML, apart from its syntax."""

    def problem(
        self, path: KeyPath, *, found: str, expected: str, hint: str = "", at_key: bool = False
    ) -> Problem:
        """A problem with the value at `path`, or placed at its nearest ancestor that stands in the file."""
        place = self.keys.get(path) if at_key else None
        known = path
        while place is None:
            place = self.values.get(known)
            if place is None and not known:
                place = Place(1, 1)
            known = known[:-1]
        return Problem(self.file, place.line, place.column, dotted(path), found, expected, hint)

    def found(self, path: KeyPath, value: object) -> str:
        """`value` for a message: a reference to the environment unresolved, a whole number as written."""
        if path in self.references:
            return show(self.texts[path])
        number = isinstance(value, int) and not isinstance(value, bool)
        return self.texts[path][:FOUND_MAX_CHARS] if number and path in self.texts else show(value)


def dotted(path: KeyPath) -> str:
    """`sip.listen[0]` for ("sip", "listen", 0)."""
    out = ""
    for part in path:
        if isinstance(part, int):
            out += f"[{part}]"
        else:
            out += f".{part}" if out else part
    return out


def parse_document(raw: bytes, file: str, environment: Mapping[str, str] | None = None) -> Document:
    """Read a file's bytes. With `environment`, `${NAME}` in values is resolved from it.

    Raises `ConfigError` when the bytes are not one YAML document; lesser faults (a key given twice,
    an unset variable) are in `problems` of the result.
    """
    document = Document(file)
    node = _compose(raw, file)
    if node is not None:
        document.data = _Builder(document, environment).build(node, ())
    return document


def _compose(raw: bytes, file: str) -> Node | None:
    if len(raw) > MAX_BYTES:
        raise _unreadable(file, f"a file of {len(raw)} bytes", f"at most {MAX_BYTES}")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        good = raw[: exc.start].decode("utf-8", "replace")
        place = Place(good.count("\n") + 1, len(good) - good.rfind("\n"))
        raise _unreadable(file, f"the byte 0x{raw[exc.start]:02x}", "text in UTF-8", place) from exc
    yaml = YAML(typ="safe", pure=True)
    # The scanner's time grows with the square of the depth: for some thousand levels the builder, which
    # knows better places, would look too late.
    yaml.max_depth = 2 * MAX_DEPTH
    try:
        node: Node | None = yaml.compose(text)
    except (RecursionError, MaxDepthExceededError) as exc:
        raise _unreadable(file, "a deeply nested value", f"at most {MAX_DEPTH} levels") from exc
    except MarkedYAMLError as exc:
        raise _syntax_error(file, exc) from exc
    except YAMLError as exc:
        raise _unreadable(file, "a character that YAML does not allow", "plain text") from exc
    except (ValueError, TypeError, AttributeError, LookupError, AssertionError, OverflowError) as exc:
        # The scanner leaks these on some malformed directives, numbers and escapes.
        raise _unreadable(file, "something that is not YAML", "a YAML document") from exc
    return node


def _unreadable(file: str, found: str, expected: str, place: Place | None = None) -> ConfigError:
    place = place or Place(1, 1)
    return ConfigError([Problem(file, place.line, place.column, "", found, expected)])


def _syntax_error(file: str, exc: MarkedYAMLError) -> ConfigError:
    mark = exc.problem_mark or exc.context_mark
    place = Place(mark.line + 1, mark.column + 1) if mark is not None else Place(1, 1)
    said = (exc.problem or exc.context or "a syntax error").strip().replace("\n", " ")
    hint = ""
    if "mapping values are not allowed" in said:
        hint = 'a text with ": " in it needs quotes, and keys of one level the same indentation'
    elif "undefined alias" in said:
        hint = "a text that begins with * needs quotes"
    elif "\\t" in said or "'\t'" in said:
        hint = "indent with spaces, not tabs"
    found = f"{_QUOTED_TEXT.sub('…', said).removeprefix('found ')} (YAML syntax)"
    return ConfigError([Problem(file, place.line, place.column, "", found, "valid YAML", hint)])


class _Builder:
    """Turns the composed nodes of one file into data, filling in the document's places."""

    def __init__(self, document: Document, environment: Mapping[str, str] | None) -> None:
        self._document = document
        self._environment = environment
        self._nodes = 0

    def build(self, node: Node, path: KeyPath) -> object:
        """The node's data; `path` is where it stands."""
        document = self._document
        place = Place(node.start_mark.line + 1, node.start_mark.column + 1)
        if isinstance(node, ScalarNode) and node.style is None and not node.value:
            # A value that was left out has no place of its own.
            place = document.keys.get(path, place)
        document.values[path] = place
        self._nodes += 1
        if len(path) > MAX_DEPTH or self._nodes > MAX_NODES:
            limit = f"at most {MAX_DEPTH} levels and {MAX_NODES} values"
            raise ConfigError(
                [document.problem(path, found="a value that is nested or repeated too much", expected=limit)]
            )
        if isinstance(node, MappingNode):
            self._check_tag(node, path, "map")
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            self._check_tag(node, path, "seq")
            return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
        assert isinstance(node, ScalarNode)
        return self._scalar(node, path)

    def _check_tag(self, node: Node, path: KeyPath, tag: str) -> None:
        if node.tag != f"tag:yaml.org,2002:{tag}":
            self._refuse_tag(node, path)

    def _refuse_tag(self, node: Node, path: KeyPath) -> None:
        self._document.problems.append(
            self._document.problem(
                path,
                found="a tag",
                expected="a value without one",
                hint="a text that begins with ! needs quotes",
            )
        )

    def _mapping(self, node: MappingNode, path: KeyPath) -> dict[str, object]:
        document = self._document
        data: dict[str, object] = {}
        for key_node, value_node in node.value:
            place = Place(key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            if not isinstance(key_node, ScalarNode) or str(key_node.tag).endswith(":merge"):
                found = "<<" if isinstance(key_node, ScalarNode) else "a list or mapping"
                document.problems.append(
                    Problem(
                        document.file, place.line, place.column, dotted(path), found, "a plain word as a key"
                    )
                )
                continue
            key = str(key_node.value)
            here = (*path, key)
            if key in data:
                first = document.keys[here]
                document.problems.append(
                    Problem(
                        document.file,
                        place.line,
                        place.column,
                        dotted(here),
                        "the key a second time",
                        f"it once (first in line {first.line})",
                    )
                )
                continue
            document.keys[here] = place
            data[key] = self.build(value_node, here)
        return data

    def _scalar(self, node: ScalarNode, path: KeyPath) -> object:
        document = self._document
        text = str(node.value)
        document.texts[path] = text
        if any(char == "\0" or "\ud800" <= char <= "\udfff" for char in text):
            document.problems.append(
                document.problem(path, found="a character that is no text", expected="text without NUL")
            )
            return ""
        match str(node.tag).removeprefix("tag:yaml.org,2002:"):
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int":
                return _whole_number(text)
            case "float":
                return _number(text)
            case "str" | "timestamp" | "value" | "merge":
                return self._text(text, path)
            case _:
                self._refuse_tag(node, path)
                return text

    def _text(self, text: str, path: KeyPath) -> str:
        if self._environment is None:
            return text
        if has_reference(text):
            self._document.references.add(path)
        try:
            return expand(text, self._environment)
        except UnresolvedError as exc:
            self._document.problems.append(
                self._document.problem(path, found=exc.found, expected=exc.expected)
            )
            return text


def _whole_number(text: str) -> int | str:
    """A YAML 1.2 integer; text when it only looks like one."""
    digits = text.replace("_", "")
    try:
        return int(digits, 0) if digits.lstrip("+-")[:2].lower() in ("0x", "0o", "0b") else int(digits)
    except ValueError:
        return text


def _number(text: str) -> float | str:
    """A YAML 1.2 float; text when it only looks like one."""
    plain = text.replace("_", "").lower()
    try:
        return float({".inf": "inf", "+.inf": "inf", "-.inf": "-inf", ".nan": "nan"}.get(plain, plain))
    except ValueError:
        return text
