"""A voice bot that speaks Twilio's Media Streams: the gateway behaves as Twilio does towards it.

The stream begins (`start`) when the agent may speak, not when the connection is made: a bot greets as
soon as it hears of a stream, and the phone may still be ringing then.
"""

import asyncio
import hashlib
import hmac
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import aiohttp

from gateway.backends import media_stream_messages as wire
from gateway.backends.contract import (
    BackendCapabilities,
    BackendContext,
    BackendError,
    BackendLost,
    BackendSink,
    ClientRequest,
    HungUp,
    Utterance,
)
from gateway.backends.linked import LinkedBackend
from gateway.backends.media_stream import MAX_MARKS, BotAudio, MediaStream, MediaStreamError, Outcome
from gateway.backends.service_url import named, shown
from gateway.backends.socket import CONTROL_MESSAGES, WebSocketLink
from gateway.config.agents_more import TwilioMediaStreamsAgent
from gateway.core.audio import WireFormat
from gateway.media.transcoder import decoder, encoder

CONNECT_BUDGET_S: Final = 5.0

MAX_MESSAGE_BYTES: Final = 2 << 20
"""More than a minute and a half of audio in one message; the playout holds two minutes in all."""

_VARIABLE = re.compile(r"\{(\w+)\}")


def signature(url: str, auth_token: str) -> str:
    """X-Twilio-Signature of a WebSocket handshake: HMAC-SHA1 of the URL (Twilio, "Security")."""
    return b64encode(hmac.new(auth_token.encode(), url.encode(), hashlib.sha1).digest()).decode()


def filled(parameters: Mapping[str, str], variables: Mapping[str, str]) -> dict[str, str]:
    """Parameters with `{name}` replaced by the call's variable, by nothing if it has none."""
    return {
        name: _VARIABLE.sub(lambda found: variables.get(found[1], ""), text)
        for name, text in parameters.items()
    }


class TwilioMediaStreamsBackend(LinkedBackend):
    """One stream for one call."""

    def __init__(
        self,
        agent: TwilioMediaStreamsAgent,
        context: BackendContext,
        http: aiohttp.ClientSession,
        tools: Sequence[dict[str, Any]] = (),
        *,
        connect_budget_s: float = CONNECT_BUDGET_S,
    ) -> None:
        """`tools` are of no use: the protocol has none."""
        self._agent = agent
        self._http = http
        self._connect_budget_s = connect_budget_s
        self._encoder = encoder(context.pcm_format, WireFormat.PCMU)
        self._decoder = decoder(WireFormat.PCMU, context.pcm_format)
        self._variables = context.variables
        self._stream = MediaStream(wire.stream_ids(context.call_id, agent.account_sid))
        self._sink: BackendSink | None = None
        self._link: WebSocketLink | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def capabilities(self) -> BackendCapabilities:
        """Audio and a way to take it back; turns are the gateway's business."""
        return BackendCapabilities(
            turn_events=False,
            interruptible=True,
            truncation=False,
            history=False,
            answers=False,
            transcripts=False,
            tools=False,
        )

    def describe(self) -> str:
        """URL without its query, and the audio chain."""
        return f"twilio_media_streams {shown(self._agent.url)} ({self._encoder.describe()})"

    async def open(self, sink: BackendSink, history: Sequence[Utterance] = ()) -> None:
        """Connect; `history` cannot be told. Raises `BackendError`."""
        self._sink = sink
        token = self._agent.auth_token.get_secret_value()
        self._link = WebSocketLink(
            self._http,
            self._agent.url,
            {"X-Twilio-Signature": signature(self._agent.url, token)} if token else {},
            on_message=self._on_message,
            on_binary=self._on_binary,
            on_lost=self._on_lost,
            finish=self._stream.numbered,
            max_message_bytes=MAX_MESSAGE_BYTES,
            # `clear` sends all marks back at once.
            control_messages=MAX_MARKS + CONTROL_MESSAGES,
        )
        try:
            await self._link.connect(self._connect_budget_s)
        except BackendError as exc:
            raise named(exc, self._agent.url) from exc
        self._link.send(wire.CONNECTED)

    # ---- from the bot -------------------------------------------------------------------------

    def _on_message(self, message: str) -> None:
        if self._sink is None:
            return
        try:
            outcome = self._stream.handle(message, self._now())
        except MediaStreamError as exc:
            self._on_lost(BackendError("protocol", str(exc), retryable=False))
            return
        self._carry_out(outcome)

    def _on_binary(self, message: bytes) -> None:
        if self._sink is None:
            return
        try:
            outcome = self._stream.wrong("binary_message", f"a binary message of {len(message)} bytes")
        except MediaStreamError as exc:
            self._on_lost(BackendError("protocol", str(exc), retryable=False))
            return
        self._carry_out(outcome)

    def _carry_out(self, outcome: Iterable[Outcome]) -> None:
        sink = self._sink
        if sink is None:
            return
        for item in outcome:
            if isinstance(item, BotAudio):
                sink.on_backend_audio(item.item_id, self._decoder.process(item.ulaw))
            else:
                sink.on_backend_event(item)
        self._send_all(self._stream.take_due())
        self._watch_for_silence()

    def _watch_for_silence(self) -> None:
        deadline = self._stream.next_deadline()
        if self._timer is None and deadline is not None:
            self._timer = asyncio.get_running_loop().call_at(deadline, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._carry_out(self._stream.handle_timeout(self._now()))

    def _on_lost(self, error: BackendError) -> None:
        sink, self._sink = self._sink, None
        if sink is None:
            return
        if self._link is not None and self._link.closed_normally:
            sink.on_backend_event(HungUp())
            error = BackendError(error.kind, str(error), retryable=False)
        sink.on_backend_event(BackendLost(named(error, self._agent.url)))

    # ---- from the call ------------------------------------------------------------------------

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    def _begin(self) -> None:
        if not self._stream.started:
            parameters = filled(self._agent.parameters, self._variables)
            self._send_all(self._stream.start(self._now(), parameters))

    def send_audio(self, pcm: bytes) -> None:
        """One frame of the caller's audio."""
        if self._link is not None and self._sink is not None:
            self._begin()
            self._link.send_audio(self._stream.caller_audio(self._encoder.process(pcm), self._now()))

    def greet(self) -> None:
        """Tell the bot of the stream; whether it speaks first is its own affair."""
        self._begin()

    def catch_up(self, said: Sequence[Utterance]) -> None:
        """The protocol has no words for it."""

    def resume(self) -> None:
        """A new stream is all that the bot can be told."""
        self._begin()

    def interrupt(self, item_id: str) -> None:
        """Drop what is still to come of the item; its marks go back."""
        self._stream.interrupt(item_id, self._now())
        self._send_all(self._stream.take_due())

    def truncate(self, item_id: str, played_ms: int) -> None:
        """The protocol has no words for it."""

    def played(self, item_id: str) -> None:
        """Send back the marks behind the item."""
        self._stream.played(item_id)
        self._send_all(self._stream.take_due())

    def send_dtmf(self, digit: str) -> None:
        """The caller pressed a key."""
        self._begin()
        self._send_all([self._stream.key(digit)])

    def send_tool_result(self, call_id: str, output: str) -> None:
        """The bot has its own tools."""

    def tell(self, request: ClientRequest) -> None:
        """The protocol has no words for it."""

    def _send_all(self, messages: Iterable[bytes]) -> None:
        if self._sink is not None:
            super()._send_all(messages)

    async def close(self) -> None:
        """End the stream."""
        alive, self._sink = self._sink is not None, None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._link is not None:
            await self._link.close(self._stream.stop() if alive and self._stream.started else b"")
