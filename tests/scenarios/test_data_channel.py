"""A WebRTC peer and its data channel in a whole call."""

import asyncio
import json
from typing import Any

from gateway.backends import contract as ai
from gateway.core.ids import LegId
from gateway.core.record import TimelineKind
from gateway.legs.loopback import LoopbackLeg
from gateway.wire import card as wire
from tests.scenarios.scripted_backend import Opening
from tests.scenarios.stage import Stage, successor

SPEECH = 5000


class Page:
    """The script behind a page that called."""

    def __init__(self, leg: LoopbackLeg) -> None:
        self._leg = leg

    def open(self) -> None:
        """The data channel opens."""
        self._leg.emit(wire.ChannelOpened(LegId(1)))

    def send(self, type_: str, **fields: Any) -> None:
        """One client event."""
        self.send_text(json.dumps({"type": type_, **fields}))

    def send_text(self, text: str) -> None:
        """Any text."""
        self._leg.emit(wire.ChannelText(LegId(1), text))

    def write(self, text: str) -> None:
        """A message of the user's."""
        content = [{"type": "input_text", "text": text}]
        self.send("conversation.item.create", item={"type": "message", "role": "user", "content": content})

    @property
    def events(self) -> list[dict[str, Any]]:
        """What came."""
        return [json.loads(text) for text in self._leg.texts]

    @property
    def types(self) -> list[str]:
        """Types of what came."""
        return [event["type"] for event in self.events]

    def error(self) -> dict[str, Any]:
        """The last error that came."""
        found: dict[str, Any] = [event for event in self.events if event["type"] == "error"][-1]["error"]
        return found


def webrtc_stage() -> tuple[Stage, Page]:
    loop = asyncio.get_running_loop()
    stage = Stage(leg=LoopbackLeg(loop.time, kind="webrtc"))
    return stage, Page(stage.leg)


async def test_a_conversation_as_the_page_sees_it() -> None:
    stage, page = webrtc_stage()
    async with stage:
        backend = await stage.talking()
        page.open()
        await stage.later(20)
        backend.answer("i1", SPEECH, 200, text="Hello there.")
        await stage.later(400)
        backend.caller_turn("u1")
        backend.caller_said("u1", "hi")
        await stage.later(20)
        stage.leg.peer.hang_up()
        record = await stage.over()
    assert record.kind == "webrtc"
    assert page.types == [
        "session.created",
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.output_audio_transcript.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.output_audio.done",
        "response.done",
        "output_audio_buffer.started",
        "output_audio_buffer.stopped",
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "conversation.item.input_audio_transcription.completed",
    ]


async def test_what_happened_before_the_channel_opened_is_told_after_the_session() -> None:
    stage, page = webrtc_stage()
    async with stage:
        backend = await stage.talking()
        backend.begin("i1", SPEECH, 100)
        await stage.later(60)
        assert page.types == []
        page.open()
        page.open()
        await stage.later(20)
        assert page.types[:2] == ["session.created", "response.created"]
        assert page.types.count("session.created") == 1
        stage.leg.peer.hang_up()
        await stage.over()


async def test_a_channel_that_never_opens_keeps_little() -> None:
    stage, page = webrtc_stage()
    async with stage:
        backend = await stage.talking()
        for number in range(500):
            backend.emit(ai.SpeechStarted(f"u{number}"))
        await stage.later(20)
        page.open()
        await stage.later(20)
        assert page.types == ["session.created"] + ["input_audio_buffer.speech_started"] * 64
        assert page.events[-1]["item_id"] == "u499"
        stage.leg.peer.hang_up()
        await stage.over()


async def test_a_written_message_is_part_of_the_conversation() -> None:
    stage, page = webrtc_stage()
    async with stage:
        backend = await stage.talking()
        page.open()
        page.write("my number is 12345")
        page.send("response.create", response={"instructions": "Repeat it."})
        assert (await backend.until_told("want_answer"))[1] == "Repeat it."
        assert backend.names_told() == ["greet", "text", "want_answer"]
        assert page.types[-2:] == ["conversation.item.added", "conversation.item.done"]
        stage.leg.peer.hang_up()
        record = await stage.over()
    said = [event.fields["text"] for event in record.timeline if event.kind is TimelineKind.SAID]
    assert said == ["my number is 12345"]


async def test_what_is_sent_at_the_opening_waits_for_the_agent() -> None:
    stage, page = webrtc_stage()
    async with stage:
        backend = await stage.session()
        page.open()
        page.send("session.update", session={"type": "realtime", "instructions": "Rhyme."})
        page.write("hello")
        page.send("response.create")
        await backend.until_told("greet")
        assert backend.told[:3] == [
            ("instructions", "Rhyme."),
            ("text", *backend.told[1][1:]),
            ("want_answer", ""),
        ]
        assert "session.updated" in page.types
        stage.leg.peer.hang_up()
        await stage.over()


async def test_wishes_for_an_agent_that_does_not_come_are_bounded() -> None:
    loop = asyncio.get_running_loop()
    stage = Stage([Opening(takes_s=2.5)], leg=LoopbackLeg(loop.time, kind="webrtc"))
    page = Page(stage.leg)
    async with stage:
        backend = await stage.session()
        page.open()
        for number in range(33):
            page.write(f"text {number}")
        await stage.later(20)
        assert page.error()["code"] == "session_not_ready"
        await backend.until_told("greet")
        assert backend.names_told().count("text") == 32
        stage.leg.peer.hang_up()
        await stage.over()


