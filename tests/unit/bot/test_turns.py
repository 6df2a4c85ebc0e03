"""Turn taking on sequences of speech probabilities."""

from collections.abc import Sequence

from gateway.bot.turns import CHUNK_MS, GUARD_CHUNKS, MAX_TURN_MS, ONSET_CHUNKS, Change, TurnTracker


def tracker(*, silence_ms: int = 300) -> TurnTracker:
    return TurnTracker(threshold=0.5, silence_duration_ms=silence_ms)


def changes(
    turns: TurnTracker, probabilities: Sequence[float], *, guarded: bool = False
) -> list[tuple[int, Change]]:
    """Changes with the chunk at which they were found."""
    found = []
    for index, probability in enumerate(probabilities):
        change = turns.push(probability, guarded=guarded)
        if change is not None:
            found.append((index, change))
    return found


def test_a_turn_starts_at_the_second_chunk_of_speech() -> None:
    turns = tracker()
    assert changes(turns, [0.0, 0.0, 0.9, 0.9]) == [(3, "started")]
    assert turns.onset_ms == 2 * CHUNK_MS
    assert turns.speaking


def test_one_loud_chunk_is_no_turn() -> None:
    assert changes(tracker(), [0.0, 0.9, 0.1, 0.9, 0.1]) == []


def test_while_the_bot_is_heard_more_is_asked_for() -> None:
    echo = [0.6] * 20
    assert changes(tracker(), echo, guarded=True) == []
    assert changes(tracker(), echo) == [(ONSET_CHUNKS - 1, "started")]
    assert changes(tracker(), [0.7] * 20, guarded=True) == [(GUARD_CHUNKS - 1, "started")]
    assert GUARD_CHUNKS * CHUNK_MS == 128


def test_a_turn_ends_after_the_silence() -> None:
    turns = tracker(silence_ms=300)
    assert changes(turns, [0.9] * 5 + [0.0] * 20) == [(1, "started"), (13, "stopped")]
    assert 9 * CHUNK_MS == 288
    assert not turns.speaking


def test_a_pause_between_words_does_not_end_it() -> None:
    assert changes(tracker(), [0.9] * 5 + [0.0] * 8 + [0.9] + [0.0] * 8) == [(1, "started")]


def test_a_fading_syllable_counts_as_speech() -> None:
    assert changes(tracker(), [0.9] * 5 + [0.4] * 20) == [(1, "started")]
    assert changes(tracker(), [0.9] * 5 + [0.3] * 20) == [(1, "started"), (13, "stopped")]


def test_a_second_turn_needs_a_new_onset() -> None:
    turns = tracker(silence_ms=100)
    quiet = [0.0] * 3
    assert changes(turns, [0.9, 0.9, *quiet, 0.9, 0.9, *quiet]) == [
        (1, "started"),
        (4, "stopped"),
        (6, "started"),
        (9, "stopped"),
    ]
    assert turns.audio_ms == 10 * CHUNK_MS


def test_endless_noise_is_cut() -> None:
    chunks = MAX_TURN_MS // CHUNK_MS + 2
    assert changes(tracker(), [0.9] * chunks)[1][1] == "stopped"


def test_settings_change_within_a_turn() -> None:
    turns = tracker(silence_ms=3000)
    assert changes(turns, [0.9] * 3 + [0.0] * 10) == [(1, "started")]
    turns.configure(threshold=0.5, silence_duration_ms=100)
    assert changes(turns, [0.0]) == [(0, "stopped")]
