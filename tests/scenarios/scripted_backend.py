"""An AI service in memory that does what the scenario says and remembers what it was told."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.backends import contract as ai
from gateway.core.audio import PcmFormat
from tests.sounds import steady

Told = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Opening:
    """How opening a session goes."""

    takes_s: float = 0.05
    error: Exception | None = None


class ScriptedBackend:
    """Implements `gateway.backends.contract.Backend`."""

    def __init__(self, context: ai.BackendContext, opening: Opening) -> None:
        self.context = context
        self.told: list[Told] = []
        """Commands in order, audio left out."""
        self.history: tuple[ai.Utterance, ...] = ()
        self.heard = bytearray()
        """The caller's audio."""
        self.condition = ai.WELL
        """Of the connection; to be set."""
        self.played_items: list[str] = []
        """Items that were played to their end."""
        self.narrowed: list[bool] = []
        """What became of the audio's width."""
        self.closed = False
        self.dropped_ms = 0.0
        self._opening = opening
        self._sink: ai.BackendSink | None = None
        self._interrupted: set[str] = set()
        self._news = asyncio.Event()

    # ---- contract -----------------------------------------------------------------------------

    @property
    def capabilities(self) -> ai.BackendCapabilities:
        """Everything."""
        return ai.BackendCapabilities(turn_events=True, interruptible=True, truncation=True, history=True)

    def describe(self) -> str:
        """For the timeline."""
        return "scripted service"

    async def open(self, sink: ai.BackendSink, history: Sequence[ai.Utterance] = ()) -> None:
        """Take the time and come to the end that the script gives."""
        self.history = tuple(history)
        await asyncio.sleep(self._opening.takes_s)
        if self._opening.error is not None:
            raise self._opening.error
        self._sink = sink

    def greet(self) -> None:
        """Note it."""
        self._tell("greet")

    def catch_up(self, said: Sequence[ai.Utterance]) -> None:
        """Remember it."""
        self.history += tuple(said)

    def resume(self) -> None:
        """Note it."""
        self._tell("resume")

    def send_audio(self, pcm: bytes) -> None:
        """Keep it."""
        self.heard += pcm

    def interrupt(self, item_id: str) -> None:
        """Note it, and say nothing more of the item."""
        self._tell("interrupt", item_id)
        self._interrupted.add(item_id)

    def truncate(self, item_id: str, played_ms: int) -> None:
        """Note it."""
        self._tell("truncate", item_id, played_ms)

    def played(self, item_id: str) -> None:
        """Note it."""
        self.played_items.append(item_id)

    def narrow(self, on: bool) -> bool:
        """Note it."""
        self.narrowed.append(on)
        return True

    def health(self) -> ai.BackendHealth:
        """As the scenario says."""
        return self.condition

    def send_dtmf(self, digit: str) -> None:
        """Note it."""
        self._tell("dtmf", digit)

    def send_tool_result(self, call_id: str, output: str) -> None:
        """Note it."""
        self._tell("tool_result", call_id, output)

    def tell(self, request: ai.ClientRequest) -> None:
        """Note it."""
        match request:
            case ai.UserText():
                self._tell("text", request.item_id, request.text)
            case ai.Instructions():
                self._tell("instructions", request.text)
            case ai.WantAnswer():
                self._tell("want_answer", request.instructions)
            case ai.ForgetInput():
                self._tell("forget_input")

    async def close(self) -> None:
        """Nothing is delivered any more."""
        self.closed = True
        self._sink = None

    # ---- for the scenario ---------------------------------------------------------------------

    @property
    def _format(self) -> PcmFormat:
        return self.context.pcm_format

    @property
    def heard_ms(self) -> float:
        """How much of the caller was heard."""
        return self._format.duration_ms(len(self.heard))

    def _tell(self, *what: str | int) -> None:
        self.told.append(what)
        self._news.set()

    def names_told(self) -> list[str]:
        """Commands without their arguments."""
        return [str(told[0]) for told in self.told]

    async def until_told(self, name: str) -> Told:
        """The first command of that name."""
        while True:
            for told in self.told:
                if told[0] == name:
                    return told
            self._news.clear()
            await self._news.wait()

    def emit(self, *events: ai.BackendEvent) -> None:
        """Report something; a closed session is silent."""
        for event in events:
            if self._sink is not None:
                self._sink.on_backend_event(event)

    def audio(self, item_id: str, value: int, duration_ms: int) -> None:
        """Answer audio that a listener recognises by its sample value."""
        self.send_pcm(item_id, steady(value, duration_ms, self._format.sample_rate_hz))

    def send_pcm(self, item_id: str, pcm: bytes) -> None:
        """Any answer audio."""
        if self._sink is not None and pcm and item_id not in self._interrupted:
            self._sink.on_backend_audio(item_id, pcm)

    def begin(self, item_id: str, value: int, duration_ms: int) -> None:
        """The first part of an answer, sent at once; more may follow."""
        self.emit(ai.ResponseStarted(f"response of {item_id}"))
        self.audio(item_id, value, duration_ms)

    def finish(self, item_id: str, text: str = "") -> None:
        """The end of an answer."""
        if text:
            self.emit(ai.Transcript(item_id, ai.Utterance("agent", text), final=True))
        self.emit(ai.AudioDone(item_id), ai.ResponseDone(f"response of {item_id}", "completed"))

    def answer(self, item_id: str, value: int, duration_ms: int, text: str = "") -> None:
        """A whole answer, sent at once."""
        self.begin(item_id, value, duration_ms)
        self.finish(item_id, text)

    def caller_turn(self, item_id: str) -> None:
        """The caller's turn begins and ends."""
        self.emit(ai.SpeechStarted(item_id), ai.SpeechStopped(item_id))

    def function_call(self, call_id: str, name: str, arguments: str = "{}") -> None:
        """The model wants something done."""
        self.emit(ai.FunctionCall(call_id, name, arguments))

    def caller_said(self, item_id: str, text: str) -> None:
        """The caller's words are written down."""
        self.emit(ai.Transcript(item_id, ai.Utterance("caller", text), final=True))

    def lose(self, kind: ai.FaultKind = "lost", *, retryable: bool = True) -> None:
        """The session is over."""
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.on_backend_event(
                ai.BackendLost(ai.BackendError(kind, "the service went away", retryable=retryable))
            )
