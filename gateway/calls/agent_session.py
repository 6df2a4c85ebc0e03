"""One session with one agent's service: being opened, standing by, serving the call, or over."""

import asyncio
from collections.abc import Callable, Sequence

from gateway.backends import contract as ai
from gateway.config.models import AgentConfig
from gateway.core.health.breaker import Breaker
from gateway.observe.log import get_logger

log = get_logger()


class AgentSession:
    """Implements `BackendSink`: while it stands by, what the service says goes nowhere."""

    def __init__(
        self,
        name: str,
        config: AgentConfig,
        backend: ai.Backend,
        breaker: Breaker,
        clock: Callable[[], float],
        settled: Callable[["AgentSession"], None],
        lost: Callable[["AgentSession", ai.BackendError], None],
    ) -> None:
        """`settled`: opening has succeeded or failed. `lost`: the service is gone, after it was open."""
        self.name = name
        self.config = config
        self.backend = backend
        self.serving: ai.BackendSink | None = None
        """Who hears what the service says."""
        self.crashed: Callable[[], None] = lambda: None
        """Told of a fault of our own."""
        self.hung_up = False
        """The agent has ended the conversation; that its session is lost then is no fault."""
        self.opened = False
        self.failure: ai.BackendError | None = None
        self.took_ms = 0.0
        self.known: tuple[ai.Utterance, ...] = ()
        """What the service was told to have been said."""
        self._breaker = breaker
        self._clock = clock
        self._settled = settled
        self._lost = lost
        self._opening: asyncio.Task[None] | None = None

    @property
    def settled(self) -> bool:
        """Whether opening has succeeded or failed."""
        return self.opened or self.failure is not None

    def open(self, history: Sequence[ai.Utterance], name: str) -> None:
        """Begin to connect. `name`: of the task, for people who debug."""
        self.known = tuple(history)
        self._opening = asyncio.create_task(self._open(history), name=name)

    async def _open(self, history: Sequence[ai.Utterance]) -> None:
        began = self._clock()
        if not self._breaker.admit(began):
            again_s = self._breaker.retry_after_s(began)
            why = f"not tried: it fails for all calls (again in {again_s:.0f} s)"
            self.failure = ai.BackendError("unreachable", why, retryable=False)
            self._settled(self)
            return
        try:
            await self.backend.open(self, history)
        except ai.BackendError as exc:
            self.failure = exc
        except asyncio.CancelledError:
            self._breaker.abandoned(self._clock())
            raise
        except Exception:
            log.exception("opening the backend failed", agent=self.name)
            self._breaker.abandoned(self._clock())
            self.crashed()
            return
        if self.failure is not None:
            self._breaker.failed(self._clock())
        else:
            self.opened = True
            self._breaker.succeeded(self._clock())
        self.took_ms = round((self._clock() - began) * 1000, 1)
        self._settled(self)

    def catch_up(self, said: Sequence[ai.Utterance]) -> None:
        """Tell it what it does not know yet of what was said."""
        known = {id(utterance) for utterance in self.known}
        missing = [utterance for utterance in said if id(utterance) not in known]
        if missing:
            self.known = tuple(said)
            self.backend.catch_up(missing)

    async def close(self) -> None:
        """End it; nothing is told any more."""
        self.serving = None
        opening, self._opening = self._opening, None
        if opening is not None and not opening.done():
            opening.cancel()
        if opening is not None:
            await asyncio.gather(opening, return_exceptions=True)
        await self.backend.close()

    # ---- from the service ---------------------------------------------------------------------

    def on_backend_audio(self, item_id: str, pcm: bytes) -> None:
        """Pass it on. Hot path."""
        if self.serving is not None:
            self.serving.on_backend_audio(item_id, pcm)

    def on_backend_event(self, event: ai.BackendEvent) -> None:
        """Pass it on; the end of the session is noticed in any case."""
        if isinstance(event, ai.HungUp):
            self.hung_up = True
        if isinstance(event, ai.BackendLost):
            self.failure = event.error
            self.opened = False
            if not self.hung_up:
                self._breaker.failed(self._clock())
            self._lost(self, event.error)
        if self.serving is not None:
            self.serving.on_backend_event(event)
