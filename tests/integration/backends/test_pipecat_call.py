"""A phone, the whole gateway, and an unmodified Pipecat pipeline that takes it for Twilio."""

from collections.abc import AsyncIterator
from importlib.resources import files

import pytest

from gateway.core.record import TimelineKind
from gateway.core.termination import Reason
from tests.integration.backends.bot import PipecatBot
from tests.integration.harness import GatewayProcess
from tests.integration.softphone import Softphone

WORDS = files("gateway.softphone") / "speech" / "ask_billing.wav"


@pytest.fixture
async def bot() -> AsyncIterator[PipecatBot]:
    async with PipecatBot() as bot:
        yield bot


@pytest.fixture
async def gateway(bot: PipecatBot) -> AsyncIterator[GatewayProcess]:
    agent = {"backend": "twilio_media_streams", "url": bot.url, "parameters": {"from_number": "{from}"}}
    async with GatewayProcess(agents={"parrot": agent}) as gateway:
        yield gateway


async def test_a_conversation_that_the_bot_ends(bot: PipecatBot, gateway: GatewayProcess) -> None:
    async with Softphone(gateway.uri(), identity="5551234") as phone:
        call = await bot.event("call")
        assert call["kind"] == "twilio"
        assert call["body"] == {"from_number": "5551234"}
        await phone.done(f"say {WORDS}", "hear 10", "silence 10")
        assert (await bot.event("mark"))["mark"] == {"name": "said 1"}
        await phone.done("dtmf 5")
        assert (await bot.event("key"))["key"] == "5"
        await phone.done("dtmf 0", "ended 15", within_s=40)
        assert (await phone.finish())["worked"]
    await gateway.settled()
    ended = await gateway.logged("call ended")
    assert call["call"].endswith(str(ended["call_id"]).removeprefix("call_"))
    record = await gateway.record(str(ended["call_id"]))
    assert record.reason is Reason.AGENT_HANGUP
    assert record.playout_dropped_ms == 0


async def test_the_caller_stops_the_bot_by_speaking(bot: PipecatBot, gateway: GatewayProcess) -> None:
    async with Softphone(gateway.uri()) as phone:
        await phone.done(f"say {WORDS}", f"interrupt {WORDS} 300")
        heard_again = await bot.event("speech started", since=_after(bot, "repeating"))
        assert heard_again
        await phone.done("hear 10", "silence 10")
        mark = await bot.event("mark")
        assert mark["mark"] == {"name": "said 2"}, "Pipecat threw away the first one with its audio"
    await gateway.settled()
    await bot.event("stop")
    record = await gateway.record(str((await gateway.logged("call ended"))["call_id"]))
    assert record.reason is Reason.CALLER_HANGUP
    assert not [e for e in record.timeline if e.kind is TimelineKind.BACKEND_FAULT]


def _after(bot: PipecatBot, name: str) -> int:
    return next(i for i, event in enumerate(bot.events) if event["event"] == name) + 1
