"""Files beside the plan, cases, and what is not known."""

import struct
from pathlib import Path

import pytest

from gateway.dialplan.surroundings import UNKNOWN
from tests.unit.dialplan.plans import SURROUNDINGS, load, mistakes, one, two, write_wav


def wav_bytes(form: int, *, bits: int = 16, rate_hz: int = 8000, audio: bytes = bytes(32)) -> bytes:
    """A WAV file (RFC 2361) of this format number."""
    head = struct.pack("<HHIIHH", form, 1, rate_hz, rate_hz * bits // 8, max(1, bits // 8), bits)
    body = b"WAVE" + _chunk(b"fmt ", head) + _chunk(b"data", audio)
    return _chunk(b"RIFF", body)


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content


def test_hidden_files_of_editors_are_no_part_of_a_plan(tmp_path: Path) -> None:
    (tmp_path / ".#main.yaml").symlink_to("somebody@somewhere:1")
    (tmp_path / "._main.yaml").write_bytes(b"\0\5")
    assert [route.name for route in load(tmp_path, one("[ai]")).routes] == ["r"]


def test_what_lies_outside_is_not_checked_without_a_configuration(tmp_path: Path) -> None:
    do = "[{ai: anybody}, {bridge: ['sip:1@anywhere', 'webrtc:someone']}]"
    load(tmp_path, one(do), UNKNOWN)
    assert len(mistakes(tmp_path, one(do))) == 3


def test_sound_files_and_lists(tmp_path: Path) -> None:
    write_wav(tmp_path / "hello.wav")
    (tmp_path / "vip.csv").write_text("number\n1*2\n")
    text = one("[{play: {file: hello.wav}}]", "lists: {vip: [{file: vip.csv}]}")
    assert mistakes(tmp_path, text) == ['vip.csv:2:1: found "1*2", expected at most one *, at the end']
    (tmp_path / "vip.csv").write_text("number\n1*\n")
    assert load(tmp_path, text).digest != ""


def test_the_digest_is_that_of_all_files(tmp_path: Path) -> None:
    first = load(tmp_path, one("[ai]"))
    again = load(tmp_path, one("[ai]"), SURROUNDINGS)
    other = load(tmp_path, one("[ai]") + "# a comment\n")
    assert first.digest == again.digest != other.digest


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (b"", "an empty or incomplete file"),
        (b"ID3\4" + bytes(400), "no WAV file"),
        (b"RIFF\x24\0\0\0WAVE", "no WAV file"),
        (wav_bytes(7), "a WAV file of µ-law"),
        (wav_bytes(3, bits=32), "a WAV file of floating-point samples"),
        (wav_bytes(85, bits=0), "a WAV file of MP3"),
        (wav_bytes(1, bits=8), "a WAV file of 8 bit"),
        (wav_bytes(1, bits=24), "a WAV file of 24 bit"),
        (wav_bytes(1, rate_hz=800), "a WAV file of 800 Hz"),
        (wav_bytes(1, audio=b""), "a WAV file without audio"),
    ],
)
def test_what_is_no_playable_sound(tmp_path: Path, written: bytes, said: str) -> None:
    (tmp_path / "x.wav").write_bytes(written)
    expected = f'found "x.wav", {said}, expected a WAV file of 16 bit PCM, 4000 to 192000 Hz, mono or stereo'
    first, second = mistakes(tmp_path, one("[{play: {file: x.wav}}]", "prompts: {p: {file: x.wav}}"))
    assert first.endswith(f"routes[0].do[0].play.file: {expected}")
    assert second.endswith(f"prompts.p.file: {expected}")


def test_a_directory_is_no_sound(tmp_path: Path) -> None:
    (tmp_path / "x.wav").mkdir()
    (line,) = mistakes(tmp_path, one("[{play: {file: x.wav}}]"))
    assert 'found "x.wav", and there is no such file' in line


def test_a_case_without_time_must_not_depend_on_it(tmp_path: Path) -> None:
    text = two("{hours: h}", '{to: "*"}') + "cases: [{to: '1', expect: {route: a}}]"
    (line,) = mistakes(tmp_path, text)
    assert line.endswith(
        "cases[0]: found a case without at, expected a time, "
        'at: "2026-12-24 11:00", because route "a" has hours'
    )


def test_a_case_says_why_the_expected_route_does_not_match(tmp_path: Path) -> None:
    text = (
        two('{to: "2"}', '{to: "*"}')
        + "cases: [{to: '1', expect: {route: a}}, {to: '1', expect: {route: nine}}]"
    )
    first, second = mistakes(tmp_path, text)
    assert first.endswith('found route "b", expected route "a"; a: to is 1, not 2')
    assert second.endswith('expected route "nine"; there is no such route')
