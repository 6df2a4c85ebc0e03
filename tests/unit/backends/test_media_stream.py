"""One Media Stream in virtual time, without a socket."""

import base64
import json
from typing import Any

import pytest

from gateway.backends.audio_runs import GAP_S
from gateway.backends.contract import AudioDone, ClearPlayout, ServiceNotice
from gateway.backends.media_stream import (
    MAX_MARKS,
    MAX_NOTICES,
    MAX_RUBBISH,
    BotAudio,
    MediaStream,
    MediaStreamError,
    Outcome,
)
from gateway.backends.media_stream_messages import CONNECTED, StreamIds, stream_ids
from gateway.core.ids import CallId

SID = "MZ1"
T0 = 100.0


class Bot:
    """A stream that has begun, and what a bot can do to it."""

    def __init__(self) -> None:
        self.stream = MediaStream(StreamIds(SID, "CA1", "AC1"))
        self.now = T0
        self.begun = self.stream.start(T0, {"tier": "gold"})

    def message(self, event: str, **fields: object) -> list[Outcome]:
        """Any message."""
        return self.stream.handle(json.dumps({"event": event, "streamSid": SID, **fields}), self.now)

    def media(self, duration_ms: int) -> list[Outcome]:
        """Audio."""
        return self.message("media", media={"payload": payload(duration_ms)})

    def mark(self, name: str) -> list[Outcome]:
        """A mark."""
        return self.message("mark", mark={"name": name})

    def returned(self) -> list[str]:
        """Names of the marks that went back since the last call."""
        messages = [json.loads(message) for message in self.stream.take_due()]
        assert all(message["event"] == "mark" and message["streamSid"] == SID for message in messages)
        return [message["mark"]["name"] for message in messages]


def ulaw(duration_ms: int) -> bytes:
    return bytes(8 * duration_ms)


def payload(duration_ms: int) -> str:
    return base64.b64encode(ulaw(duration_ms)).decode()


def audio(item: int, duration_ms: int) -> BotAudio:
    return BotAudio(f"{SID}_{item}", ulaw(duration_ms))


@pytest.fixture
def bot() -> Bot:
    return Bot()


# ---- to the bot ----------------------------------------------------------------------------------


def decoded(message: bytes) -> dict[str, Any]:
    value = json.loads(message)
    assert isinstance(value, dict)
    return value


def test_start_is_sent_once(bot: Bot) -> None:
    (start,) = bot.begun
    assert decoded(start)["start"] == {
        "streamSid": SID,
        "accountSid": "AC1",
        "callSid": "CA1",
        "tracks": ["inbound"],
        "customParameters": {"tier": "gold"},
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
    }
    assert bot.stream.start(T0 + 1, {}) == []


def test_messages_are_numbered_as_they_leave(bot: Bot) -> None:
    assert bot.stream.numbered(CONNECTED) == CONNECTED
    numbers = [decoded(bot.stream.numbered(bot.stream.key("1")))["sequenceNumber"] for _ in range(3)]
    assert numbers == ["1", "2", "3"]


def test_audio_is_counted_and_dated(bot: Bot) -> None:
    frames = [decoded(bot.stream.caller_audio(ulaw(20), T0 + 0.02 * n)) for n in range(1, 4)]
    assert [frame["media"]["chunk"] for frame in frames] == ["1", "2", "3"]
    assert [frame["media"]["timestamp"] for frame in frames] == ["0", "20", "40"]
    assert {frame["media"]["track"] for frame in frames} == {"inbound"}
    assert base64.b64decode(frames[0]["media"]["payload"]) == ulaw(20)


def test_a_frame_from_before_the_start_is_not_dated_before_it(bot: Bot) -> None:
    assert decoded(bot.stream.caller_audio(ulaw(20), T0))["media"]["timestamp"] == "0"


@pytest.mark.parametrize(
    ("call_id", "call"),
    [
        ("call_0123456789abcdef0123", "CA0000000000000123456789abcdef0123"),
        ("call_1", "CA" + "1".rjust(32, "0")),
        ("call_" + "f" * 60, "CA" + "f" * 32),
    ],
)
def test_identifiers_have_twilios_form(call_id: str, call: str) -> None:
    ids = stream_ids(CallId(call_id), "")
    assert ids.call == call
    assert [len(name) for name in (ids.stream, ids.call, ids.account)] == [34, 34, 34]
    assert ids.stream != stream_ids(CallId(call_id), "").stream


# ---- items and marks -----------------------------------------------------------------------------


def test_what_lies_between_two_marks_is_one_item(bot: Bot) -> None:
    assert bot.media(100) == [audio(1, 100)]
    assert bot.media(60) == [audio(1, 60)]
    assert bot.mark("a") == [AudioDone(f"{SID}_1")]
    assert bot.media(20) == [audio(2, 20)]
    assert bot.returned() == []


def test_a_mark_goes_back_when_its_item_was_played(bot: Bot) -> None:
    bot.media(100)
    bot.mark("a")
    bot.media(100)
    bot.mark("b")
    bot.mark("c")
    bot.stream.played(f"{SID}_1")
    assert bot.returned() == ["a"]
    bot.stream.played(f"{SID}_2")
    assert bot.returned() == ["b", "c"]


def test_a_mark_with_nothing_unplayed_before_it_goes_back_at_once(bot: Bot) -> None:
    bot.mark("a")
    assert bot.returned() == ["a"]
    bot.media(100)
    bot.mark("b")
    bot.stream.played(f"{SID}_1")
    bot.mark("c")
    assert bot.returned() == ["b", "c"]


