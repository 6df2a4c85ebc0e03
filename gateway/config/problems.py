"""What can be wrong with a file an administrator wrote: every problem with its place."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.errors import LocalError

FOUND_MAX_CHARS = 60
"""Longer texts are cut in a message."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in one place."""

    file: str
    """File as the user named it; empty when there is no file."""
    line: int
    """1-based; 0 when the problem has no place in the file."""
    column: int
    """1-based."""
    key: str
    """Dotted key such as `sip.listen[0]`; empty for the file as a whole."""
    found: str
    """What the file says, ready to print; never a secret."""
    expected: str
    """What would be right."""
    hint: str = ""
    """The nearest valid word, or what to do."""

    def __str__(self) -> str:
        """`gw.yaml:12:5: sip.max_calls: found "lots", expected a whole number from 1 to 2000`."""
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        head = ": ".join(part for part in (place, self.key) if part)
        parts = [
            f"found {self.found}" if self.found else "",
            f"expected {self.expected}" if self.expected else "",
        ]
        said = ", ".join(part for part in parts if part)
        return f"{head}: {said}{f'; {self.hint}' if self.hint else ''}"


class ConfigError(LocalError):
    """A file of the configuration cannot be used; `problems` holds everything that is wrong, in order."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        ordered = sorted(problems, key=lambda p: (p.file, p.line, p.column, p.key))
        super().__init__("\n".join(str(problem) for problem in ordered))
        self.problems: tuple[Problem, ...] = tuple(ordered)


def show(value: object) -> str:
    """A value in the words of a message: nothing, true, 12, "text", a list, a mapping."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        cut = value if len(value) <= FOUND_MAX_CHARS else value[: FOUND_MAX_CHARS - 1] + "…"
        return json.dumps(cut, ensure_ascii=not cut.isprintable())
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if isinstance(value, dict):
        return "a mapping" if value else "an empty mapping"
    return str(value)[:FOUND_MAX_CHARS]
