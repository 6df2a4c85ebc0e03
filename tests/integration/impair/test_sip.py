"""Real calls to a real gateway through the forwarder for SIP."""

from pathlib import Path

import pytest

from gateway.impair.impairment import Impairment
from gateway.impair.sip import SipImpairer
from tests.integration.echo import echo_gateway
from tests.integration.harness import GatewayProcess
from tests.integration.softphone import Softphone
from tests.integration.spectrum import left_channel, seconds_of_tone

LOCAL = ("127.0.0.1", 0)


def through(gateway: GatewayProcess, impairer: SipImpairer) -> str:
    return gateway.uri().replace(str(gateway.sip_port), str(impairer.address[1]))


async def test_all_media_of_a_call_crosses_it_even_after_hold_and_resume(tmp_path: Path) -> None:
    recording = tmp_path / "phone.wav"
    async with (
        echo_gateway(audio="pcmu") as (gateway, _backend),
        SipImpairer(LOCAL, ("127.0.0.1", gateway.sip_port)) as impairer,
    ):
        async with Softphone(through(gateway, impairer), record=recording) as phone:
            await phone.done("tone 1000 1000", "silence 3")
            await phone.done("hold")
            await phone.event("media", where=lambda e: not e["receiving"])
            mark = len(phone.events)
            await phone.done("resume")
            await phone.event("media", since=mark, where=lambda e: bool(e["receiving"]))
            # From here on nothing of the call may come past the impairer.
            impairer.change(down=Impairment(loss=1.0))
            before = impairer.counters("up").packets
            await phone.done("tone 1500 1000", "pause 1")
            assert impairer.counters("up").packets - before >= 50
            impairer.change(down=Impairment())
            await phone.done("tone 2000 1000", "silence 3")
            summary = await phone.finish()
        record = await gateway.record(str((await gateway.logged("call ended"))["call_id"]))
    assert summary["worked"], summary
    heard = left_channel(recording)
    assert seconds_of_tone(heard, 1000) == pytest.approx(1.0, abs=0.25)
    assert seconds_of_tone(heard, 1500) < 0.1
    assert seconds_of_tone(heard, 2000) == pytest.approx(1.0, abs=0.25)
    assert impairer.counters("down").lost >= 50
    assert impairer.paths == 1
    assert record.rx_lost == 0


async def test_the_gateway_sees_the_loss_of_the_way_up() -> None:
    async with (
        echo_gateway(audio="pcmu") as (gateway, _backend),
        SipImpairer(LOCAL, ("127.0.0.1", gateway.sip_port), up=Impairment(loss=0.1)) as impairer,
    ):
        async with Softphone(through(gateway, impairer)) as phone:
            await phone.done("pause 5")
            await phone.finish()
        record = await gateway.record(str((await gateway.logged("call ended"))["call_id"]))
        lost = impairer.counters("up").lost
        assert lost > 5
        # RTCP crosses too; the card reports once a second, so the last ones may be missing.
        assert 0.5 * lost <= record.rx_lost <= lost
