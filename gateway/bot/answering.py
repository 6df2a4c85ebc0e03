"""The bot's side of a session: what to answer, the answer being sent, and what of it was heard. Pure.

A client plays answers in real time though it receives them faster. `heard_ms` is what it can have
played by now, counted from the first audio; a truncation by the client replaces the guess.
"""

import json
import re
from collections import deque
from collections.abc import Callable
from typing import Final, Literal

from gateway.bot.dialogue import Conversation, Reply
from gateway.bot.protocol import ServerEvent
from gateway.bot.response import CancelReason, NewId, Response
from gateway.bot.settings import Settings

_KEYS: Final = re.compile(r"^\s*DTMF:\s*([0-9*#]{1,8})\s*$", re.IGNORECASE)
_PENDING_MAX: Final = 16
_NOT_OFFERED: Final = json.dumps({"error": "the client does not offer this function"})

Input = tuple[Literal["words", "key", "result"], str]
FindSpeechAt = Callable[[str, int], bytes | None]
"""PCM of a sentence at a sample rate, or None if it has to be synthesised first."""


class Answering:
    """Answers of one session."""

    def __init__(self, conversation: Conversation, find: FindSpeechAt, new_id: NewId) -> None:
        self._conversation = conversation
        self._find = find
        self._new_id = new_id
        self._pending: deque[Input] = deque(maxlen=_PENDING_MAX)
        self._rate_hz = 24000
        self._response: Response | None = None
        self._first_audio_at: float | None = None
        self._stopped_ms: float | None = None
        """What was heard of a response whose playing has ended early."""

    @property
    def active(self) -> bool:
        """Whether a response is being sent."""
        return self._response is not None and not self._response.finished

    @property
    def active_id(self) -> str | None:
        """Id of the response being sent."""
        return self._response.id if self._response is not None and self.active else None

    @property
    def item_id(self) -> str | None:
        """Message item of the latest response."""
        return self._response.item_id if self._response is not None else None

    @property
    def sent_ms(self) -> float:
        """Audio of the latest response that has been sent."""
        return self._response.sent_ms if self._response is not None else 0.0

    @property
    def grammar(self) -> str:
        """What to listen for now."""
        return self._conversation.grammar

    # ---- input ----------------------------------------------------------------------------------

    def caller_said(self, text: str) -> None:
        """A turn of the caller, to be answered by the next response; `DTMF: 5` are keys."""
        keys = _KEYS.match(text)
        if keys is None:
            self._pending.append(("words", text))
        else:
            self._pending.extend(("key", key) for key in keys[1])

    def tool_answered(self, output: str) -> None:
        """The result of the function called last."""
        self._pending.append(("result", output))

    def already_answered(self) -> None:
        """A replayed conversation goes on with something the bot has said: don't answer again."""
        if self._pending:
            self._take_pending()
        elif not self._conversation.greeted:
            self._conversation.greet()

    def _take_pending(self) -> Reply:
        reply = Reply()
        while self._pending:
            kind, text = self._pending.popleft()
            match kind:
                case "words":
                    reply = self._conversation.heard(text)
                case "key":
                    reply = self._conversation.pressed(text)
                case "result":
                    reply = self._conversation.tool_answered(text)
        return reply

    # ---- output ---------------------------------------------------------------------------------

    def respond(
        self,
        settings: Settings,
        now: float,
        *,
        conversation_id: str,
        metadata: dict[str, str] | None = None,
    ) -> list[ServerEvent]:
        """Begin the answer to what is pending, or ask where the dialogue stands."""
        reply = self._take_pending() if self._pending else self._conversation.ask()
        if reply.call is not None and not settings.may_call(reply.call.name):
            refused = self._conversation.tool_answered(_NOT_OFFERED)
            reply = Reply(reply.say + refused.say, refused.call)
        self._rate_hz = settings.output_format.sample_rate_hz
        self._response = Response(
            reply, settings, self._new_id, conversation_id=conversation_id, metadata=metadata
        )
        self._first_audio_at = None
        self._stopped_ms = None
        return self._response.start() + self.advance(now)

    def advance(self, now: float) -> list[ServerEvent]:
        """What is due of the response being sent."""
        if self._response is None or self._response.finished:
            return []
        events = self._response.advance(now, lambda text: self._find(text, self._rate_hz))
        if self._first_audio_at is None and self._response.sent_ms:
            self._first_audio_at = now
        return events

    def cancel(self, reason: CancelReason) -> list[ServerEvent]:
        """Stop sending."""
        assert self._response is not None
        return self._response.cancel(reason)

    def speech_failed(self) -> list[ServerEvent]:
        """The sentence in `wanted_speech` cannot be made."""
        return self._response.fail("speech_failed") if self._response is not None and self.active else []

    @property
    def wanted_speech(self) -> tuple[str, int] | None:
        """Sentence and sample rate that has to be synthesised before the response can go on."""
        if self._response is None or self._response.finished or self._response.waiting_for is None:
            return None
        return self._response.waiting_for, self._rate_hz

    @property
    def next_deadline(self) -> float | None:
        """When `advance` has something to do."""
        return self._response.next_deadline if self._response is not None else None

    # ---- what is heard --------------------------------------------------------------------------

    @property
    def playing_until(self) -> float | None:
        """When the client will have played what was sent; None when nothing plays."""
        if self._first_audio_at is None or self._stopped_ms is not None:
            return None
        return self._first_audio_at + self.sent_ms / 1000

    def is_heard(self, now: float) -> bool:
        """Whether the caller hears the bot at this moment, as far as can be known here."""
        until = self.playing_until
        return until is not None and (now < until or self.active)

    def interrupted(self, now: float) -> None:
        """The caller began to speak while the bot may be heard."""
        if self.is_heard(now) and self._first_audio_at is not None:
            self._heard(min(self.sent_ms, (now - self._first_audio_at) * 1000))

    def truncated(self, item_id: str, heard_ms: float) -> None:
        """The client says how much of an answer was heard."""
        if item_id == self.item_id:
            self._heard(heard_ms)

    def _heard(self, heard_ms: float) -> None:
        assert self._response is not None
        self._stopped_ms = heard_ms
        whole = sum(1 for end_ms in self._response.sentence_ends_ms if end_ms <= heard_ms)
        self._conversation.overheard(whole)
