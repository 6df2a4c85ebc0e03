"""Steps of a plan on a call: prompts, digits, limits, voicemail, services; and recordings."""

import asyncio
import wave
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.backends import contract as ai
from gateway.calls.desk import NotPossibleError
from gateway.config.barge_in import BargeInConfig
from gateway.core.record import TimelineKind as K
from gateway.core.termination import Reason
from gateway.dialplan.runtime import (
    CallControl,
    ChoiceRequest,
    GatherRequest,
    HttpReply,
    HttpRequest,
    RecordRequest,
    Say,
    StepFailedError,
    TalkRequest,
)
from gateway.legs.loopback import LoopbackLeg
from tests.scenarios.stage import AGENT, Stage

MENU = Say("menu", "en")
PROMPTS = {"menu": (1500, 1000)}


async def test_digits_cut_the_prompt_and_are_gathered() -> None:
    got: list[str] = []

    async def plan(call: CallControl) -> None:
        got.append(await call.gather(GatherRequest((MENU,), 4, 5.0, 2.0)))
        got.append(await call.gather(GatherRequest((MENU,), 4, 5.0, 2.0)))
        got.append(await call.gather(GatherRequest((MENU,), 2, 1.0, 2.0)))

    async with Stage(plan=plan, first_talk=None, prompts=PROMPTS) as stage:
        await stage.later(500)
        for digit in "12#":
            stage.leg.peer.press(digit)
            await stage.later(200)
        assert got == ["12"]
        assert stage.caller.heard_ms(1500) < 800
        await stage.later(100)
        stage.leg.peer.press("7")
        await stage.later(2300)
        assert got == ["12", "7"], "nothing more for two seconds"
        record = await stage.over()
    assert got == ["12", "7", ""]
    assert record.reason is Reason.PLAN_ENDED


async def test_early_media_is_heard_before_a_refusal_that_costs_nothing() -> None:
    async def plan(call: CallControl) -> None:
        await call.ring()
        await call.ring(MENU)
        await call.wait(1.2)
        await call.reject(404, "Not Found")

    async with Stage(plan=plan, first_talk=None, prompts=PROMPTS) as stage:
        record = await stage.over()
    assert stage.caller.heard_ms(1500) >= 900
    assert (record.answered_at, record.sip_status, record.reason) == (None, 404, Reason.DECLINED)
    rung = [event.fields for event in record.timeline if event.kind is K.RINGING]
    assert rung == [{}, {"early_media": True}]


async def test_the_answer_ends_early_media() -> None:
    async def plan(call: CallControl) -> None:
        await call.ring(MENU)
        await call.wait(0.3)
        await call.answer()
        await call.wait(1)

    async with Stage(plan=plan, first_talk=None, prompts=PROMPTS) as stage:
        record = await stage.over()
    assert 200 <= stage.caller.heard_ms(1500) <= 400
    assert record.answered_at is not None


@pytest.mark.parametrize("can", [True, False])
async def test_early_media_where_it_is_not_possible(can: bool) -> None:
    told: list[str] = []

    async def plan(call: CallControl) -> None:
        if can:
            await call.answer()
        try:
            await call.ring(MENU)
        except StepFailedError as failure:
            told.append(f"{failure.kind}: {failure}")

    leg = LoopbackLeg(asyncio.get_running_loop().time, rtp_timeout_s=20.0)
    leg.early_media = can
    async with Stage(plan=plan, first_talk=None, leg=leg, prompts=PROMPTS) as stage:
        await stage.over()
    why = "the call is answered" if can else "this caller is silent before the answer"
    assert told == [f"not_possible: no early media: {why}"]


async def test_the_key_that_ends_an_entry_alone_is_an_empty_entry() -> None:
    got: list[str] = []

    async def plan(call: CallControl) -> None:
        got.append(await call.gather(GatherRequest((MENU,), 4, 5.0, 2.0)))

    async with Stage(plan=plan, first_talk=None, prompts=PROMPTS) as stage:
        await stage.later(300)
        stage.leg.peer.press("#")
        await stage.over()
    assert got == [""]


