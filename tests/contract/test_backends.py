"""What every backend must do, whatever its service speaks."""

from collections.abc import AsyncIterator
from dataclasses import asdict

import numpy as np
import pytest

from gateway.backends import contract as ai
from tests.contract.listener import KEY, Listener
from tests.contract.services import SERVICES, Service, having
from tests.sounds import frames, samples, tone


@pytest.fixture(params=list(SERVICES))
async def service(request: pytest.FixtureRequest) -> AsyncIterator[Service]:
    async with SERVICES[request.param].make() as service:
        yield service


def needs(*capabilities: str) -> pytest.MarkDecorator:
    """For a test of what not every service can do."""
    return pytest.mark.parametrize("service", having(*capabilities), indirect=True)


@pytest.mark.parametrize("name", list(SERVICES))
async def test_a_backend_says_what_its_service_can_do(name: str) -> None:
    async with SERVICES[name].make() as service:
        capabilities = asdict(service.backend.capabilities)
    assert {able for able, has in capabilities.items() if not has} == SERVICES[name].lacks


@pytest.fixture
def listener() -> Listener:
    return Listener()


def level_db(pcm: bytes, frequency_hz: float) -> float:
    """Level of a tone in 8 kHz PCM, by projection; the edges are left out."""
    x = samples(pcm)[400:-400]
    t = np.arange(len(x)) / 8000
    amplitude = 2 * abs(np.mean(x * np.exp(-2j * np.pi * frequency_hz * t)))
    return float(20 * np.log10(max(amplitude, 1e-9)))


async def test_the_callers_audio_reaches_the_service(service: Service, listener: Listener) -> None:
    await service.backend.open(listener)
    said = tone(1000, 400, 8000)
    for sent, frame in enumerate(frames(said), 1):
        service.backend.send_audio(frame)
        # One at a time: the backlog holds ten.
        heard = await service.heard(20 * sent)
    assert len(heard) == len(said)
    assert level_db(heard, 1000) == pytest.approx(level_db(said, 1000), abs=0.2)
    assert service.backend.dropped_ms == 0


async def test_an_answer_is_one_item_that_ends(service: Service, listener: Listener) -> None:
    await service.backend.open(listener)
    said = tone(700, 500, 8000)
    await service.begin("item_1")
    await service.audio("item_1", said[:4000])
    await service.audio("item_1", said[4000:])
    await service.finish("item_1", "hello")
    done = await listener.event(ai.AudioDone)
    assert {item for item, _ in listener.audio} == {done.item_id}
    heard = listener.heard(done.item_id)
    assert len(heard) == len(said)
    assert level_db(heard, 700) == pytest.approx(level_db(said, 700), abs=0.2)
    service.backend.played(done.item_id)


@needs("answers", "transcripts")
async def test_an_answer_is_reported(service: Service, listener: Listener) -> None:
    await service.backend.open(listener)
    await service.begin("item_1")
    await service.audio("item_1", tone(700, 100, 8000))
    await service.finish("item_1", "hello")
    done = await listener.event(ai.ResponseDone)
    assert done.status == "completed"
    assert listener.events == [
        ai.ResponseStarted(done.response_id),
        ai.Transcript("item_1", ai.Utterance("agent", "hello"), final=True),
        ai.AudioDone("item_1"),
        done,
    ]


@needs("turn_events")
async def test_a_turn_of_the_caller_is_reported(service: Service, listener: Listener) -> None:
    await service.backend.open(listener)
    await service.turn("item_1", "billing please")
    await listener.event(ai.Transcript)
    assert listener.events == [
        ai.SpeechStarted("item_1"),
        ai.SpeechStopped("item_1"),
        ai.Transcript("item_1", ai.Utterance("caller", "billing please"), final=True),
    ]


@needs("interruptible")
async def test_nothing_more_is_heard_of_an_interrupted_item(service: Service, listener: Listener) -> None:
    await service.backend.open(listener)
    await service.begin("item_1")
    await service.audio("item_1", tone(700, 100, 8000))
    await listener.until(lambda: bool(listener.audio))
    item_id = listener.audio[0][0]
    service.backend.interrupt(item_id)
    service.backend.truncate(item_id, 40)
    heard = len(listener.heard(item_id))
    await service.audio("item_1", tone(700, 100, 8000))
    await service.finish("item_1", "")
    await service.begin("item_2")
    await service.audio("item_2", tone(700, 100, 8000))
    await listener.until(lambda: listener.audio[-1][0] != item_id)
    assert len(listener.heard(item_id)) == heard


@needs("history")
async def test_what_was_said_before_is_replayed(service: Service, listener: Listener) -> None:
    past = (ai.Utterance("agent", "hello"), ai.Utterance("caller", "ich möchte zahlen \N{EURO SIGN}"))
    await service.backend.open(listener, past)
    assert await service.history() == list(past)


@needs("tools")
async def test_a_function_call_is_passed_on(service: Service, listener: Listener) -> None:
    await service.backend.open(listener)
    await service.function_call("call_1", "end_call", '{"reason":"done"}')
    call = await listener.event(ai.FunctionCall)
    assert call == ai.FunctionCall("call_1", "end_call", '{"reason":"done"}')
    service.backend.send_tool_result("call_1", "{}")


async def test_the_loss_of_the_session_is_the_last_event(service: Service, listener: Listener) -> None:
    await service.backend.open(listener)
    await service.go_away()
    lost = await listener.event(ai.BackendLost)
    assert lost.error.retryable
    assert lost.error.kind == "lost"
    service.backend.send_audio(bytes(320))
    service.backend.greet()
    service.backend.interrupt("item_1")
    service.backend.truncate("item_1", 10)
    service.backend.played("item_1")
    service.backend.send_dtmf("1")
    await service.backend.close()
    assert listener.events == [lost]


async def test_closing_twice_is_quiet(service: Service, listener: Listener) -> None:
    await service.backend.open(listener)
    await service.backend.close()
    await service.backend.close()
    assert listener.events == []


async def test_closing_what_was_never_open(service: Service) -> None:
    service.backend.send_audio(bytes(320))
    await service.backend.close()


async def test_the_description_holds_no_secret(service: Service) -> None:
    assert service.backend.describe()
    assert KEY not in service.backend.describe()
