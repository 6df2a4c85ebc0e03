"""The callers' sounds."""

import numpy as np
import pytest

from gateway.media.levels import from_pcm
from gateway.rehearse.clips import (
    BACKCHANNELS,
    FAREWELL,
    INTERRUPTIONS,
    QUESTIONS,
    Speech,
    Wardrobe,
    clip_of,
    extent_ms,
)
from gateway.rehearse.script import Over
from gateway.rehearse.scripts import SCRIPTS
from tests.unit.rehearse.lines import voice

SPEECH = Speech(
    {text: (voice(0.2 + len(text) / 40),) for text in (*QUESTIONS, *INTERRUPTIONS, *BACKCHANNELS, FAREWELL)},
    "a tone",
)


def test_a_clip_knows_where_it_is_audible() -> None:
    sound = np.concatenate([np.zeros(800, np.float32), voice(0.5), np.zeros(1600, np.float32)])
    clip = clip_of("speech", "x", sound)
    assert [clip.onset_ms, clip.end_ms] == pytest.approx([100, 600], rel=0, abs=6)
    assert len(clip.pcm) % 320 == 0
    assert len(clip.pcm) >= 2 * (len(sound) + 480)
    assert extent_ms(np.zeros(800, np.float32)) == (0.0, 100.0)


@pytest.mark.parametrize("name", list(SCRIPTS))
def test_the_same_seed_makes_the_same_calls(name: str) -> None:
    first, again = (SCRIPTS[name](Wardrobe(SPEECH, 5, 3)) for _ in range(2))
    assert first == again
    assert first.name == name
    assert SCRIPTS[name](Wardrobe(SPEECH, 6, 3)) != first
    assert SCRIPTS[name](Wardrobe(SPEECH, 5, 4)) != first


def test_distractions_have_as_many_of_each_kind() -> None:
    acts = SCRIPTS["distractions"](Wardrobe(SPEECH, 1, 0)).acts
    kinds = [act.clip.kind for act in acts if isinstance(act, Over)]
    assert {kind: kinds.count(kind) for kind in kinds} == dict.fromkeys(
        ("backchannel", "noise", "keys", "echo", "nothing"), 5
    )


def test_sounds_are_audible_and_of_everyday_loudness() -> None:
    own = Wardrobe(SPEECH, 2, 0)
    for make in (own.backchannel, own.noise, own.keys, own.interruption, own.question):
        for _ in range(12):
            clip = make()
            sound = from_pcm(clip.pcm)
            assert 60 < np.abs(sound).max() <= 32768, clip.name
            assert 0 <= clip.onset_ms < clip.end_ms <= len(sound) / 8


def test_a_backchannel_is_never_longer_than_a_pause_may_take() -> None:
    own = Wardrobe(SPEECH, 2, 0)
    assert all(clip.end_ms - clip.onset_ms <= 600 for clip in (own.backchannel() for _ in range(40)))


def test_background_noise_is_so_much_below_the_voice() -> None:
    own = Wardrobe(SPEECH, 2, 0)
    words = from_pcm(own.question().pcm)
    noise = from_pcm(own.background(15.0))
    loud = words[np.abs(words) > 0]
    ratio = 10 * np.log10(np.mean(np.square(loud)) / np.mean(np.square(noise)))
    assert ratio == pytest.approx(15, abs=1)
