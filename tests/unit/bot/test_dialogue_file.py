"""Dialogue files: the one shipped is sound, and a faulty one is told everything at once."""

from pathlib import Path

import pytest

from gateway.bot.dialogue_file import DEFAULT_DIALOGUE, DialogueFile, load_dialogue, sentences
from gateway.bot.listen import pronunciations
from gateway.config.problems import ConfigError

SMALL = """\
greeting: Hello.
start: door
intents:
  open: {phrases: [open the door, open], key: "1"}
  close: {phrases: close_it_as_a_list_please}
states:
  door:
    ask: Open or close?
    intents:
      open: {say: It is open.}
"""


def load(tmp_path: Path, text: str) -> DialogueFile:
    path = tmp_path / "d.yaml"
    path.write_text(text)
    return load_dialogue(path, pronunciations().__contains__)


def problems(tmp_path: Path, text: str) -> list[tuple[int, str, str]]:
    """Line, key and what was found."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    return [(problem.line, problem.key, problem.found) for problem in caught.value.problems]


def test_the_dialogue_that_is_shipped_is_sound() -> None:
    dialogue = load_dialogue(DEFAULT_DIALOGUE, pronunciations().__contains__)
    assert dialogue.start == "department"
    tools = {action.call for _, action in dialogue.actions() if action.call}
    assert tools == {"transfer_call", "end_call"}


def test_shape_errors_come_all_at_once(tmp_path: Path) -> None:
    text = """\
greeting: 5
start: door
language: de
intents:
  open: {phrases: [Open It], key: "12"}
states:
  door: {ask: Open?, intnets: {}}
"""
    assert [(line, key) for line, key, _ in problems(tmp_path, text)] == [
        (1, "greeting"),
        (3, "language"),
        (5, "intents.open.phrases[0]"),
        (5, "intents.open.key"),
        (7, "states.door.intnets"),
    ]


def test_references_words_and_keys_are_checked_together(tmp_path: Path) -> None:
    text = """\
greeting: Hello.
start: dor
intents:
  open: {phrases: [opn the door], key: "1"}
  close: {phrases: [close], key: "1"}
carriers: {before: [i waaant]}
states:
  door:
    ask: Open or close?
    intents:
      open: {confirm: Really?, goto: windw}
      close: {}
      opne: {}
"""
    found = problems(tmp_path, text)
    assert {(line, key) for line, key, _ in found} >= {
        (2, "start"),
        (4, "intents.open.phrases[0]"),
        (5, "intents.close.key"),
        (6, "carriers.before[0]"),
        (11, "states.door.intents.open.goto"),
        (13, "states.door.intents.opne"),
    }


def test_a_missing_file_is_one_clear_problem(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: found No such file"):
        load_dialogue(tmp_path / "nowhere.yaml", pronunciations().__contains__)


def test_a_text_may_stand_alone_or_in_a_list(tmp_path: Path) -> None:
    dialogue = load(tmp_path, SMALL.replace("{phrases: close_it_as_a_list_please}", "{phrases: [close]}"))
    assert dialogue.greeting == ["Hello."]
    assert dialogue.states["door"].intents["open"].say == ["It is open."]


def test_texts_are_cut_into_sentences() -> None:
    assert sentences(["Hello there.  How are you?", "Say\nyes"]) == (
        "Hello there.",
        "How are you?",
        "Say yes",
    )
    assert sentences(["", "..."]) == ()


def test_the_example_of_the_manual_is_sound(tmp_path: Path) -> None:
    manual = (DEFAULT_DIALOGUE.parent / "README.md").read_text()
    example = next(part for part in manual.split("```yaml\n") if part.startswith("language:"))
    dialogue = load(tmp_path, example.split("```")[0])
    assert dialogue.states["order"].intents["pizza"].goto == "order"