async def test_cancelling_silences_the_agent_at_once() -> None:
    stage, page = webrtc_stage()
    async with stage:
        backend = await stage.talking()
        page.open()
        backend.begin("i1", SPEECH, 5000)
        await stage.later(300)
        page.send("response.cancel")
        await backend.until_told("truncate")
        heard_ms = stage.caller.heard_ms(SPEECH)
        await stage.later(500)
        assert stage.caller.heard_ms(SPEECH) == heard_ms <= 340
        assert ("interrupt", "i1") in backend.told
        assert page.types[-2:] == ["output_audio_buffer.cleared", "conversation.item.truncated"]
        # The last few milliseconds are faded out.
        assert heard_ms <= page.events[-1]["audio_end_ms"] <= heard_ms + 20
        stage.leg.peer.hang_up()
        await stage.over()


async def test_cancelling_an_answer_that_is_made_but_not_heard_out_silences_it() -> None:
    stage, page = webrtc_stage()
    async with stage:
        backend = await stage.talking()
        page.open()
        backend.answer("i1", SPEECH, 5000, text="A very long story.")
        await stage.later(300)
        assert "response.done" in page.types
        page.send("response.cancel")
        await backend.until_told("truncate")
        heard_ms = stage.caller.heard_ms(SPEECH)
        await stage.later(500)
        assert stage.caller.heard_ms(SPEECH) == heard_ms <= 340
        page.send("response.cancel")
        await stage.later(20)
        assert page.error()["code"] == "response_cancel_not_active"
        stage.leg.peer.hang_up()
        await stage.over()


async def test_cancelling_nothing_is_an_error_that_names_its_event() -> None:
    stage, page = webrtc_stage()
    async with stage:
        backend = await stage.talking()
        page.open()
        page.send("response.cancel", event_id="mine")
        await stage.later(20)
        assert page.error() | {"message": ""} == {
            "type": "invalid_request_error",
            "code": "response_cancel_not_active",
            "message": "",
            "param": None,
            "event_id": "mine",
        }
        assert backend.names_told() == ["greet"]
        stage.leg.peer.hang_up()
        await stage.over()


async def test_what_is_not_the_peers_business_does_not_reach_the_agent() -> None:
    stage, page = webrtc_stage()
    async with stage:
        backend = await stage.talking()
        page.open()
        page.send("session.update", session={"type": "realtime", "instructions": "x", "tools": []})
        page.send("conversation.item.truncate", item_id="i", content_index=0, audio_end_ms=1)
        page.send_text("no json")
        await stage.later(20)
        assert page.types == ["session.created", "error", "error", "error"]
        assert backend.names_told() == ["greet"]
        stage.leg.peer.hang_up()
        await stage.over()


async def test_a_flood_is_cut_off_and_the_call_goes_on() -> None:
    stage, page = webrtc_stage()
    async with stage:
        backend = await stage.talking()
        page.open()
        for _ in range(5000):
            page.send("input_audio_buffer.clear")
        await stage.later(20)
        assert backend.names_told().count("forget_input") == 40
        assert page.types.count("error") == 1
        assert page.error()["code"] == "rate_limit_exceeded"
        await stage.later(1000)
        page.send("input_audio_buffer.clear")
        await stage.later(20)
        assert backend.names_told().count("forget_input") == 41
        stage.leg.peer.hang_up()
        assert (await stage.over()).kind == "webrtc"


async def test_instructions_outlive_a_lost_service_and_a_lost_core() -> None:
    first, page = webrtc_stage()
    async with first:
        backend = await first.talking()
        page.open()
        page.send("session.update", session={"instructions": "Rhyme."})
        await backend.until_told("instructions")
        backend.lose()
        again = await first.session(2)
        await again.until_told("instructions")
        await again.until_told("greet")
        await first.kill()
    first.leg.texts.clear()
    async with successor(first) as second:
        backend = await second.session()
        assert await backend.until_told("instructions") == ("instructions", "Rhyme.")
        backend.begin("i9", SPEECH, 100)
        await second.later(20)
        assert page.types[0] == "response.created"
        second.leg.peer.hang_up()
        await second.over()


async def test_a_phone_has_no_channel() -> None:
    async with Stage() as stage:
        backend = await stage.talking()
        page = Page(stage.leg)
        page.open()
        page.write("hello")
        backend.answer("i1", SPEECH, 60, text="Hello.")
        await stage.later(200)
        assert stage.leg.texts == []
        assert backend.names_told() == ["greet"]
        stage.leg.peer.hang_up()
        await stage.over()


async def test_a_key_of_the_page_interrupts_and_reaches_the_agent() -> None:
    stage, page = webrtc_stage()
    async with stage:
        backend = await stage.talking()
        page.open()
        backend.answer("i1", SPEECH, 2000, text="For billing press one.")
        await stage.later(300)
        page.send("gateway.dtmf", digit="1")
        await stage.later(100)
        stage.leg.peer.hang_up()
        record = await stage.over()
    assert backend.told.index(("dtmf", "1")) > backend.names_told().index("interrupt")
    assert page.types[-2:] == ["output_audio_buffer.cleared", "conversation.item.truncated"]
    pressed = [entry.fields for entry in record.timeline if entry.kind == TimelineKind.DTMF_IN]
    assert pressed == [{"digit": "1", "method": "channel"}]
