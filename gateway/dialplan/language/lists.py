"""Named lists of numbers, in the plan or in CSV files beside it. Pure: the text is passed in."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.config.problems import Problem, show
from gateway.dialplan.language.patterns import Pattern, PatternError, parse_pattern

MAX_ENTRIES: Final = 200_000
"""In one list."""

_HEADINGS: Final = ("number", "phone", "telephone", "caller")


@dataclass(frozen=True, slots=True)
class NumberList:
    """Numbers and patterns under one name, quick to search."""

    exact: frozenset[str]
    beginnings: frozenset[str]
    beginning_lengths: tuple[int, ...]
    others: tuple[Pattern, ...]

    def matches(self, forms: Sequence[str]) -> bool:
        """Whether one way to write a number is in the list."""
        for form in forms:
            if form in self.exact or any(form[:n] in self.beginnings for n in self.beginning_lengths):
                return True
        return any(pattern.matches(form) for pattern in self.others for form in forms)

    def __len__(self) -> int:
        return len(self.exact) + len(self.beginnings) + len(self.others)


def make_list(patterns: Iterable[Pattern]) -> NumberList:
    """A list of these patterns."""
    exact, beginnings, others = set(), set(), []
    for pattern in patterns:
        if pattern.exact:
            exact.add(pattern.literal)
        elif pattern.text == pattern.literal + "*":
            beginnings.add(pattern.literal)
        else:
            others.append(pattern)
    lengths = tuple(sorted({len(beginning) for beginning in beginnings}))
    return NumberList(frozenset(exact), frozenset(beginnings), lengths, tuple(others))


def read_csv(text: str, file: str) -> tuple[list[Pattern], list[Problem]]:
    """Patterns in the first column of a CSV file, and what is wrong with it.

    A heading such as `number`, empty lines and lines that begin with # don't count.
    """
    patterns: list[Pattern] = []
    problems: list[Problem] = []
    rows = csv.reader(text.splitlines())
    try:
        for row in rows:
            cell = row[0].strip() if row else ""
            if not cell or cell.startswith("#") or (rows.line_num == 1 and cell.lower() in _HEADINGS):
                continue
            try:
                patterns += parse_pattern(cell)
            except PatternError as exc:
                problems.append(Problem(file, rows.line_num, 1, "", show(cell), str(exc)))
    except csv.Error as exc:
        problems.append(Problem(file, rows.line_num, 1, "", str(exc), "a CSV file"))
    if len(patterns) > MAX_ENTRIES:
        problems.append(Problem(file, 0, 0, "", f"{len(patterns)} entries", f"at most {MAX_ENTRIES}"))
    return patterns, problems
