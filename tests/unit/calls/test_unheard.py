"""What a session that takes over has to hear of the caller."""

from gateway.backends import contract as ai
from gateway.calls.unheard import UnheardTurn

QUIET, WORD = b"q", b"w"


def say(turn: UnheardTurn, words: str) -> None:
    """w: 20 ms of speech, q: 20 ms of silence."""
    for letter in words:
        turn.frame(letter.encode(), letter == "w")


def test_silence_is_nothing_to_hear() -> None:
    turn = UnheardTurn()
    say(turn, "q" * 1000)
    assert not turn.waiting
    assert turn.replay() == b""


def test_words_are_kept_with_a_moment_before_and_all_that_follows() -> None:
    turn = UnheardTurn()
    say(turn, "q" * 100 + "w" * 50 + "q" * 30)
    assert turn.waiting
    assert turn.replay() == QUIET * 15 + WORD * 50 + QUIET * 30
    assert turn.replay() == QUIET * 15 + WORD * 50 + QUIET * 30, "the next session may be lost, too"
    assert turn.replayed
    turn.understood()
    assert not turn.replayed


def test_words_before_the_conversation_are_not_heard_again() -> None:
    turn = UnheardTurn()
    turn.due = False
    say(turn, "w" * 50)
    assert turn.replay() == b""
    assert not turn.replayed
    turn.due = True
    assert turn.replay() == WORD * 50


def test_words_that_were_understood_are_not_heard_again() -> None:
    turn = UnheardTurn()
    say(turn, "w" * 50 + "q" * 30)
    turn.understood()
    assert turn.replay() == b""
    say(turn, "q" * 30 + "w" * 10)
    assert turn.replay() == QUIET * 15 + WORD * 10


def test_what_shows_that_the_service_has_understood() -> None:
    said = ai.Transcript("i1", ai.Utterance("caller", "yes"), final=True)
    for event, waits in (
        (said, False),
        (ai.ResponseDone("r1", "completed"), False),
        (ai.ResponseDone("r1", "failed"), True),
        (ai.Transcript("i1", ai.Utterance("caller", "ye"), final=False), True),
        (ai.Transcript("i2", ai.Utterance("agent", "well"), final=True), True),
    ):
        turn = UnheardTurn()
        say(turn, "w")
        turn.on_event(event)
        assert turn.waiting is waits, event


def test_the_services_word_counts_where_the_gateway_hears_no_speech() -> None:
    turn = UnheardTurn()
    say(turn, "q" * 40)
    turn.on_event(ai.SpeechStarted("i1"))
    say(turn, "q" * 20)
    assert len(turn.replay()) == 15 + 20
    assert not turn.audible
    say(turn, "w" * 9)
    assert not turn.audible
    say(turn, "w")
    assert turn.audible


def test_a_short_noise_is_no_speech_that_another_service_will_hear() -> None:
    turn = UnheardTurn()
    say(turn, "w" * 9 + "q" * 100)
    assert turn.waiting
    assert not turn.audible
    turn.understood()
    say(turn, "w")
    assert not turn.audible


def test_a_noise_that_no_service_answers_is_forgotten() -> None:
    turn = UnheardTurn()
    say(turn, "w" * 5 + "q" * 299)
    assert turn.waiting
    say(turn, "q")
    assert turn.replay() == b""


def test_words_to_others_are_not_kept() -> None:
    turn = UnheardTurn()
    say(turn, "w" * 20)
    turn.listening = False
    say(turn, "w" * 20)
    turn.on_event(ai.SpeechStarted("i1"))
    assert turn.replay() == b""
    turn.listening = True
    turn.understood()
    say(turn, "w")
    assert turn.replay() == WORD


def test_of_an_endless_turn_the_end_is_kept() -> None:
    turn = UnheardTurn()
    say(turn, "q" * 20 + "w" * 2000)
    assert turn.replay() == WORD * 750
