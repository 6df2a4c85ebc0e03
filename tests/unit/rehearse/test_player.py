"""A caller that follows its script, frame by frame."""

import numpy as np
import pytest

from gateway.media.g711 import rms, ulaw_decode, ulaw_encode
from gateway.rehearse.clips import clip_of
from gateway.rehearse.player import EVENT_TYPE, Frame, Player, is_loud
from gateway.rehearse.script import Act, Clip, Kind, Listen, Over, Press, Quiet, Say, Script
from tests.unit.rehearse.lines import voice

LOUD = ulaw_encode(np.rint(voice(0.1)[320:480]).astype("<i2").tobytes())
SILENT = b"\xff" * 160


class Line:
    """A player and an agent that speaks when told, on a clock of 20 ms."""

    def __init__(self, *acts: Act, background: bytes = b"") -> None:
        self.player = Player(Script("test", acts, background))
        self.now = 50.0
        self.frames: list[Frame] = []

    def run(self, seconds: float, *, agent: bool = False) -> "Line":
        """Both for so long."""
        for _ in range(round(seconds * 50)):
            self.now += 0.02
            self.player.on_agent(LOUD if agent else SILENT, self.now)
            self.frames.append(self.player.frame(self.now))
        return self

    def said(self) -> list[tuple[str, int]]:
        """Kinds, and the frames with which they began."""
        return [(each.kind, each.first_frame) for each in self.player.spoken]


def _clip(kind: Kind = "speech", duration_s: float = 0.5) -> Clip:
    return clip_of(kind, "a sound", voice(duration_s))


def test_listening_ends_when_the_agent_has_spoken_and_is_silent() -> None:
    line = Line(Listen(), Say(_clip())).run(1).run(2, agent=True)
    assert line.said() == []
    line.run(0.6)
    assert line.said() == []
    line.run(0.3)
    ((kind, first),) = line.said()
    assert kind == "speech"
    assert 3.6 <= first / 50 <= 3.9


def test_an_agent_that_says_nothing_is_not_waited_for_for_ever() -> None:
    line = Line(Listen(within_s=3), Say(_clip())).run(4)
    assert line.said()[0][1] / 50 == pytest.approx(3, abs=0.1)


def test_what_is_said_goes_out_whole_and_then_there_is_silence() -> None:
    clip = _clip()
    line = Line(Say(clip)).run(1)
    pcm = b"".join(ulaw_decode(frame.payload) for frame in line.frames)
    assert pcm[: len(clip.pcm)] == clip.pcm
    assert not any(pcm[len(clip.pcm) :])
    assert line.player.finished


def test_a_sound_into_the_agents_speech_waits_for_it() -> None:
    line = Line(Over(_clip("noise"), after_s=1.0)).run(2).run(0.9, agent=True)
    assert line.said() == []
    line.run(0.3, agent=True)
    ((_, first),) = line.said()
    assert first / 50 == pytest.approx(3, abs=0.1)
    assert line.player.spoken[0].over


def test_the_next_one_counts_from_the_end_of_the_one_before() -> None:
    line = Line(Over(_clip("noise"), 1.0), Over(_clip("noise"), 1.0)).run(6, agent=True)
    (_, first), (_, second) = line.said()
    assert (second - first) / 50 == pytest.approx(1.0 + len(_clip().pcm) / 16000, abs=0.1)


def test_it_is_left_out_when_the_agent_does_not_speak() -> None:
    line = Line(Over(_clip("noise"), after_s=1.0, within_s=2.0), Say(_clip())).run(4)
    assert [kind for kind, _ in line.said()] == ["speech"]
    assert line.player.skipped == 1


def test_silence_is_kept_and_noted() -> None:
    line = Line(Quiet(2.0), Say(_clip())).run(1).run(0.5, agent=True).run(2)
    ((begin, end),) = line.player.quiet
    assert end - begin == pytest.approx(2, abs=0.05)
    assert line.said()[0][1] / 50 == pytest.approx(2, abs=0.1)


def test_a_key_is_an_event_with_one_timestamp_and_three_ends() -> None:
    line = Line(Press("#")).run(0.5)
    events = [frame for frame in line.frames if frame.payload_type == EVENT_TYPE]
    assert {frame.payload[0] for frame in events} == {11}
    assert [frame.begun_ago for frame in events] == list(range(9))
    assert [frame.payload[1] >> 7 for frame in events] == [0] * 6 + [1] * 3
    assert [int.from_bytes(frame.payload[2:4], "big") for frame in events] == [
        *(160 * n for n in range(1, 7)),
        960,
        960,
        960,
    ]


def test_an_echo_is_the_agents_voice_25_db_lower_and_later() -> None:
    clip = clip_of("echo", "", np.zeros(8000, np.float32), echo_ms=100.0)
    line = Line(Over(clip, 0.5)).run(1.0, agent=True).run(0.5)
    begin = line.said()[0][1]
    loud = [n for n, frame in enumerate(line.frames) if rms(ulaw_decode(frame.payload)) > 20]
    assert loud[0] == begin
    assert loud[-1] == pytest.approx(50 + 4, abs=1)
    ratio = rms(ulaw_decode(line.frames[begin].payload)) / rms(ulaw_decode(LOUD))
    assert 20 * np.log10(ratio) == pytest.approx(-25, abs=0.5)


def test_noise_in_the_background_is_under_everything() -> None:
    random = np.random.default_rng(1)
    noise = (random.standard_normal(8000) * 300).astype("<i2").tobytes()
    line = Line(Listen(within_s=0.5), Say(_clip()), background=noise).run(2)
    levels = [rms(ulaw_decode(frame.payload)) for frame in line.frames]
    assert min(levels) > 200
    assert max(levels) > 2000


def test_line_noise_is_not_loud() -> None:
    random = np.random.default_rng(1)
    assert is_loud(LOUD)
    assert not is_loud(ulaw_encode((random.standard_normal(160) * 30).astype("<i2").tobytes()))
    assert not is_loud(SILENT)
