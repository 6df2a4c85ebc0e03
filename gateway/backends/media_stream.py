"""One bidirectional Media Stream as a sans-IO machine: the bot's messages in, what has to happen out.

Theory of operation. The bot sends audio as fast as it likes, and names places in it with marks. What
it sends between two marks is one item for the playout; a bot without marks gets its items cut where
it pauses (`AudioRuns`). A mark belongs to the item before it and goes back when that item was played,
when the bot cleared it, or when the gateway threw it away at a barge-in; with nothing unplayed before
it it goes back at once. Marks go back in the order in which they came.

At a barge-in by the gateway the bot is not told (the protocol has no words for it), and audio of the
interrupted item that is still to come is dropped until the item ends.

What is not the protocol is reported and left out; a peer that sends nothing else is given up.
"""

from binascii import a2b_base64
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from gateway.backends import media_stream_messages as wire
from gateway.backends.audio_runs import AudioRuns
from gateway.backends.contract import AudioDone, BackendEvent, ClearPlayout, ServiceNotice
from gateway.errors import RemoteError

BYTES_PER_S: Final = 8000
"""µ-law at 8 kHz."""

MAX_MARKS: Final = 8192
"""Marks that may wait for their audio: one for every 20 ms of the longest playout, and some."""

MAX_NAME_CHARS: Final = 1024
MAX_NOTICES: Final = 20
"""Complaints reported of one stream; the rest is counted."""

MAX_RUBBISH: Final = 100
"""Wrong messages in a row after which the peer is no bot for Media Streams."""


class MediaStreamError(RemoteError):
    """The peer does not speak the protocol at all."""


@dataclass(frozen=True, slots=True)
class BotAudio:
    """Speech of the bot."""

    item_id: str
    ulaw: bytes


Outcome = BackendEvent | BotAudio


