"""Speech grammars (JSGF) and pronunciation dictionaries from the phrases of a dialogue. Pure.

JSGF: Java Speech Grammar Format 1.0 (W3C note). Pronunciations are CMU dictionary entries.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

Pronunciations = Mapping[str, tuple[str, ...]]
"""ARPAbet phones of a word, one text for each way to say it."""


@dataclass(frozen=True, slots=True)
class Carriers:
    """Words around a phrase that make it easier to recognise: `I need (billing) please`."""

    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


def jsgf(phrases: Collection[str], carriers: Carriers) -> str:
    """A grammar of `phrases`, each with optional carriers. Words are lower case, space separated."""
    heads = _optional(carriers.before)
    tails = _optional(carriers.after)
    choice = " | ".join(sorted(set(phrases)))
    return f"#JSGF V1.0;\ngrammar phrases;\npublic <utterance> = {heads}( {choice} ){tails};\n"


def words_of(phrases: Iterable[str]) -> set[str]:
    """Every word used."""
    return {word for phrase in phrases for word in phrase.split()}


def dictionary(words: Collection[str], pronunciations: Pronunciations) -> str:
    """Text of a dictionary file with just these words. Raises `KeyError` for an unknown word."""
    lines = []
    for word in sorted(words):
        for index, phones in enumerate(pronunciations[word]):
            lines.append(f"{word}{f'({index + 1})' if index else ''} {phones}")
    return "\n".join(lines) + "\n"


def read_dictionary(lines: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Pronunciations from the lines of a CMU dictionary (`word(2) PH ON ES`)."""
    found: dict[str, tuple[str, ...]] = {}
    for line in lines:
        entry, _, phones = line.strip().partition(" ")
        word = entry.partition("(")[0]
        if word and phones:
            found[word] = (*found.get(word, ()), phones.strip())
    return found


def _optional(words: tuple[str, ...]) -> str:
    return f" [ {' | '.join(words)} ] " if words else " "
