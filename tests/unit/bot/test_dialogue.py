"""The dialogue engine: ways through a small dialogue and through the shipped one."""

import json

import pytest

from gateway.bot.cast import Part
from gateway.bot.dialogue import CONFIRM_GRAMMAR, Conversation, Reply, ToolCall, fixed_sentences, grammars
from gateway.bot.dialogue_file import DialogueFile

FAILED = json.dumps({"error": "nobody there"})


@pytest.fixture
def dialogue(reception: Part) -> DialogueFile:
    return reception.dialogue


@pytest.fixture
def talk(dialogue: DialogueFile) -> Conversation:
    conversation = Conversation(dialogue)
    conversation.greet()
    return conversation


def said(reply: Reply) -> str:
    return " ".join(reply.say)


def question(talk: Conversation) -> str:
    """What the bot asks where it stands."""
    return said(talk.ask())


def test_the_greeting_ends_with_the_first_question(dialogue: DialogueFile) -> None:
    conversation = Conversation(dialogue)
    before = conversation.greeted
    greeting = conversation.ask()
    assert (before, conversation.greeted) == (False, True)
    assert greeting.say[0].startswith("Hello")
    assert greeting.say[-1].startswith("Which department")
    assert conversation.ask().say == greeting.say[-1:]


def test_a_confirmed_wish_is_carried_out(talk: Conversation) -> None:
    assert said(talk.heard("i need billing please")) == "You said billing. Shall I put you through?"
    assert talk.grammar == CONFIRM_GRAMMAR
    reply = talk.heard("yes please")
    assert reply == Reply(
        ("Connecting you to billing.",), ToolCall("transfer_call", json.dumps({"target": "billing"}))
    )


def test_a_refused_wish_is_asked_again(talk: Conversation) -> None:
    talk.heard("support")
    assert said(talk.heard("no")).startswith("I am sorry. Which department")
    assert talk.grammar == "state department"


def test_a_failed_transfer_goes_on(talk: Conversation) -> None:
    talk.heard("billing")
    talk.heard("yes")
    assert said(talk.tool_answered(FAILED)).startswith("I am sorry, everybody in billing is busy.")
    assert talk.grammar == "state anything_else"


@pytest.mark.parametrize("output", ['{"ok": true}', "done", "[]", "{}"])
def test_a_successful_transfer_says_nothing_more(talk: Conversation, output: str) -> None:
    talk.heard("billing")
    talk.heard("yes")
    assert talk.tool_answered(output) == Reply()


def test_a_result_nobody_waits_for_is_ignored(talk: Conversation) -> None:
    assert talk.tool_answered(FAILED) == Reply()


def test_goodbye_ends_the_call_from_everywhere(talk: Conversation) -> None:
    talk.heard("billing")
    reply = talk.heard("thank you goodbye")
    assert said(reply) == "Thank you for calling. Goodbye."
    assert reply.call is not None
    assert reply.call.name == "end_call"


def test_keys_mean_what_the_words_mean(talk: Conversation) -> None:
    assert said(talk.pressed("1")).startswith("You said billing.")
    # While a question is open, 1 is yes.
    reply = talk.pressed("1")
    assert reply.call is not None
    assert json.loads(reply.call.arguments) == {"target": "billing"}


def test_an_unknown_key_is_a_miss(talk: Conversation) -> None:
    assert said(talk.pressed("8")).startswith("Sorry, I did not catch that.")


def test_misses_are_asked_in_other_words_until_the_bot_gives_up(talk: Conversation) -> None:
    first, second, third = (talk.heard("") for _ in range(3))
    assert said(first).startswith("Sorry, I did not catch that.")
    assert said(second).startswith("I still did not understand.")
    assert third.call == ToolCall("transfer_call", json.dumps({"target": "operator"}))


def test_being_understood_resets_the_misses(talk: Conversation) -> None:
    talk.heard("")
    talk.heard("opening hours")
    assert said(talk.heard("")).startswith("Sorry")


def test_a_miss_while_confirming_asks_the_same_again(talk: Conversation) -> None:
    talk.heard("billing")
    assert said(talk.heard("")) == "You said billing. Shall I put you through?"
    assert talk.heard("yes").call is not None


def test_repeat_says_the_last_words_again_and_keeps_the_question_open(talk: Conversation) -> None:
    asked = talk.heard("billing")
    assert talk.heard("say that again please") == asked
    assert talk.grammar == CONFIRM_GRAMMAR


def test_a_question_cut_short_is_asked_again(talk: Conversation) -> None:
    asked = question(talk)
    talk.overheard(0)
    assert said(talk.heard("hold on please")) == f"Of course. {asked}"
    assert said(talk.heard("hold on please")) == "Of course."


def test_a_question_heard_to_its_end_is_not_asked_again(talk: Conversation) -> None:
    talk.overheard(len(talk.ask().say))
    assert said(talk.heard("hold on please")) == "Of course."


def test_not_understanding_who_cut_in_is_no_miss(talk: Conversation) -> None:
    asked = question(talk)
    talk.overheard(0)
    assert said(talk.heard("")) == asked
    assert said(talk.heard("")).startswith("Sorry")


def test_the_longest_phrase_wins(talk: Conversation) -> None:
    talk.heard("opening hours")
    # "no thank you" has "no" in it, "thank you goodbye" neither.
    reply = talk.heard("thank you goodbye")
    assert reply.call is not None
    assert json.loads(reply.call.arguments) == {"reason": "the caller said goodbye"}


def test_typed_words_are_understood_too(talk: Conversation) -> None:
    assert said(talk.heard("BILLING, please!")).startswith("You said billing.")
    assert said(talk.heard("rebilling")).startswith("You said billing. Shall")


def test_every_grammar_that_is_asked_for_exists(dialogue: DialogueFile, talk: Conversation) -> None:
    names = grammars(dialogue)
    assert talk.grammar in names
    talk.heard("billing")
    assert talk.grammar in names
    assert "yes please" in names[CONFIRM_GRAMMAR]
    assert "billing" not in names[CONFIRM_GRAMMAR]
    assert all("goodbye" in phrases for phrases in names.values())


def test_everything_said_is_known_ahead(dialogue: DialogueFile, talk: Conversation) -> None:
    known = set(fixed_sentences(dialogue))
    replies = [Conversation(dialogue).greet()]
    replies += [talk.heard(text) for text in ("", "help", "billing", "no", "support", "yes")]
    replies += [talk.tool_answered(FAILED), talk.heard("opening hours"), talk.heard("goodbye")]
    assert {sentence for reply in replies for sentence in reply.say} <= known
