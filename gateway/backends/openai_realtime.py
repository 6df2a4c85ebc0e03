"""The OpenAI Realtime backend (GA protocol over WebSocket); also Azure and the embedded bot."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import aiohttp
import msgspec

from gateway.backends import realtime_events as rt
from gateway.backends.contract import (
    BackendCapabilities,
    BackendContext,
    BackendError,
    BackendLost,
    BackendSink,
    ClientRequest,
    ForgetInput,
    Instructions,
    UserText,
    Utterance,
    WantAnswer,
)
from gateway.backends.linked import LinkedBackend
from gateway.backends.openai_account import choose_format, key_headers
from gateway.backends.realtime_formats import RealtimeFormats
from gateway.backends.realtime_session import RealtimeProtocolError, RealtimeSession
from gateway.backends.service_url import named, shown
from gateway.backends.socket import WebSocketLink
from gateway.config.models import OpenAIRealtimeAgent
from gateway.core.audio import WireFormat
from gateway.media.transcoder import Transcoder, decoder, encoder

OPEN_BUDGET_S: Final = 5.0
"""Connecting and configuring a session, retries included; the caller waits for it in silence after 3 s."""

_FATAL_CODES: Final = frozenset({"invalid_api_key", "model_not_found", "insufficient_quota"})
_EXPIRED_CODES: Final = frozenset({"session_expired"})


class OpenAIRealtimeBackend(LinkedBackend):
    """One Realtime session for one call."""

    def __init__(
        self,
        agent: OpenAIRealtimeAgent,
        context: BackendContext,
        http: aiohttp.ClientSession,
        tools: Sequence[dict[str, Any]] = (),
        *,
        speaks_first: bool | None = None,
        open_budget_s: float = OPEN_BUDGET_S,
    ) -> None:
        """`speaks_first`: whether `greet` asks for an answer; default: when there is a greeting."""
        self._agent = agent
        self._context = context
        self._http = http
        self._tools = list(tools)
        self._speaks_first = bool(agent.greeting) if speaks_first is None else speaks_first
        self._open_budget_s = open_budget_s
        wide, narrow = (
            choose_format(agent.audio, context.pcm_format.sample_rate_hz, narrow=narrow)
            for narrow in (False, True)
        )
        self._formats = RealtimeFormats(wide, narrow, begin_narrow=context.narrow)
        self._encoder = encoder(context.pcm_format, self._formats.heard)
        self._decoders: dict[WireFormat, Transcoder] = {}
        self._session = RealtimeSession(self._formats)
        self._sink: BackendSink | None = None
        self._link: WebSocketLink | None = None
        self._configured: asyncio.Future[None] | None = None
        self._lost: BackendError | None = None

    @property
    def capabilities(self) -> BackendCapabilities:
        """Turns, interruption, truncation and history are all the service's."""
        return BackendCapabilities(turn_events=True, interruptible=True, truncation=True, history=True)

    def describe(self) -> str:
        """URL without query and key, and the audio chain."""
        model, chain = self._agent.model, self._encoder.describe()
        return f"openai_realtime {shown(self._agent.url)} model {model} ({chain})"

    def _address(self) -> tuple[str, dict[str, str]]:
        url = urlsplit(self._agent.url)
        query = "&".join(filter(None, [url.query, urlencode({"model": self._agent.model})]))
        key = self._agent.api_key.get_secret_value()
        return url._replace(query=query).geturl(), key_headers(self._agent.url, key, self._agent.auth)

    async def open(self, sink: BackendSink, history: Sequence[Utterance] = ()) -> None:
        """Connect, configure and replay `history`. Raises `BackendError`."""
        self._sink = sink
        self._configured = asyncio.get_running_loop().create_future()
        url, headers = self._address()
        self._link = WebSocketLink(
            self._http, url, headers, on_message=self._on_message, on_lost=self._on_lost
        )
        deadline = asyncio.get_running_loop().time() + self._open_budget_s
        try:
            await self._link.connect(self._open_budget_s)
            self._link.send(self._settings())
            async with asyncio.timeout_at(deadline):
                await self._configured
            # The messages that configured the session and ended it may have come together.
            if self._lost is not None:
                raise self._lost
        except TimeoutError as exc:
            raise self._named(
                BackendError("unreachable", "the session was not configured in time", retryable=True)
            ) from exc
        except BackendError as exc:
            raise self._named(exc) from exc
        finally:
            self._configured = None
        self.catch_up(history)

    def _settings(self) -> bytes:
        barge_in = self._agent.barge_in
        return rt.session_update(
            wire_format=self._formats.heard,
            instructions=self._agent.instructions,
            voice=self._agent.voice,
            transcription_model=self._agent.transcription_model,
            turn_silence_ms=self._agent.turn_silence_ms,
            interrupts=barge_in.by == "backend" or barge_in.action == "flush",
            tools=self._tools,
        )

    def _named(self, error: BackendError) -> BackendError:
        return named(error, self._agent.url)

    # ---- from the service ---------------------------------------------------------------------

    def _on_message(self, message: str) -> None:
        sink = self._sink
        if sink is None:
            return
        try:
            event = rt.decode(message)
            if event.type == "response.output_audio.delta":
                data = self._session.audio(event)
                if data is not None:
                    decode = self._decode(self._formats.spoken(event.response_id))
                    sink.on_backend_audio(event.item_id, decode.process(data))
                return
            events = self._session.handle(event)
        except (msgspec.MsgspecError, RealtimeProtocolError) as exc:
            self._on_lost(BackendError("protocol", f"not the Realtime protocol: {exc}", retryable=True))
            return
        self._send_all(self._session.take_due())
        if event.type == "session.updated":
            self._confirm()
        elif event.type == "error" and self._is_fatal(event):
            return
        self._follow_formats(event)
        for item in events:
            sink.on_backend_event(item)

    def _decode(self, wire: WireFormat) -> Transcoder:
        known = self._decoders.get(wire)
        if known is None:
            known = self._decoders[wire] = decoder(wire, self._context.pcm_format)
        return known

    def _follow_formats(self, event: rt.ServerEvent) -> None:
        """Ask for another format between two answers, or go back when the service does not want it."""
        formats, before = self._formats, self._formats.heard
        if event.type == "response.done":
            self._change_format()
            return
        if event.type == "session.updated":
            formats.updated(rt.spoken_format(event), self._session.active_response)
        elif event.error is not None and event.error.event_id == rt.FORMAT_UPDATE:
            formats.refused()
        if formats.heard is not before:
            self._encode_as(formats.heard)

    def _change_format(self) -> None:
        wire = self._formats.ask(answering=self._session.answering)
        if wire is not None:
            self._send_all([rt.format_update(wire)])
            self._encode_as(wire)

    def _encode_as(self, wire: WireFormat) -> None:
        self._encoder = encoder(self._context.pcm_format, wire)
        if self._link is not None:
            self._link.forget_audio()

    def _confirm(self) -> None:
        if self._configured is not None and not self._configured.done():
            self._configured.set_result(None)

    def _is_fatal(self, event: rt.ServerEvent) -> bool:
        """Whether an error event ended the session; it does while the session is being configured."""
        code = (event.error and event.error.code) or ""
        words = (event.error and event.error.message) or code or "error"
        if code in _EXPIRED_CODES:
            self._on_lost(BackendError("expired", words, retryable=True))
        elif code in _FATAL_CODES or self._configured is not None:
            self._on_lost(BackendError("refused", f"{code}: {words}", retryable=False))
        else:
            return False
        return True

    def _on_lost(self, error: BackendError) -> None:
        if self._configured is not None:
            self._lost = self._lost or error
            self._confirm()
            return
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.on_backend_event(BackendLost(self._named(error)))

    # ---- from the call ------------------------------------------------------------------------

    def send_audio(self, pcm: bytes) -> None:
        """One frame of the caller's audio."""
        if self._link is not None:
            self._link.send_audio(rt.append_audio(self._encoder.process(pcm)))

    def greet(self) -> None:
        """Let the agent open the conversation, if it is one that does."""
        if self._speaks_first:
            self._send_all(self._session.ask(self._agent.greeting))

    def catch_up(self, said: Sequence[Utterance]) -> None:
        """Add it to the conversation."""
        self._send_all(rt.message_item(utterance) for utterance in said)

    def resume(self) -> None:
        """Ask for an answer to the replayed conversation."""
        self._send_all(self._session.resume())

    def interrupt(self, item_id: str) -> None:
        """Cancel what is being answered, unless the service did, and ignore the rest of it."""
        self._send_all(self._session.interrupt(item_id))

    def truncate(self, item_id: str, played_ms: int) -> None:
        """Tell the service what was heard."""
        self._send_all(self._session.truncate(item_id, played_ms))

    def played(self, item_id: str) -> None:
        """The protocol asks for it only at an interruption."""

    def send_dtmf(self, digit: str) -> None:
        """A key becomes a message of the caller, answered like speech."""
        self._send_all(self._session.key(digit))

    def send_tool_result(self, call_id: str, output: str) -> None:
        """Return a function's result and let the model go on."""
        self._send_all([rt.tool_output(call_id, output), *self._session.ask()])

    def tell(self, request: ClientRequest) -> None:
        """Texts, instructions and wishes have events of their own in the protocol."""
        match request:
            case UserText():
                self._send_all([rt.message_item(Utterance("caller", request.text))])
            case Instructions():
                self._formats.asked_otherwise()
                self._send_all([rt.instructions_update(request.text)])
            case WantAnswer():
                self._send_all(self._session.ask(request.instructions))
            case ForgetInput():
                self._send_all([rt.input_clear()])

    def narrow(self, on: bool) -> bool:
        """G.711 instead of 24 kHz PCM, where the format is the gateway's choice (`audio: auto`)."""
        possible = self._formats.want(narrow=on)
        self._change_format()
        return possible

    async def close(self) -> None:
        """End the session."""
        self._sink = None
        if self._link is not None:
            await self._link.close()
