"""Phones on a bad network, through a whole gateway: the codec goes down and comes back."""

from pathlib import Path

import pytest

from gateway.core.record import TimelineEvent, TimelineKind
from gateway.impair.impairment import Impairment
from gateway.impair.sip import SipImpairer
from tests.bench.ladder_figures import Caller, speaking_gateway, speech_for
from tests.integration.echo import echo_gateway
from tests.integration.harness import GatewayProcess
from tests.integration.softphone import Softphone
from tests.integration.spectrum import left_channel, seconds_of_tone

pytestmark = pytest.mark.long

LOCAL = ("127.0.0.1", 0)
LOSSY = Impairment(loss=0.08)


async def test_a_phone_goes_down_to_ilbc_and_back_while_another_call_stays(tmp_path: Path) -> None:
    recording = tmp_path / "phone.wav"
    quick = {"sip": {"ladder": {"up_after_s": 5, "lossy": "ilbc"}}}
    async with (
        echo_gateway(audio="pcmu", sections=quick) as (gateway, _backend),
        SipImpairer(LOCAL, ("127.0.0.1", gateway.sip_port)) as impairer,
        Softphone(gateway.uri()) as other,
    ):
        uri = gateway.uri().replace(str(gateway.sip_port), str(impairer.address[1]))
        async with Softphone(uri, record=recording) as phone:
            await phone.done("tone 1000 500", "pause 1")
            impairer.change(up=LOSSY, down=LOSSY)
            down = await phone.event("media", where=lambda e: e["codec"].upper() == "ILBC", within_s=25)
            assert down["ptime_ms"] == 30
            await phone.done("tone 1300 1000", "pause 1")
            mark = len(phone.events)
            impairer.change(up=Impairment(), down=Impairment())
            await phone.event("media", where=lambda e: e["codec"].upper() == "PCMU", since=mark, within_s=40)
            await phone.done("tone 1700 1000", "pause 1")
            summary = await phone.finish()
        call_id = str((await gateway.logged("call ended"))["call_id"])
        record = await gateway.record(call_id)
        assert (await other.finish())["worked"]
        assert {str(e.get("codec", "PCMU")).upper() for e in other.events} == {"PCMU"}
    assert summary["worked"], summary
    tiers = [event.fields for event in record.timeline if event.kind is TimelineKind.TIER]
    assert [(t["before"], t["after"]) for t in tiers] == [("PCMU/20", "ILBC/30"), ("ILBC/30", "PCMU/20")]
    assert record.tier_changes == 2
    assert record.mos_min is not None
    assert record.mos_mean is not None
    assert record.mos_min < 4.0
    assert {point.tier for point in record.quality} == {"PCMU/20", "ILBC/30"}
    heard = left_channel(recording)
    assert seconds_of_tone(heard, 1000) == pytest.approx(0.5, abs=0.2)
    assert seconds_of_tone(heard, 1300) > 0.7
    assert seconds_of_tone(heard, 1700) == pytest.approx(1.0, abs=0.25)


@pytest.mark.parametrize(
    ("lossy", "network"),
    [("ilbc", Impairment(loss=0.05)), ("best", Impairment(rate_bps=64_000, loss=0.03))],
    ids=["lossy", "thin"],
)
async def test_speech_is_recognised_before_during_and_after(lossy: str, network: Impairment) -> None:
    sections = {"sip": {"ladder": {"up_after_s": 5, "lossy": lossy}}}
    async with (
        GatewayProcess(agents={"bot": {"backend": "bot"}}, sections=sections) as gateway,
        SipImpairer(LOCAL, ("127.0.0.1", gateway.sip_port)) as impairer,
    ):
        uri = gateway.uri().replace(str(gateway.sip_port), str(impairer.address[1]))
        async with Softphone(uri) as phone:
            await phone.done("hear 20", "silence 20", "say ask_billing.wav", "hear", "silence 20")
            impairer.change(up=network, down=network)
            await phone.event("media", where=lambda e: e["codec"].upper() == "ILBC", within_s=25)
            await phone.done("say yes_please.wav", "hear", "silence 20")
            mark = len(phone.events)
            impairer.change(up=Impairment(), down=Impairment())
            await phone.event("media", where=lambda e: e["codec"].upper() == "PCMU", since=mark, within_s=40)
            await phone.done("say ask_billing.wav", "hear")
            await phone.finish()
        record = await gateway.record(str((await gateway.logged("call ended"))["call_id"]))
    said = [str(event.fields["text"]).lower() for event in record.timeline if _is_said_by_caller(event)]
    assert len(said) == 3, said
    assert "billing" in said[0]
    assert "yes" in said[1]
    assert "billing" in said[2]
    assert record.tier_changes == 2


def _is_said_by_caller(event: TimelineEvent) -> bool:
    return event.kind is TimelineKind.SAID and event.fields["role"] == "caller"


@pytest.mark.parametrize(("lossy", "codec"), [("best", "PCMU/20"), ("ilbc", "ILBC/30")])
async def test_speech_at_5_percent_loss_is_understood(lossy: str, codec: str) -> None:
    seconds = 40.0
    speech = speech_for(seconds)
    async with speaking_gateway({"lossy": lossy}, speech) as gateway:
        heard = await Caller(gateway, speech).hear(Impairment(loss=0.05), seconds, seed=3)
    assert heard.codec == codec
    assert heard.stoi >= 0.9