async def test_a_prompt_that_cannot_be_read_fails_its_step() -> None:
    kinds: list[str] = []

    async def plan(call: CallControl) -> None:
        try:
            await call.play((Say("unknown", "en"),))
        except StepFailedError as exc:
            kinds.append(exc.kind)

    async with Stage(plan=plan, first_talk=None) as stage:
        await stage.over()
    assert kinds == ["error"]


async def test_the_call_may_be_refused_with_a_status_of_choice() -> None:
    async def plan(call: CallControl) -> None:
        await call.reject(486, "Busy Here")

    async with Stage(plan=plan, first_talk=None) as stage:
        record = await stage.over()
    assert (record.reason, record.sip_status) == (Reason.DECLINED, 486)
    assert K.RINGING not in stage.kinds()


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        (TalkRequest(AGENT, max_duration_s=5.0), "max_duration"),
        (TalkRequest(AGENT, silence_s=3.0), "caller_silent"),
    ],
)
async def test_a_conversation_has_limits(request_: TalkRequest, kind: str) -> None:
    kinds: list[tuple[str, float]] = []

    async def plan(call: CallControl) -> None:
        began = call.monotonic()
        try:
            await call.talk(request_)
        except StepFailedError as exc:
            kinds.append((exc.kind, call.monotonic() - began))
        await call.play((MENU,))

    async with Stage(plan=plan, first_talk=request_, prompts=PROMPTS) as stage:
        await stage.over()
    ((found, after_s),) = kinds
    assert found == kind
    assert after_s == pytest.approx(request_.max_duration_s or request_.silence_s, abs=0.7)
    assert stage.caller.heard_ms(1500) == 1000


async def test_a_caller_who_speaks_is_not_silent() -> None:
    request = TalkRequest(AGENT, silence_s=2.0)

    async def plan(call: CallControl) -> None:
        await call.talk(request)

    async with Stage(plan=plan, first_talk=request) as stage:
        await stage.talking()
        stage.caller.speaking = True
        await stage.later(6000)
        assert stage.phone() == "connected"
        stage.leg.peer.hang_up()
        await stage.over()


async def test_an_unhandled_failure_is_apologised_for() -> None:
    async def plan(call: CallControl) -> None:
        await call.play((MENU,))
        raise StepFailedError("error", "out of order")

    async with Stage(plan=plan, first_talk=None, prompts=PROMPTS) as stage:
        record = await stage.over()
    assert record.reason is Reason.PLAN_FAILED
    assert "out of order" in record.detail
    assert stage.caller.heard_ms(3000) == 1000


async def test_an_agent_knows_what_was_entered_after_it_was_connected() -> None:
    async def plan(call: CallControl) -> None:
        call.variables["digits"] = await call.gather(GatherRequest((MENU,), 2, 5.0, 2.0))
        await call.talk(TalkRequest(AGENT))

    async with Stage(plan=plan, prompts=PROMPTS) as stage:
        backend = await stage.session()
        stage.caller.speaking = True
        await stage.later(500)
        for digit in "42":
            stage.leg.peer.press(digit)
            await stage.later(200)
        assert backend.names_told() == ["greet"]
        assert backend.context.variables["digits"] == "42"
        assert backend.context.variables["from"] == "100"
        stage.leg.peer.hang_up()
        await stage.over()


async def test_an_agent_hears_nothing_before_its_turn() -> None:
    async def plan(call: CallControl) -> None:
        await call.answer()
        await call.wait(1.0)
        await call.play((MENU,))

    async with Stage(plan=plan, prompts=PROMPTS) as stage:
        backend = await stage.session()
        stage.caller.speaking = True
        await stage.over()
    assert backend.heard_ms == 0


@pytest.mark.parametrize("said", ['{"option": "sales"}', None])
async def test_an_agent_finds_out_what_the_caller_wants(said: str | None) -> None:
    got: list[str] = []
    request = ChoiceRequest(AGENT, {"sales": "to buy something", "help": "a fault"}, (MENU,), 10.0)

    async def plan(call: CallControl) -> None:
        got.append(await call.choose(request))
        await call.play((MENU,))

    async with Stage(plan=plan, first_talk=None, prompts=PROMPTS) as stage:
        backend = await stage.talking()
        assert stage.caller.heard_ms(1500) == 1000, "asked before"
        backend.function_call("f1", "choose_option", '{"option": "weather"}')
        backend.function_call("f2", "choose_option", "no JSON")
        if said is not None:
            backend.function_call("f3", "choose_option", said)
        record = await stage.over()
    assert got == (["sales"] if said else [""])
    assert [told[1] for told in backend.told if told[0] == "tool_result"] == ["f1", "f2"]
    assert backend.closed
    assert stage.caller.heard_ms(1500) == 2000
    assert record.reason is Reason.PLAN_ENDED


