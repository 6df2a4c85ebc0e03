"""Patterns for numbers: exact, beginnings, digit classes, ranges, regular expressions.

    +49305550100        exactly this number (or a name such as demo)
    +4930*              everything that begins so; alone, `*` is everything
    +4930555010X        X a digit, Z a digit from 1 to 9, N a digit from 2 to 9, as in Asterisk
    +49305550[1-3]XX    one of the digits in brackets
    +4930555010-49      a range: the last digits from 10 to 49; both ends may be written in full
    /^\\+49(30|89)/      a regular expression (RE2: linear in the input, so it cannot hang)

X, Z, N and brackets mean digits only where everything else in the pattern is a digit or `+`.
"""

import re
from dataclasses import dataclass
from typing import Final

import re2

from gateway.errors import LocalError

MAX_PATTERN_CHARS: Final = 256
MAX_SUBJECT_CHARS: Final = 256
"""Longer texts match nothing but `*`."""

_DIGITS: Final = "0123456789"
_CLASSES: Final = {"X": _DIGITS, "Z": "123456789", "N": "23456789"}
_DIGIT_PATTERN: Final = re.compile(r"\+?(?:[0-9XZN]|\[[0-9-]+\])+\*?")
_RANGE: Final = re.compile(r"(\+?)([0-9]{1,20})-(\+?)([0-9]{1,20})")
_REGEX_MAX_MEMORY_BYTES: Final = 1 << 20


class PatternError(LocalError):
    """A text is no pattern; the message says what was expected."""


@dataclass(frozen=True, slots=True)
class Positions:
    """A set of allowed characters for each position, and perhaps anything behind them."""

    text: str
    sets: tuple[str, ...]
    """Allowed characters by position."""
    is_open: bool
    """Anything may follow."""

    @property
    def literal(self) -> str:
        """What every matching text begins with."""
        fixed = 0
        while fixed < len(self.sets) and len(self.sets[fixed]) == 1:
            fixed += 1
        return "".join(self.sets[:fixed])

    @property
    def exact(self) -> bool:
        """Only `literal` itself matches."""
        return not self.is_open and all(len(each) == 1 for each in self.sets)

    def matches(self, subject: str) -> bool:
        """Whether the text fits."""
        if len(subject) < len(self.sets) or (len(subject) > len(self.sets) and not self.is_open):
            return False
        return all(char in allowed for char, allowed in zip(subject, self.sets, strict=False))

    def covers(self, other: "Pattern") -> bool:
        """Whether everything that fits `other` surely fits this one."""
        if not isinstance(other, Positions):
            return self.is_open and not self.sets
        if len(self.sets) > len(other.sets) or (other.is_open and not self.is_open):
            return False
        if len(self.sets) < len(other.sets) and not self.is_open:
            return False
        return all(set(theirs) <= set(ours) for ours, theirs in zip(self.sets, other.sets, strict=False))

    def overlaps(self, other: "Pattern") -> bool:
        """Whether some text surely fits both."""
        if not isinstance(other, Positions):
            return False
        short, long = sorted((self, other), key=lambda each: len(each.sets))
        if len(short.sets) < len(long.sets) and not short.is_open:
            return False
        return all(set(one) & set(two) for one, two in zip(short.sets, long.sets, strict=False))


@dataclass(frozen=True, slots=True)
class Regex:
    """A regular expression, searched in the text."""

    text: str
    compiled: "re2._Regexp"
    literal: str = ""
    exact: bool = False

    def matches(self, subject: str) -> bool:
        """Whether the text fits."""
        return len(subject) <= MAX_SUBJECT_CHARS and self.compiled.search(subject) is not None

    def covers(self, other: "Pattern") -> bool:
        """As for `Positions`; known for the same expression and single numbers only."""
        return other.text == self.text or (other.exact and self.matches(other.literal))

    def overlaps(self, other: "Pattern") -> bool:
        """As for `Positions`; known for the same expression and single numbers only."""
        return self.covers(other)


Pattern = Positions | Regex
"""One pattern for a text."""


def parse_pattern(text: str) -> tuple[Pattern, ...]:
    """The pattern or, for a range, the patterns that a text means. Raises `PatternError`."""
    if not text or len(text) > MAX_PATTERN_CHARS:
        raise PatternError(f"a pattern of 1 to {MAX_PATTERN_CHARS} characters")
    if len(text) > 2 and text.startswith("/") and text.endswith("/"):
        return (_regex(text),)
    if (match := _RANGE.fullmatch(text)) is not None:
        return _range(text, match)
    if _DIGIT_PATTERN.fullmatch(text):
        return (_digit_pattern(text),)
    if "*" in text[:-1]:
        raise PatternError("at most one *, at the end")
    if any(char.isspace() or not char.isprintable() for char in text):
        raise PatternError("a pattern without spaces")
    is_open = text.endswith("*")
    return (Positions(text, tuple(text[:-1] if is_open else text), is_open),)


def _regex(text: str) -> Regex:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _REGEX_MAX_MEMORY_BYTES
    try:
        return Regex(text, re2.compile(text[1:-1], options))
    except re2.error as exc:
        said = exc.args[0] if exc.args else "not understood"
        words = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        raise PatternError(f"a regular expression between two / ({words})") from exc


def _digit_pattern(text: str) -> Positions:
    is_open = text.endswith("*")
    sets: list[str] = []
    for part in re.findall(r"\[[0-9-]+\]|.", text.removesuffix("*")):
        sets.append(_bracket(part[1:-1]) if len(part) > 1 else _CLASSES.get(part, part))
    return Positions(text, tuple(sets), is_open)


def _bracket(inside: str) -> str:
    digits: set[str] = set()
    for part in re.findall(r"[0-9]-[0-9]|.", inside):
        if part == "-":
            raise PatternError("digits or a range of digits in the brackets, such as [1-3] or [147]")
        low, high = part[0], part[-1]
        if low > high:
            raise PatternError(f"the smaller digit first, [{high}-{low}]")
        digits |= set(_DIGITS[int(low) : int(high) + 1])
    return "".join(sorted(digits))


def _range(text: str, match: re.Match[str]) -> tuple[Positions, ...]:
    plus, low, plus_again, end = match.groups()
    if plus_again and (not plus or len(end) != len(low)):
        raise PatternError("both ends of a range written alike, such as +49301000-+49301999")
    if len(end) > len(low):
        raise PatternError("a range whose end is no longer than its beginning, such as +493010-49")
    high = low[: len(low) - len(end)] + end
    if low > high:
        raise PatternError("a range with the smaller number first")
    return tuple(Positions(text, (*plus, *sets), is_open=False) for sets in _cover(low, high))


def _cover(low: str, high: str) -> list[tuple[str, ...]]:
    """Digit classes that together are exactly the numbers from `low` to `high`, of equal length."""
    if not low:
        return [()]
    if low[0] == high[0]:
        return [(low[0], *rest) for rest in _cover(low[1:], high[1:])]
    zeros, nines = "0" * (len(low) - 1), "9" * (len(low) - 1)
    found: list[tuple[str, ...]] = []
    first, last = int(low[0]), int(high[0])
    if low[1:] != zeros:
        found += [(low[0], *rest) for rest in _cover(low[1:], nines)]
        first += 1
    upper = []
    if high[1:] != nines:
        upper = [(high[0], *rest) for rest in _cover(zeros, high[1:])]
        last -= 1
    if first <= last:
        found.append((_DIGITS[first : last + 1], *([_DIGITS] * (len(low) - 1))))
    return found + upper
