"""The dialogue file: what the bot asks, understands, says and does. Checked as a whole when loaded.

See `dialogues/README.md` for the language.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Final

from pydantic import BeforeValidator, Field

from gateway.config.document import Document, KeyPath, parse_document
from gateway.config.problems import ConfigError, Problem
from gateway.config.section import Expected, Section
from gateway.config.validate import nearest, validate

DEFAULT_DIALOGUE: Final = Path(__file__).parent / "dialogues" / "reception.yaml"
"""The dialogue that comes with the gateway."""

_PHRASE: Final = r"^[a-z']+( [a-z']+)*$"
_NAME: Final = r"^[a-z][a-z0-9_]{0,31}$"
_SENTENCE: Final = re.compile(r"[^.!?…]+[.!?…]*")


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


Text = Annotated[str, Field(min_length=1, max_length=1000)]
Texts = Annotated[list[Text], BeforeValidator(_as_list)]
"""One text or a list of them; each is spoken sentence by sentence."""
Phrase = Annotated[str, Field(pattern=_PHRASE), Expected("words in small letters, such as opening hours")]
Name = Annotated[str, Field(pattern=_NAME), Expected("a name in small letters, such as opening_hours")]
Key = Annotated[str, Field(pattern=r"^[0-9*#]$"), Expected("one key of the phone in quotes, such as '1'")]


class Action(Section):
    """What happens when something was understood, in this order."""

    confirm: Text | None = None
    """Question to be answered with yes before anything else happens."""
    say: Texts = Field(default_factory=list)
    """What the bot says."""
    repeat: bool = False
    """Say again what was said last."""
    call: Name | None = None
    """Function of the gateway to call: transfer_call, end_call."""
    arguments: dict[str, str] = Field(default_factory=dict)
    """Arguments of the function."""
    if_failed: Texts = Field(default_factory=list)
    """What the bot says when the function reports an error."""
    goto: Name | None = None
    """State to go to; its question is asked. Default: stay."""


class Intent(Section):
    """Something a caller can mean."""

    phrases: Annotated[list[Phrase], Field(min_length=1)]
    """Ways to say it, without the carriers."""
    key: Key | None = None
    """Key of the phone that means the same."""


class State(Section):
    """A point of the conversation where the bot waits for an answer."""

    ask: Text
    """Question asked on entering, and again when it was not heard to its end."""
    again: Texts = Field(default_factory=list)
    """What to say when nothing was understood, first time, second time, ...; default: the question."""
    intents: dict[Name, Action] = Field(default_factory=dict)
    """What can be answered here."""


class CarrierWords(Section):
    """Words that may stand around every phrase; they help the recogniser and mean nothing."""

    before: list[Phrase] = Field(default_factory=list)
    """Such as `i need` or `talk to`."""
    after: list[Phrase] = Field(default_factory=list)
    """Such as `please`."""


class Confirmation(Section):
    """How `confirm` questions are answered."""

    agree: Name = "agree"
    """Intent that means yes."""
    refuse: Name = "refuse"
    """Intent that means no."""
    agree_key: Key | None = "1"
    """Key of the phone that means yes here."""
    refuse_key: Key | None = "2"
    """Key of the phone that means no here."""
    refused: Texts = Field(default_factory=list)
    """What the bot says after a no, before it asks the state's question again."""


class GiveUp(Section):
    """What happens when the caller is not understood again and again."""

    after: Annotated[int, Field(ge=1, le=20)] = 3
    """Misses in a row."""
    action: Action
    """What to do then."""


class DialogueFile(Section):
    """The whole file."""

    language: Annotated[
        str, Field(pattern=r"^en(-[A-Z]{2})?$"), Expected("en, or a region such as en-GB")
    ] = "en"
    """Language of the texts; recognition is English only."""
    greeting: Texts
    """Said first, before the question of the first state."""
    start: Name
    """First state."""
    intents: dict[Name, Intent]
    """Everything a caller can mean, by name."""
    carriers: CarrierWords = CarrierWords()
    """Words around the phrases."""
    confirmation: Confirmation = Confirmation()
    """Answers to `confirm`."""
    always: dict[Name, Action] = Field(default_factory=dict)
    """Understood in every state."""
    give_up: GiveUp | None = None
    """When nothing is understood; default: ask for ever."""
    states: Annotated[dict[Name, State], Field(min_length=1)]
    """The states by name."""

    def actions(self) -> Iterator[tuple[KeyPath, Action]]:
        """Every action with its place."""
        for name, action in self.always.items():
            yield ("always", name), action
        for state_name, state in self.states.items():
            for name, action in state.intents.items():
                yield ("states", state_name, "intents", name), action
        if self.give_up is not None:
            yield ("give_up", "action"), self.give_up.action


