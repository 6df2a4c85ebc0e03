"""OpenAI's GPT-Live over WebSocket: full duplex, so that the gateway never cuts the agent short."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, Final

import aiohttp
import msgspec

from gateway.backends import live_events as live
from gateway.backends.contract import (
    BackendCapabilities,
    BackendContext,
    BackendError,
    BackendEvent,
    BackendLost,
    BackendSink,
    ClientRequest,
    FaultKind,
    ForgetInput,
    Instructions,
    UserText,
    Utterance,
    WantAnswer,
)
from gateway.backends.linked import LinkedBackend
from gateway.backends.live_session import LiveProtocolError, LiveSession
from gateway.backends.openai_account import choose_format, key_headers
from gateway.backends.service_url import named, shown
from gateway.backends.socket import WebSocketLink
from gateway.config.agents_more import OpenAILiveAgent
from gateway.media.g711 import rms
from gateway.media.transcoder import decoder, encoder

OPEN_BUDGET_S: Final = 5.0

_SILENT_RMS: Final = 10
"""−70 dBFS; nobody's breath is that quiet."""

_EXPIRED: Final = frozenset({"session_expired"})
_FATAL: Final = frozenset(
    {"invalid_api_key", "model_not_found", "insufficient_quota", "credit_balance_exhausted"}
)

_ANSWER_NOW: Final = "Speak now: go on with the conversation where it was left."


