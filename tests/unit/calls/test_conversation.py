"""Who said what, in order."""

import pytest

from gateway.backends.contract import Utterance
from gateway.calls.conversation import MAX_REPLAY, Conversation


def caller(text: str) -> Utterance:
    return Utterance("caller", text)


def agent(text: str) -> Utterance:
    return Utterance("agent", text)


def test_words_that_come_late_stand_where_they_were_said() -> None:
    conversation = Conversation()
    conversation.caller_finished("1")
    conversation.add("2", agent("which one?"))
    conversation.caller_finished("3")
    conversation.add("3", caller("the second"))
    conversation.add("1", caller("my bill"))
    assert conversation.utterances == (caller("my bill"), agent("which one?"), caller("the second"))


def test_turns_without_words_count_as_spoken() -> None:
    conversation = Conversation()
    seen = [(conversation.begun, conversation.caller_spoke_last)]
    conversation.add("1", agent("hello"))
    seen.append((conversation.begun, conversation.caller_spoke_last))
    conversation.caller_finished("2")
    seen.append((conversation.begun, conversation.caller_spoke_last))
    assert seen == [(False, False), (True, False), (True, True)]
    assert conversation.utterances == (agent("hello"),)


def test_a_turn_is_kept_once() -> None:
    conversation = Conversation()
    conversation.caller_finished("1")
    conversation.caller_finished("1")
    conversation.add("1", caller("a"))
    conversation.caller_finished("1")
    assert conversation.utterances == (caller("a"),)


@pytest.mark.parametrize("item_id", ["", "1"])
def test_several_texts_of_one_item_are_all_kept(item_id: str) -> None:
    conversation = Conversation()
    conversation.add(item_id, agent("one"))
    conversation.add(item_id, agent("two"))
    assert conversation.utterances == (agent("one"), agent("two"))


def test_the_last_utterances_are_kept() -> None:
    conversation = Conversation()
    for n in range(MAX_REPLAY + 5):
        conversation.add(str(n), caller(str(n)))
    assert len(conversation.utterances) == MAX_REPLAY
    assert conversation.utterances[-1] == caller(str(MAX_REPLAY + 4))


def test_a_restored_conversation_goes_on() -> None:
    conversation = Conversation([agent("hello"), caller("billing")])
    assert conversation.caller_spoke_last
    conversation.add("9", agent("sure"))
    assert len(conversation.utterances) == 3