class MediaStream:
    """State of one stream; times are monotonic seconds."""

    def __init__(self, ids: wire.StreamIds) -> None:
        self._ids = ids
        self._media_head = wire.media_head(ids)
        self._started_at: float | None = None
        self._chunks = 0
        self._numbered = -1
        self._runs = AudioRuns(ids.stream)
        self._muted: str | None = None
        """The item that was interrupted while it came."""
        self._unplayed: OrderedDict[str, list[str]] = OrderedDict()
        """Items on their way to the caller, each with the marks behind it."""
        self._marks = 0
        self._due: list[bytes] = []
        self._rubbish_in_a_row = 0
        self.wrong_messages = 0
        """Messages of the bot that were not the protocol."""

    @property
    def started(self) -> bool:
        """Whether the bot was told that the stream began."""
        return self._started_at is not None

    # ---- to the bot ---------------------------------------------------------------------------

    def numbered(self, message: bytes) -> bytes:
        """A message as it leaves; the first one is `connected`, which has no number."""
        self._numbered += 1
        return wire.numbered(message, self._numbered) if self._numbered else message

    def start(self, now: float, parameters: Mapping[str, str]) -> list[bytes]:
        """Begin the stream, once. `parameters`: what the bot is told of the call."""
        if self.started:
            return []
        self._started_at = now
        return [wire.start(self._ids, parameters)]

    def caller_audio(self, ulaw: bytes, now: float) -> bytes:
        """Audio of the caller that ended at `now`. Hot path."""
        assert self._started_at is not None
        self._chunks += 1
        began_at = now - self._started_at - len(ulaw) / BYTES_PER_S
        return wire.media(self._media_head, self._chunks, max(0, round(began_at * 1000)), ulaw)

    def key(self, digit: str) -> bytes:
        """The caller pressed a key."""
        return wire.dtmf(self._ids, digit)

    def stop(self) -> bytes:
        """The last message."""
        return wire.stop(self._ids)

    def take_due(self) -> list[bytes]:
        """Marks to send back because of what happened since the last call."""
        due, self._due = self._due, []
        return due

    # ---- from the bot -------------------------------------------------------------------------

    def handle(self, message: str | bytes, now: float) -> list[Outcome]:
        """One message; in order what has to happen. Raises `MediaStreamError` when it is no bot."""
        try:
            decoded = wire.decode(message)
            if decoded.stream_sid not in (None, self._ids.stream):
                raise ValueError("streamSid is not that of this stream")
            if not self.started:
                raise ValueError(f"{decoded.event} before start was sent")
            outcome = self._react(decoded, now)
        except (msgspec.MsgspecError, ValueError) as exc:
            return self.wrong("invalid_message", str(exc))
        self._rubbish_in_a_row = 0
        return outcome

    def _react(self, message: wire.BotMessage, now: float) -> list[Outcome]:
        match message.event:
            case "media":
                if message.media is None:
                    raise ValueError("media without a payload")
                return self._audio(a2b_base64(message.media.payload, strict_mode=True), now)
            case "mark":
                if message.mark is None:
                    raise ValueError("mark without a name")
                return self._mark(message.mark.name)
            case "clear":
                return self._clear()
        raise ValueError(f"unknown event {message.event[:40]!r}")

    def wrong(self, code: str, words: str) -> list[Outcome]:
        """Complain about a message. Raises `MediaStreamError` when nothing else comes."""
        self.wrong_messages += 1
        self._rubbish_in_a_row += 1
        if self._rubbish_in_a_row >= MAX_RUBBISH:
            raise MediaStreamError(
                f"{MAX_RUBBISH} messages in a row are not Media Streams; the last: {words}"
            )
        return [ServiceNotice(code, words)] if self.wrong_messages <= MAX_NOTICES else []

    def _audio(self, ulaw: bytes, now: float) -> list[Outcome]:
        if not ulaw:
            return []
        ended, item_id = self._runs.add(len(ulaw) / BYTES_PER_S, now)
        outcome = self._ended(ended)
        if item_id != self._muted:
            self._unplayed.setdefault(item_id, [])
            outcome.append(BotAudio(item_id, ulaw))
        return outcome

    def _ended(self, item_id: str | None) -> list[Outcome]:
        """Nothing more comes of an item."""
        if item_id is None:
            return []
        if item_id == self._muted:
            self._muted = None
            return []
        return [AudioDone(item_id)]

    def _mark(self, name: str) -> list[Outcome]:
        if len(name) > MAX_NAME_CHARS:
            raise ValueError(f"the name of a mark is longer than {MAX_NAME_CHARS} characters")
        if self._marks >= MAX_MARKS:
            raise ValueError(f"{MAX_MARKS} marks wait for their audio already")
        outcome = self._ended(self._runs.end())
        if self._unplayed:
            self._unplayed[next(reversed(self._unplayed))].append(name)
            self._marks += 1
        else:
            self._due.append(wire.mark(self._ids, name))
        return outcome

    def _clear(self) -> list[Outcome]:
        self._runs.end()
        self._muted = None
        while self._unplayed:
            self._give_back(next(iter(self._unplayed)))
        return [ClearPlayout()]

    # ---- from the playout ---------------------------------------------------------------------

    def played(self, item_id: str) -> None:
        """The caller heard all of the item, and so all before it."""
        while item_id in self._unplayed:
            self._give_back(next(iter(self._unplayed)))

    def interrupt(self, item_id: str, now: float) -> None:
        """The item was thrown away by the gateway; without a name: the one that is coming."""
        item_id = item_id or self._runs.current or ""
        if item_id in self._unplayed:
            self._give_back(item_id)
        if item_id and item_id == self._runs.current:
            self._muted = item_id
            self._runs.flushed(now)

    def _give_back(self, item_id: str) -> None:
        names = self._unplayed.pop(item_id)
        self._marks -= len(names)
        self._due += [wire.mark(self._ids, name) for name in names]

    # ---- time ---------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """When `handle_timeout` has something to do."""
        return self._runs.next_deadline()

    def handle_timeout(self, now: float) -> list[Outcome]:
        """The bot fell silent without saying so."""
        return self._ended(self._runs.handle_timeout(now))
