"""The noise floor and the echo guard on sequences of levels."""

from gateway.core.line_levels import EchoGuard, NoiseFloor

SECOND = 50
AGENT = 3000.0


def floor_after(*stretches: tuple[float, int]) -> NoiseFloor:
    floor = NoiseFloor()
    for level, frames in stretches:
        for _ in range(frames):
            floor.push(level)
    return floor


def test_a_quiet_line_asks_for_no_more_than_a_whisper() -> None:
    assert floor_after((0.0, SECOND)).gate == 60.0


def test_steady_noise_raises_the_gate_above_itself() -> None:
    assert 200 < floor_after((200.0, SECOND)).gate <= 600


def test_the_gate_follows_when_noise_begins_within_two_blocks() -> None:
    assert floor_after((10.0, 2 * SECOND), (200.0, 2 * SECOND)).gate > 200


def test_words_do_not_raise_it_while_there_are_pauses() -> None:
    floor = NoiseFloor()
    for _ in range(20):
        for level in [3000.0] * 15 + [20.0] * 3:
            floor.push(level)
    assert floor.gate == 60.0


def test_the_loudest_noise_leaves_a_voice_a_chance() -> None:
    assert floor_after((20000.0, 4 * SECOND)).gate == 1500.0


def gate_of(
    guard: EchoGuard, level: float, frames: int, *, audible: bool = True, teaches: bool = True
) -> float:
    gate = 0.0
    for _ in range(frames):
        gate = guard.push(level, audible, teaches)
    return gate


def test_without_an_agent_there_is_no_echo() -> None:
    assert gate_of(EchoGuard(), 50.0, SECOND, audible=False) == 0.0


def test_an_agent_nobody_showed_is_taken_for_a_loud_one() -> None:
    assert gate_of(EchoGuard(), 50.0, 3 * SECOND) == 650.0


def test_a_silent_agent_has_no_echo() -> None:
    guard = EchoGuard()
    guard.agent_levels([0.0] * SECOND)
    assert gate_of(guard, 50.0, SECOND) == 0.0


def test_at_first_twenty_decibels_below_the_agent_is_assumed() -> None:
    guard = EchoGuard()
    guard.agent_levels([AGENT] * SECOND)
    assert gate_of(guard, 100.0, 5) == AGENT * 0.1


def test_a_line_without_echo_is_learnt() -> None:
    guard = EchoGuard()
    guard.agent_levels([AGENT] * 2 * SECOND)
    assert gate_of(guard, 15.0, 2 * SECOND) == 30.0


def test_what_comes_back_stays_below_the_gate_and_passages_after_pauses_too() -> None:
    guard = EchoGuard()
    passages = ([AGENT] * 30 + [500.0] * 20) * 10
    guard.agent_levels(passages)
    for level in passages:
        assert guard.push(level * 0.056, True, True) > level * 0.056


def test_the_caller_teaches_nothing_about_the_echo() -> None:
    guard = EchoGuard()
    guard.agent_levels([AGENT] * 4 * SECOND)
    gate_of(guard, 15.0, SECOND)
    assert gate_of(guard, 5000.0, SECOND, teaches=False) == 30.0


def test_the_echo_of_the_last_word_comes_later_than_the_word() -> None:
    guard = EchoGuard()
    guard.agent_levels([AGENT] * SECOND)
    gate_of(guard, 10.0, 10)
    assert gate_of(guard, 10.0, 20, audible=False) > 0.0
    assert gate_of(guard, 10.0, 6, audible=False) == 0.0


def test_dropped_audio_has_no_echo() -> None:
    guard = EchoGuard()
    guard.agent_levels([AGENT] * 10 * SECOND)
    gate_of(guard, 10.0, 10)
    guard.drop_ahead()
    gate_of(guard, 10.0, 25)
    assert gate_of(guard, 10.0, 1) == 0.0