def load_dialogue(path: Path, has_pronunciation: Callable[[str], bool]) -> DialogueFile:
    """Read and check a file. Raises `ConfigError` with everything that is wrong, each with its place.

    has_pronunciation: whether the recogniser knows a word.
    """
    try:
        raw = path.read_bytes()
    except OSError as exc:
        problem = Problem(str(path), 0, 0, "", exc.strerror or str(exc), "a readable dialogue file")
        raise ConfigError([problem]) from exc
    document = parse_document(raw, str(path))
    dialogue = validate(DialogueFile, document)
    problems = [*_references(dialogue, document), *_words(dialogue, document, has_pronunciation)]
    problems += _keys(dialogue, document)
    if problems:
        raise ConfigError(problems)
    return dialogue


def _references(dialogue: DialogueFile, document: Document) -> Iterator[Problem]:
    """Names of states and intents that nothing defines."""

    def unknown(path: KeyPath, name: str, known: dict[str, object], what: str, at_key: bool) -> Problem:
        return document.problem(
            path,
            found=f'"{name}"',
            expected=f"one of the {what}: {', '.join(known)}",
            hint=nearest(name, known),
            at_key=at_key,
        )

    states: dict[str, object] = dict(dialogue.states)
    intents: dict[str, object] = dict(dialogue.intents)
    if dialogue.start not in states:
        yield unknown(("start",), dialogue.start, states, "states", False)
    for path, action in dialogue.actions():
        if action.goto is not None and action.goto not in states:
            yield unknown((*path, "goto"), action.goto, states, "states", False)
        if path[0] != "give_up" and str(path[-1]) not in intents:
            yield unknown(path, str(path[-1]), intents, "intents", True)
    asks = any(action.confirm for _, action in dialogue.actions())
    for field in ("agree", "refuse"):
        name = getattr(dialogue.confirmation, field)
        if asks and name not in intents:
            yield unknown(("confirmation", field), name, intents, "intents", False)


def _words(
    dialogue: DialogueFile, document: Document, has_pronunciation: Callable[[str], bool]
) -> Iterator[Problem]:
    """Phrases with words that the recogniser does not know."""
    places: list[tuple[KeyPath, str]] = [
        (("intents", name, "phrases", index), phrase)
        for name, intent in dialogue.intents.items()
        for index, phrase in enumerate(intent.phrases)
    ]
    for field in ("before", "after"):
        phrases = getattr(dialogue.carriers, field)
        places += [(("carriers", field, index), phrase) for index, phrase in enumerate(phrases)]
    for path, phrase in places:
        missing = [word for word in phrase.split() if not has_pronunciation(word)]
        if missing:
            yield document.problem(
                path,
                found=f'"{phrase}"',
                expected=f"words the recogniser can pronounce, not {', '.join(missing)}",
            )


def _keys(dialogue: DialogueFile, document: Document) -> Iterator[Problem]:
    """Intents of one state that share a key."""
    for state_name, state in dialogue.states.items():
        taken: dict[str, str] = {}
        for name in [*state.intents, *(name for name in dialogue.always if name not in state.intents)]:
            intent = dialogue.intents.get(name)
            if intent is None or intent.key is None:
                continue
            if intent.key in taken:
                yield document.problem(
                    ("intents", name, "key"),
                    found=f'"{intent.key}"',
                    expected=f"another key than that of {taken[intent.key]}, open in state {state_name} too",
                )
            taken.setdefault(intent.key, name)


def sentences(texts: list[str]) -> tuple[str, ...]:
    """The texts cut into sentences, which are synthesised and counted as heard one by one."""
    found = (match.strip() for text in texts for match in _SENTENCE.findall(" ".join(text.split())))
    return tuple(sentence for sentence in found if sentence)