# ---- recordings -----------------------------------------------------------------------------------


def sound(path: Path) -> NDArray[np.int16]:
    with wave.open(str(path)) as reader:
        frames = reader.readframes(reader.getnframes())
        return np.frombuffer(frames, np.int16).reshape(-1, reader.getnchannels())


def voicemail(max_s: float = 30.0) -> RecordRequest:
    return RecordRequest(max_s, silence_s=2.0, end_keys="#", beep=True, mailbox="sales")


@pytest.mark.parametrize("how", ["silence", "key", "limit", "hangup"])
async def test_voicemail_keeps_what_was_said_however_it_ends(tmp_path: Path, how: str) -> None:
    ended: list[str] = []

    async def plan(call: CallControl) -> None:
        recorded = await call.record(voicemail(max_s=5.0 if how == "limit" else 30.0))
        ended.append(recorded.by)

    async with Stage(plan=plan, first_talk=None, recordings=tmp_path) as stage:
        await stage.later(1000)
        stage.caller.speaking = True
        await stage.later(3000)
        match how:
            case "silence":
                stage.caller.speaking = False
            case "key":
                stage.leg.peer.press("#")
            case "hangup":
                stage.leg.peer.hang_up()
        await stage.over()
    assert ended == ([] if how == "hangup" else [how])
    pcm = sound(tmp_path / "sales" / "call_1.wav")
    assert 3.0 <= len(pcm) / 8000 <= 6.5
    second = pcm[8000:16000].astype(np.float64)
    assert np.sqrt(np.mean(second**2)) > 500, "speech"


async def test_a_recording_has_the_caller_left_and_what_was_heard_right(tmp_path: Path) -> None:
    async with Stage(recordings=tmp_path, barge_in=BargeInConfig(by="backend")) as stage:
        backend = await stage.talking()
        path = Path(stage.call.desk.record())
        with pytest.raises(NotPossibleError, match="already"):
            stage.call.desk.record()
        await stage.later(1000)
        backend.answer("item_1", 2000, 1000)
        await stage.later(1500)
        backend.answer("item_2", 2500, 3000)
        await stage.later(500)
        stage.caller.speaking = True
        backend.emit(ai.SpeechStarted("item_3"))
        await stage.later(1500)
        duration_s = await stage.call.desk.stop_recording()
        stage.leg.peer.hang_up()
        await stage.over()
    pcm = sound(path)
    assert len(pcm) / 8000 == pytest.approx(duration_s, abs=0.02) == pytest.approx(4.5, abs=0.05)
    heard_s = [np.count_nonzero(pcm[:, 1] == level) / 8000 for level in (2000, 2500)]
    assert heard_s[0] == pytest.approx(1.0, abs=0.03)
    assert 0.4 < heard_s[1] < 0.9, "cut where the caller cut it"
    assert np.flatnonzero(pcm[:, 1] == 2000)[0] / 8000 == pytest.approx(1.0, abs=0.08)
    assert np.abs(pcm[: 2 * 8000, 0].astype(int)).max() < 50
    assert np.abs(pcm[-8000:, 0].astype(int)).max() > 1000
    assert list(tmp_path.rglob("*.caller")) == []


# ---- services -------------------------------------------------------------------------------------


async def test_a_service_is_asked_while_the_phone_rings() -> None:
    url = "https://crm.example/who"
    request = HttpRequest("GET", url, {}, None, 2.0)
    names: list[object] = []

    async def plan(call: CallControl) -> None:
        names.append((await call.http(request)).body["name"])
        call.notify(request)
        await call.hang_up()

    async with Stage(plan=plan, first_talk=None, http={url: HttpReply(200, {"name": "Ada"})}) as stage:
        record = await stage.over()
    assert names == ["Ada"]
    assert record.sip_status == 480, "never answered"
