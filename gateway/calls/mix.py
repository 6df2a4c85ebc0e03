"""A conference within one call: who hears what while a mix is needed, driven by the core's clock."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from gateway.calls.party import Party
from gateway.calls.ticker import Ticker
from gateway.core.audio import PcmFormat
from gateway.core.ids import LegId, Mark
from gateway.core.playout import MarkStarted, Playout
from gateway.media.mixer import Mixer
from gateway.wire import card as wire

_AGENT: Final = "agent"
_NO_LEG: Final = LegId(0)

OnPlayed = Callable[[wire.PlayStarted | wire.PlayFinished], None]


class MixVoice:
    """The agent's playout while its audio goes into a mix; the part of `Leg` that it needs."""

    def __init__(self, pcm_format: PcmFormat, clock: Callable[[], float], on_played: OnPlayed) -> None:
        self._playout = Playout(pcm_format)
        self._clock = clock
        self._on_played = on_played

    def play(self, pcm: bytes, mark: Mark, *, last: bool = False) -> None:
        """Queue audio."""
        self._playout.play(pcm, mark, last=last)
        self._report()

    def flush(self) -> Awaitable[wire.Flushed]:
        """Drop what is queued."""
        found = self._playout.flush()
        self._report()
        answer: asyncio.Future[wire.Flushed] = asyncio.get_running_loop().create_future()
        answer.set_result(
            wire.Flushed(_NO_LEG, 0, found.mark, found.played_ms, found.dropped_ms, self._clock())
        )
        return answer

    def pause(self) -> None:
        """Silence, and keep the queue."""
        self._playout.pause()

    def resume(self) -> None:
        """Go on."""
        self._playout.resume()

    def next_frame(self) -> bytes | None:
        """The next 20 ms for the mix."""
        frame = self._playout.next_frame()
        self._report()
        return frame

    def _report(self) -> None:
        for event in self._playout.take_events():
            if isinstance(event, MarkStarted):
                self._on_played(wire.PlayStarted(_NO_LEG, event.mark, self._clock()))
            else:
                self._on_played(wire.PlayFinished(_NO_LEG, event.mark, event.played_ms, self._clock()))


class Mix:
    """The mixer of one call, running only while it is needed."""

    def __init__(self, rate_hz: int, ticker: Ticker, clock: Callable[[], float]) -> None:
        """`rate_hz`: of the mix."""
        self.rate_hz = rate_hz
        self._format = PcmFormat(rate_hz)
        self._ticker = ticker
        self._clock = clock
        self._mixer: Mixer[str] | None = None
        self._parties: dict[str, Party] = {}
        self._voice: MixVoice | None = None
        self._on_mix: Callable[[bytes], None] | None = None
        self.on_prompts: Callable[[Party], None] | None = None
        """Told on every tick of a party that is played prompts."""
        self.on_fault: Callable[[], None] = lambda: None
        """Told, while the exception is handled, that there is no mix any more."""

    def describe(self) -> str:
        """Rate, and what had to be evened out of each clock so far, in frames of 20 ms."""
        mixer = self._mixer
        found = {key: str(mixer.stats(key)) for key in mixer.parties} if mixer is not None else {}
        said = "".join(f"; {key}: {corrections}" for key, corrections in found.items() if corrections)
        return f"mix @{self.rate_hz}{said}"

    def voice(self, pcm_format: PcmFormat, on_played: OnPlayed) -> MixVoice:
        """Where the agent speaks in a mix."""
        if self._voice is None:
            self._voice = MixVoice(pcm_format, self._clock, on_played)
        return self._voice

    def set(
        self,
        parties: Sequence[Party],
        on_mix: Callable[[bytes], None] | None,
        agent_format: PcmFormat,
        watch_caller: Callable[[bytes, int], None] | None,
    ) -> None:
        """Mix these parties from now on.

        on_mix: gets what the agent hears; None while it is away. watch_caller: also gets the caller's
        own frames.
        """
        if self._mixer is None:
            self._mixer = Mixer(self._format)
            self._ticker.subscribe(self._tick, self._on_fault)
        mixer = self._mixer
        wanted = {party.key: party for party in parties}
        for key in mixer.parties:
            if key not in wanted and not (key == _AGENT and on_mix is not None):
                mixer.leave(key)
        for key, party in wanted.items():
            if key not in mixer.parties:
                mixer.join(key, party.pcm_format)
            party.route = self._entry(mixer, key, watch_caller if party.role == "caller" else None)
        if on_mix is not None and _AGENT not in mixer.parties:
            mixer.join(_AGENT, agent_format)
        self._parties = wanted
        self._on_mix = on_mix

    def stop(self) -> None:
        """No mix is needed any more."""
        if self._mixer is not None:
            self._mixer = None
            self._parties = {}
            self._ticker.unsubscribe(self._tick)

    def _on_fault(self) -> None:
        self._mixer = None
        self._parties = {}
        self.on_fault()

    @staticmethod
    def _entry(
        mixer: Mixer[str], key: str, watch: Callable[[bytes, int], None] | None
    ) -> Callable[[bytes, int], None]:
        def enter(pcm: bytes, flags: int) -> None:
            mixer.push(key, pcm)
            if watch is not None:
                watch(pcm, flags)

        return enter

    def _tick(self) -> None:
        mixer = self._mixer
        if mixer is None:
            return
        if self._on_mix is not None and self._voice is not None:
            frame = self._voice.next_frame()
            if frame is not None:
                mixer.push(_AGENT, frame)
        for key, pcm in mixer.tick().items():
            if key == _AGENT:
                if self._on_mix is not None:
                    self._on_mix(pcm)
                continue
            party = self._parties.get(key)
            if party is not None:
                party.hear(pcm, party.pcm_format.sample_rate_hz)
                if self.on_prompts is not None and party.prompts.played_bytes:
                    self.on_prompts(party)