class OpenAILiveBackend(LinkedBackend):
    """One GPT-Live session for one call."""

    def __init__(
        self,
        agent: OpenAILiveAgent,
        context: BackendContext,
        http: aiohttp.ClientSession,
        tools: Sequence[dict[str, Any]] = (),
        *,
        open_budget_s: float = OPEN_BUDGET_S,
    ) -> None:
        self._agent = agent
        self._http = http
        self._tools = list(tools)
        self._open_budget_s = open_budget_s
        self._wire_format = choose_format(
            agent.audio, context.pcm_format.sample_rate_hz, narrow=context.narrow
        )
        self._encoder = encoder(context.pcm_format, self._wire_format)
        self._decoder = decoder(self._wire_format, context.pcm_format)
        self._session = LiveSession(self._wire_format)
        self._sink: BackendSink | None = None
        self._link: WebSocketLink | None = None
        self._started: asyncio.Future[None] | None = None
        self._lost: BackendError | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0

    @property
    def capabilities(self) -> BackendCapabilities:
        """It takes turns by itself, in its own time, and says nothing of them."""
        return BackendCapabilities(
            turn_events=False,
            interruptible=False,
            truncation=False,
            history=True,
            answers=False,
            tools=bool(self._tools),
        )

    def describe(self) -> str:
        """URL without its query and key, and the audio chain."""
        model, chain = self._agent.model, self._encoder.describe()
        return f"openai_live {shown(self._agent.url)} model {model} ({chain})"

    async def open(self, sink: BackendSink, history: Sequence[Utterance] = ()) -> None:
        """Connect and start the session with what was said before. Raises `BackendError`."""
        self._sink = sink
        loop = asyncio.get_running_loop()
        self._started = loop.create_future()
        key = self._agent.api_key.get_secret_value()
        self._link = WebSocketLink(
            self._http,
            self._agent.url,
            key_headers(self._agent.url, key, self._agent.auth),
            on_message=self._on_message,
            on_lost=self._on_lost,
        )
        deadline = loop.time() + self._open_budget_s
        try:
            await self._link.connect(self._open_budget_s)
            self._link.send(self._start(history))
            async with asyncio.timeout_at(deadline):
                await self._started
            # The messages that started the session and ended it may have come together.
            if self._lost is not None:
                raise self._lost
        except TimeoutError as exc:
            late = BackendError("unreachable", "the session was not started in time", retryable=True)
            raise named(late, self._agent.url) from exc
        except BackendError as exc:
            raise named(exc, self._agent.url) from exc
        finally:
            self._started = None

    def _start(self, history: Sequence[Utterance]) -> bytes:
        return live.session_start(
            model=self._agent.model,
            wire_format=self._wire_format,
            instructions=self._agent.instructions,
            voice=self._agent.voice,
            history=history,
            tools=self._tools,
            tool_model=self._agent.tool_model,
            tool_instructions=self._agent.tool_instructions,
        )

    # ---- from the service ---------------------------------------------------------------------

    def _on_message(self, message: str) -> None:
        if self._sink is None:
            return
        try:
            event = live.decode(message)
            if event.type == "session.output_audio.delta":
                self._speak(self._session.audio(event))
                return
        except (msgspec.MsgspecError, LiveProtocolError) as exc:
            self._on_lost(BackendError("protocol", f"not the GPT-Live protocol: {exc}", retryable=True))
            return
        match event.type:
            case "session.started":
                self._confirm()
            case "session.closed":
                self._on_lost(_closed(event.reason))
            case "error" if (error := self._fatal(event)) is not None:
                self._on_lost(error)
            case _:
                self._report(self._session.handle(event, self._now()))

    def _speak(self, data: bytes) -> None:
        pcm = self._decoder.process(data)
        events, item_id = self._session.heard(len(data), self._now(), silent=rms(pcm) < _SILENT_RMS)
        self._report(events)
        if item_id is not None and self._sink is not None:
            self._sink.on_backend_audio(item_id, pcm)

    def _report(self, events: Iterable[BackendEvent]) -> None:
        for event in events:
            if self._sink is not None:
                self._sink.on_backend_event(event)
        self._send_all(self._session.take_due())
        self._watch_for_pauses()

    def _watch_for_pauses(self) -> None:
        deadline = self._session.next_deadline()
        if deadline is None or (self._timer is not None and self._timer_at <= deadline):
            return
        self._stop_timer()
        self._timer_at = deadline
        self._timer = asyncio.get_running_loop().call_at(deadline, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._report(self._session.handle_timeout(self._now()))

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _confirm(self) -> None:
        if self._started is not None and not self._started.done():
            self._started.set_result(None)

    def _fatal(self, event: live.ServerEvent) -> BackendError | None:
        """What an error event means for the session; None if it goes on."""
        code = (event.error and event.error.code) or ""
        words = (event.error and event.error.message) or code or "error"
        if code in _EXPIRED:
            return BackendError("expired", words, retryable=True)
        if code in _FATAL or self._started is not None:
            return BackendError("refused", f"{code}: {words}", retryable=False)
        return None

    def _on_lost(self, error: BackendError) -> None:
        if self._started is not None:
            self._lost = self._lost or error
            self._confirm()
            return
        self._stop_timer()
        if self._sink is not None:
            sink, self._sink = self._sink, None
            for event in self._session.finish():
                sink.on_backend_event(event)
            sink.on_backend_event(BackendLost(named(error, self._agent.url)))

    # ---- from the call ------------------------------------------------------------------------

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    def send_audio(self, pcm: bytes) -> None:
        """One frame of the caller's audio."""
        if self._link is not None:
            self._link.send_audio(live.append_audio(self._encoder.process(pcm)))

    def greet(self) -> None:
        """Let the agent open the conversation, if it is one that does."""
        if self._agent.greeting:
            self._send_all([live.instruct(self._agent.greeting)])

    def catch_up(self, said: Sequence[Utterance]) -> None:
        """The voice is told what the caller said, and what it said itself."""
        names = {"caller": "The caller said", "agent": "You said"}
        self._send_all(live.mention(f"{names[each.role]}: {each.text}") for each in said)

    def resume(self) -> None:
        """Ask for an answer to the conversation that the session began with."""
        self._send_all([live.instruct(_ANSWER_NOW)])

    def interrupt(self, item_id: str) -> None:
        """The model hears the caller and decides by itself."""

    def truncate(self, item_id: str, played_ms: int) -> None:
        """The model's audio comes in real time; it knows what was heard."""

    def played(self, item_id: str) -> None:
        """The protocol does not ask for it."""

    def send_dtmf(self, digit: str) -> None:
        """The protocol has no keys; the voice is told."""
        self._send_all([live.instruct(f"The caller pressed the key {digit} on the phone. React to it.")])

    def send_tool_result(self, call_id: str, output: str) -> None:
        """Return a function's result and let the model behind the voice go on."""
        self._send_all([live.tool_output(call_id, output), live.CONTINUE])

    def tell(self, request: ClientRequest) -> None:
        """What the caller wrote is told without authority; wishes become instructions."""
        match request:
            case UserText():
                self._send_all([live.mention(f"The caller wrote: {request.text}")])
            case Instructions():
                self._send_all([live.instruct(request.text)])
            case WantAnswer():
                self._send_all([live.instruct(request.instructions or _ANSWER_NOW)])
            case ForgetInput():
                pass

    async def close(self) -> None:
        """End the session; what was being said is still reported."""
        alive = self._sink is not None
        self._stop_timer()
        self._report(self._session.finish())
        self._stop_timer()
        self._sink = None
        if self._link is not None:
            await self._link.close(live.CLOSE if alive else b"")


def _closed(reason: str) -> BackendError:
    """What the reason of a session.closed means."""
    kinds: dict[str, tuple[FaultKind, bool]] = {"expired": ("expired", True), "content": ("refused", False)}
    kind, retryable = kinds.get(reason, ("lost", True))
    words = f"the service ended the session ({reason or 'no reason given'})"
    return BackendError(kind, words, retryable=retryable)
