"""Grammars and dictionaries from phrases."""

import pytest

from gateway.bot.grammar import Carriers, dictionary, jsgf, read_dictionary, words_of


def test_a_grammar_has_the_phrases_and_optional_carriers() -> None:
    text = jsgf(["opening hours", "billing"], Carriers(("i need", "talk to"), ("please",)))
    assert text.startswith("#JSGF V1.0;\n")
    assert "public <utterance> =  [ i need | talk to ] ( billing | opening hours ) [ please ] ;" in text
    assert "[" not in jsgf(["billing"], Carriers())


def test_a_dictionary_has_every_pronunciation_of_just_these_words() -> None:
    known = read_dictionary(["hours AW ER Z\n", "hours(2) AW R Z\n", "billing B IH L IH NG\n", "no N OW\n"])
    assert dictionary({"hours", "billing"}, known) == "billing B IH L IH NG\nhours AW ER Z\nhours(2) AW R Z\n"
    with pytest.raises(KeyError):
        dictionary({"unheard"}, known)


def test_words_of_phrases() -> None:
    assert words_of(["i need", "i want"]) == {"i", "need", "want"}
