from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.softphone import script
from gateway.softphone.script import ScriptError, parse_script, parse_step, recordings_of


def test_every_step_of_a_script_is_read() -> None:
    text = """
    hear 5           # the greeting
    interrupt "hold on.wav" 300
    silence
    say ask.wav
    tone 1000 500
    dtmf 12#
    pause 0.5
    hold
    resume
    hangup
    ended 3
    """
    assert parse_script(text) == (
        script.Hear(5.0),
        script.Interrupt("hold on.wav", 300),
        script.Silence(),
        script.Say("ask.wav"),
        script.Tone(1000.0, 500),
        script.PressKeys("12#"),
        script.Pause(0.5),
        script.Hold(True),
        script.Hold(False),
        script.Hangup(),
        script.Ended(3.0),
    )


@pytest.mark.parametrize(
    "line",
    ["say", "say a b", "hear soon", "hear -1", "hear nan", "dtmf 12x", "dtmf", "pause", "tone", "hold on"],
)
def test_a_bad_line_is_named_with_what_was_expected(line: str) -> None:
    with pytest.raises(ScriptError, match=r"line 2: expected '\w+"):
        parse_script(f"hear\n{line}\n")


def test_an_unknown_step_is_named_with_the_known_ones() -> None:
    with pytest.raises(ScriptError, match="line 1: unknown step 'shout', expected one of hear,"):
        parse_script("shout loud")


def test_a_hash_key_is_no_comment() -> None:
    assert parse_script("dtmf #\ndtmf 5# # and the end key") == (
        script.PressKeys("#"),
        script.PressKeys("5#"),
    )


def test_comments_and_empty_lines_are_no_steps() -> None:
    assert parse_step("   # nothing") is None
    assert parse_script("\n\n# a\n") == ()


def test_recordings_are_listed_once() -> None:
    assert recordings_of(parse_script("say a.wav\ninterrupt b.wav\nsay a.wav")) == ("a.wav", "b.wav")


@given(st.text())
def test_nothing_but_script_error_comes_out(text: str) -> None:
    with suppress(ScriptError):
        parse_script(text)