def test_items_are_played_in_order(bot: Bot) -> None:
    bot.media(100)
    bot.mark("a")
    bot.media(100)
    bot.mark("b")
    bot.stream.played(f"{SID}_2")
    assert bot.returned() == ["a", "b"]
    bot.stream.played(f"{SID}_1")
    assert bot.returned() == []


def test_a_mark_after_a_pause_belongs_to_the_audio_before_the_pause(bot: Bot) -> None:
    bot.media(1000)
    bot.now += 1.0 + GAP_S
    assert bot.stream.handle_timeout(bot.now) == [AudioDone(f"{SID}_1")]
    assert bot.mark("a") == []
    assert bot.returned() == []
    bot.stream.played(f"{SID}_1")
    assert bot.returned() == ["a"]


def test_audio_after_a_pause_is_another_item(bot: Bot) -> None:
    bot.media(100)
    bot.now += 5
    assert bot.media(100) == [AudioDone(f"{SID}_1"), audio(2, 100)]


def test_clear_gives_back_every_mark_in_order(bot: Bot) -> None:
    bot.media(100)
    bot.mark("a")
    bot.media(100)
    bot.mark("b")
    bot.mark("c")
    bot.media(100)
    assert bot.message("clear") == [ClearPlayout()]
    assert bot.returned() == ["a", "b", "c"]
    assert bot.media(20) == [audio(4, 20)]
    bot.stream.played(f"{SID}_1")
    assert bot.returned() == []


def test_empty_audio_is_nothing(bot: Bot) -> None:
    assert bot.media(0) == []
    assert bot.stream.next_deadline() is None


# ---- the gateway interrupts ----------------------------------------------------------------------


def test_an_interrupted_item_gives_its_marks_back(bot: Bot) -> None:
    bot.media(1000)
    bot.mark("a")
    bot.stream.interrupt(f"{SID}_1", bot.now)
    assert bot.returned() == ["a"]
    assert bot.media(20) == [audio(2, 20)]


@pytest.mark.parametrize("name", [f"{SID}_1", ""])
def test_the_rest_of_an_interrupted_item_is_not_heard(bot: Bot, name: str) -> None:
    bot.media(1000)
    bot.stream.interrupt(name, bot.now)
    assert bot.media(1000) == []
    assert bot.mark("a") == []
    assert bot.returned() == ["a"]
    assert bot.media(20) == [audio(2, 20)]


def test_clear_ends_an_interruption(bot: Bot) -> None:
    bot.media(1000)
    bot.stream.interrupt(f"{SID}_1", bot.now)
    bot.message("clear")
    assert bot.media(20) == [audio(2, 20)]


def test_a_bot_without_marks_is_heard_again_after_a_pause(bot: Bot) -> None:
    bot.media(60_000)
    bot.now += 1
    bot.stream.interrupt(f"{SID}_1", bot.now)
    bot.now += GAP_S / 2
    assert bot.media(20) == []
    bot.now += 1
    assert bot.media(20) == [audio(2, 20)]


def test_interrupting_nothing(bot: Bot) -> None:
    bot.stream.interrupt("", bot.now)
    bot.stream.interrupt("other", bot.now)
    assert bot.media(20) == [audio(1, 20)]


# ---- rubbish -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [
        "",
        "[]",
        "{",
        '{"event": 1}',
        '{"no": "event"}',
        '{"event":"media"}',
        '{"event":"media","media":{}}',
        '{"event":"media","media":{"payload":"\u00e4"}}',
        '{"event":"media","media":{"payload":"a"}}',
        '{"event":"mark","mark":{"name":3}}',
        '{"event":"mark","mark":{"name":"' + "x" * 2000 + '"}}',
        '{"event":"unheard-of"}',
        '{"event":"clear","streamSid":"another"}',
        '{"event":' + '{"a":' * 5000,
    ],
)
def test_rubbish_is_reported_and_left_out(bot: Bot, message: str) -> None:
    (notice,) = bot.stream.handle(message, bot.now)
    assert isinstance(notice, ServiceNotice)
    assert notice.code == "invalid_message"
    assert bot.stream.take_due() == []
    assert bot.media(20) == [audio(1, 20)]


def test_complaints_are_limited_and_counted(bot: Bot) -> None:
    complaints: list[Outcome] = []
    for _ in range(MAX_NOTICES + 30):
        complaints += bot.stream.handle("rubbish", bot.now)
        bot.media(20)
    assert len(complaints) == MAX_NOTICES
    assert bot.stream.wrong_messages == MAX_NOTICES + 30


def test_a_peer_that_sends_nothing_else_is_given_up(bot: Bot) -> None:
    for _ in range(MAX_RUBBISH - 1):
        bot.stream.handle("rubbish", bot.now)
    with pytest.raises(MediaStreamError):
        bot.stream.handle("rubbish", bot.now)


def test_marks_are_bounded(bot: Bot) -> None:
    bot.media(20)
    for n in range(MAX_MARKS):
        bot.mark(str(n))
    (notice,) = bot.mark("one too many")
    assert isinstance(notice, ServiceNotice)
    bot.stream.played(f"{SID}_1")
    assert len(bot.returned()) == MAX_MARKS
    bot.media(20)
    assert bot.mark("room again") == [AudioDone(f"{SID}_2")]


def test_a_bot_cannot_speak_before_it_was_told_of_the_stream() -> None:
    stream = MediaStream(StreamIds(SID, "CA1", "AC1"))
    (notice,) = stream.handle('{"event":"clear"}', T0)
    assert isinstance(notice, ServiceNotice)
