"""Turn taking on recorded words and other sounds, at every rate of a leg, in a time of its own."""

import wave
from importlib.resources import files

import numpy as np
import pytest

from gateway.config.barge_in import BargeInConfig
from gateway.core.turn_events import (
    BargeIn,
    CallerSpeechStarted,
    CallerSpeechStopped,
    PauseBot,
    ResumeBot,
    TurnEvent,
)
from gateway.media.g711 import scaled
from gateway.media.resampler import Resampler
from gateway.media.turn_taking import TurnTaking
from tests.sounds import tone

RATES = [8000, 16000, 24000]
GATEWAY_ONLY = BargeInConfig(by="gateway")


def recording(name: str) -> bytes:
    path = files("gateway.softphone") / "speech" / f"{name}.wav"
    with path.open("rb") as file, wave.open(file) as reader:
        return bytes(reader.readframes(reader.getnframes()))


def hiss(duration_ms: int, rms: float) -> bytes:
    noise = np.random.default_rng(1).normal(0, rms, duration_ms * 8)
    return noise.astype("<i2").tobytes()


def silence(duration_ms: int) -> bytes:
    return hiss(duration_ms, 8.0)


class Line:
    """A caller's line; `hear` returns events with their time since the line was opened."""

    def __init__(self, policy: BargeInConfig = GATEWAY_ONLY, rate_hz: int = 8000) -> None:
        self.now = 0.0
        self.rate_hz = rate_hz
        self.bot = False
        self.paused = False
        """Whether the last `PauseBot` waits for its `ResumeBot` or `BargeIn`."""
        self.turns = TurnTaking(policy, rate_hz, lambda: self.now)

    def hear(self, pcm: bytes) -> list[tuple[int, TurnEvent]]:
        """pcm: at 8 kHz."""
        pcm = Resampler(8000, self.rate_hz).process(pcm)
        size = self.rate_hz // 50 * 2
        found = []
        for at in range(0, len(pcm) - size + 1, size):
            self.now += 0.02
            for event in self.turns.on_frame(pcm[at : at + size], concealed=False, bot_audible=self.bot):
                found.append((round(self.now * 1000), event))
                self.follow(event)
                if isinstance(event, BargeIn):
                    self.bot = False
                    self.turns.on_flushed()
        return found

    def follow(self, *events: TurnEvent) -> None:
        """What is done with the agent's audio."""
        for event in events:
            if isinstance(event, PauseBot | ResumeBot | BargeIn):
                self.paused = isinstance(event, PauseBot)


def first(kind: type[TurnEvent], events: list[tuple[int, TurnEvent]]) -> int:
    return next(at for at, event in events if isinstance(event, kind))


@pytest.mark.parametrize("rate_hz", RATES)
def test_a_turn_in_silence(rate_hz: int) -> None:
    line = Line(rate_hz=rate_hz)
    words = recording("ask_billing")
    events = line.hear(silence(500) + words + silence(600))
    assert [type(event) for _, event in events] == [CallerSpeechStarted, CallerSpeechStopped]
    assert 500 < first(CallerSpeechStarted, events) <= 660
    end_ms = 500 + len(words) / 16
    assert end_ms < first(CallerSpeechStopped, events) < end_ms + 400


@pytest.mark.parametrize("rate_hz", RATES)
@pytest.mark.parametrize("name", ["ask_billing", "interrupt", "yes_please", "goodbye"])
def test_words_pause_the_agent_soon(name: str, rate_hz: int) -> None:
    line = Line(rate_hz=rate_hz)
    line.bot = True
    events = line.hear(silence(1000) + recording(name) + silence(300))
    assert 1000 < first(PauseBot, events) <= 1000 + 140


def test_the_agents_echo_does_nothing() -> None:
    line = Line()
    line.bot = True
    agent = recording("ask_billing") * 3
    line.turns.on_agent_audio(agent, 8000)
    echo = scaled(agent, 10 ** (-25 / 20))
    assert line.hear(silence(120) + echo) == []


def test_the_caller_is_heard_through_an_echo() -> None:
    line = Line()
    line.bot = True
    agent = recording("ask_billing") * 3
    line.turns.on_agent_audio(agent, 8000)
    heard = np.frombuffer(scaled(agent, 10 ** (-25 / 20)), "<i2").copy()
    words = np.frombuffer(recording("interrupt"), "<i2")
    heard[16000 : 16000 + len(words)] += words
    assert 2000 < first(PauseBot, line.hear(heard.tobytes())) < 2140


@pytest.mark.parametrize(
    "sound",
    [
        pytest.param(hiss(2000, 1500), id="hiss"),
        pytest.param(tone(440, 2000, 8000), id="ringback"),
        pytest.param(tone(941, 300, 8000), id="beep"),
        pytest.param(bytes(64000), id="digital silence"),
    ],
)
def test_other_sounds_do_not_stop_it_for_good(sound: bytes) -> None:
    line = Line()
    line.bot = True
    kinds = [type(event) for _, event in line.hear(silence(1000) + sound + silence(700))]
    assert BargeIn not in kinds
    assert CallerSpeechStarted not in kinds
    assert not line.paused


@pytest.mark.parametrize(
    ("text", "interrupts"),
    [
        ("Stop.", True),
        ("yeah, stop", True),
        ("Mm-hm.", False),
        ("Uh-huh, okay.", False),
        ("", False),
        ("…", False),
    ],
)
def test_transcripts_that_want_an_answer_stop_it(text: str, interrupts: bool) -> None:
    line = Line(BargeInConfig())
    line.bot = True
    line.hear(silence(500) + recording("yes_please")[:6400] + silence(400))
    assert not line.paused
    assert (line.turns.on_caller_words(text) != ()) == interrupts


def test_a_key_stops_it_and_the_backend_pauses_it() -> None:
    line = Line(BargeInConfig())
    line.bot = True
    line.hear(silence(100))
    events = line.turns.on_backend_speech_started()
    assert [type(event) for event in events] == [PauseBot]
    line.follow(*events)
    assert line.paused
    assert [type(event) for event in line.turns.on_dtmf()] == [BargeIn]


def test_a_policy_of_flushing_at_the_backends_word() -> None:
    line = Line(BargeInConfig(by="backend", action="flush"))
    line.bot = True
    assert line.hear(silence(300) + recording("interrupt")[:16000]) != [], "the turn itself is still told"
    assert [type(event) for event in line.turns.on_backend_speech_started()] == [BargeIn]


def test_the_agents_audio_may_come_in_any_portions() -> None:
    line = Line()
    line.bot = True
    agent = recording("ask_billing")
    for at in range(0, len(agent), 998):
        line.turns.on_agent_audio(agent[at : at + 998], 8000)
    assert line.hear(silence(120) + scaled(agent, 10 ** (-25 / 20))) == []
