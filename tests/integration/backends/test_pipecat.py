"""An unmodified Pipecat pipeline for Twilio takes the gateway for Twilio."""

from collections.abc import AsyncIterator

import aiohttp
import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.backends import contract as ai
from gateway.backends.twilio_media_streams import TwilioMediaStreamsBackend
from gateway.config.agents_more import TwilioMediaStreamsAgent
from tests.integration.backends.bot import PipecatBot
from tests.integration.backends.line import CONTEXT, Line
from tests.sounds import samples
from tests.unit.bot.recordings import recording, silence


@pytest.fixture
async def bot() -> AsyncIterator[PipecatBot]:
    async with PipecatBot() as bot:
        yield bot


@pytest.fixture
async def backend(bot: PipecatBot) -> AsyncIterator[TwilioMediaStreamsBackend]:
    agent = TwilioMediaStreamsAgent(
        backend="twilio_media_streams", url=bot.url, parameters={"from_number": "{from}", "tier": "gold"}
    )
    async with aiohttp.ClientSession() as http:
        yield TwilioMediaStreamsBackend(agent, CONTEXT, http)


def likeness(said: bytes, heard: bytes) -> float:
    """Greatest normalised cross-correlation of `said` with any part of `heard`, 0 to 1."""
    x, y = samples(said), samples(heard)
    n = 1 << int(np.ceil(np.log2(len(x) + len(y))))
    product: NDArray[np.complex128] = np.fft.rfft(y, n) * np.conj(np.fft.rfft(x, n))
    overlap = np.fft.irfft(product, n)[: len(y)]
    energy = np.concatenate([np.cumsum(y**2), np.full(len(x), np.sum(y**2))])
    window = energy[len(x) :][: len(y)] - np.concatenate([[0.0], energy[: len(y) - 1]])
    return float(np.max(overlap / np.sqrt(np.maximum(window, 1.0) * np.sum(x**2))))


async def test_the_bot_hears_the_caller_and_the_caller_the_bot(
    bot: PipecatBot, backend: TwilioMediaStreamsBackend
) -> None:
    words = recording("ask_billing")
    async with Line(backend) as line:
        call = await bot.event("call")
        assert call["kind"] == "twilio"
        assert call["call"] == "CA" + "0123456789abcdef0123".rjust(32, "0")
        assert call["body"] == {"from_number": "5551234", "tier": "gold"}
        line.say(words + silence(2000))
        await bot.event("repeating")
        mark = await bot.event("mark")
        assert mark["mark"] == {"name": "said 1"}
        assert not line.audible
        assert likeness(words, bytes(line.heard)) > 0.9


async def test_a_mark_comes_back_when_its_audio_was_heard_and_not_before(
    bot: PipecatBot, backend: TwilioMediaStreamsBackend
) -> None:
    async with Line(backend) as line:
        line.say(recording("ask_billing") + silence(2000))
        repeating = await bot.event("repeating")
        began = len(line.heard)
        await bot.event("mark")
        assert (len(line.heard) - began) / 16 >= repeating["duration_ms"] - 100


async def test_speaking_over_the_bot_clears_what_it_said(
    bot: PipecatBot, backend: TwilioMediaStreamsBackend
) -> None:
    async with Line(backend) as line:
        line.say(recording("ask_billing") * 3 + silence(2000))
        repeating = await bot.event("repeating")
        await line.until(lambda: line.audible)
        began, told, happened = len(line.heard), len(bot.events), len(line.events)
        line.say(recording("ask_billing") + silence(2000))
        await line.event(ai.ClearPlayout, since=happened)
        assert not line.audible
        assert (len(line.heard) - began) / 16 < repeating["duration_ms"] - 500
        await bot.event("repeating", since=told)
        mark = await bot.event("mark", since=told)
        assert mark["mark"] == {"name": "said 2"}, "Pipecat threw away the first one with its audio"


async def test_keys_arrive_and_the_bot_can_hang_up(
    bot: PipecatBot, backend: TwilioMediaStreamsBackend
) -> None:
    async with Line(backend) as line:
        await bot.event("call")
        backend.send_dtmf("5")
        assert (await bot.event("key"))["key"] == "5"
        assert (await bot.event("dtmf"))["dtmf"] == {"track": "inbound_track", "digit": "5"}
        backend.send_dtmf("0")
        await line.event(ai.HungUp)
        lost = await line.event(ai.BackendLost)
        assert not lost.error.retryable
        assert line.events[-2:] == [ai.HungUp(), lost]


async def test_the_bot_is_told_when_the_call_is_over(
    bot: PipecatBot, backend: TwilioMediaStreamsBackend
) -> None:
    async with Line(backend):
        await bot.event("call")
    assert (await bot.event("stop"))["stop"]["callSid"].startswith("CA")
    await bot.event("disconnected")
