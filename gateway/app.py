"""The core process: `python -m gateway.app`, started by the edge. The only place that names concrete classes.

It reads the configuration as one JSON line from standard input and lives until the edge says
`StopCore`, the edge is gone, or SIGTERM comes; the last leaves the calls with their cards, so that
the next core process goes on with them.
"""

import asyncio
import gc
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import uvloop
from tenacity import AsyncRetrying, retry_if_result, stop_after_delay, wait_exponential

from gateway.api.event_hub import EventHub
from gateway.api.http import HttpServer
from gateway.api.routes import ApiDependencies, build_api
from gateway.backends.registry import Backends
from gateway.calls.agent_link import Breakers
from gateway.calls.call_sounds import CallSounds
from gateway.calls.callbacks import Callbacks
from gateway.calls.gate import Gate
from gateway.calls.http_client import StepHttpClient
from gateway.calls.journal import CallFacts
from gateway.calls.line.ladders import Ladders
from gateway.calls.outbound import OutboundCalls
from gateway.calls.parts import CallSettings
from gateway.calls.queues import CallQueues
from gateway.calls.reach import Reach
from gateway.calls.service import CallDependencies, CallService
from gateway.calls.spool import complete_leftovers
from gateway.calls.ticker import Ticker
from gateway.calls.tool_http import HttpTools
from gateway.cards.edge_link import EdgeLink
from gateway.config.barge_in import BargeInConfig
from gateway.config.models import GatewayConfig
from gateway.core.ids import CallId
from gateway.core.record import CallRecord, TimelineEvent
from gateway.core.termination import Reason
from gateway.dialplan.live import LivePlan
from gateway.dialplan.surroundings import surroundings_of
from gateway.dialplan.watching import changes
from gateway.errors import LocalError
from gateway.legs.contract import Leg
from gateway.legs.dials import DialRequest
from gateway.legs.people.door import Door
from gateway.legs.people.people import People
from gateway.legs.pool import CardPool
from gateway.media.prompts import load_prompts
from gateway.media.speech import Synthesiser
from gateway.media.turn_taking import TurnTaking
from gateway.observe.log import configure_logging, get_logger
from gateway.observe.metrics import Metrics
from gateway.observe.node_metrics import NodeState
from gateway.observe.priority import PATH_PRIORITY, be_realtime
from gateway.observe.tasks import report_fault
from gateway.store.calls import CallStore
from gateway.store.database import DATABASE_NAME, Database
from gateway.store.keys import KeyStore
from gateway.store.outbox import Outbox
from gateway.store.retention import Retention
from gateway.store.sign_ins import SignIns
from gateway.webhooks.ledger import Ledger
from gateway.webhooks.sender import Webhooks
from gateway.wire import card
from gateway.wire import edge as wire

_CARD_RATE_HZ: Final = 8000
_BOT_START_S: Final = 60.0
_STOP_TIMEOUT_S: Final = 5.0
_WEBHOOKS_TIMEOUT_S: Final = 2.0
_RECORDINGS: Final = "recordings"
_LEFTOVERS_AFTER_S: Final = 30.0
"""By then a call that an earlier core was recording has been taken over, or is over."""

log = get_logger()


class Core:
    """All parts of the core, put together."""

    def __init__(self, config: GatewayConfig) -> None:
        self._config = config
        self._stop = asyncio.Event()
        self._end_calls = False
        self._draining = False
        self._ready = False
        self._metrics: Metrics | None = None
        self._pool: CardPool | None = None
        self._webhooks: Webhooks | None = None
        self._hub = EventHub()
        self._reload = asyncio.Event()

    def leave(self, *, end_calls: bool) -> None:
        """Ask the process to end."""
        self._end_calls = self._end_calls or end_calls
        self._stop.set()

    def _not_ready_because(self) -> str:
        if self._draining:
            return "draining"
        if not self._ready:
            return "starting"
        if self._pool is None or self._pool.connected == 0:
            return "no line card"
        return ""

    def _from_edge(self, message: wire.EdgeToCore) -> None:
        assert self._pool is not None
        assert self._metrics is not None
        match message:
            case wire.CardUp():
                self._pool.add(message.card, message.socket_path)
            case wire.CardDown():
                self._pool.remove(message.card, message.status)
            case wire.EdgeCounters():
                self._metrics.edge_counters(message.counters)
            case wire.SlotGranted() | wire.SlotRefused():
                self._pool.on_slot(message)
            case wire.Drain():
                self._draining = True
            case wire.StopCore():
                self.leave(end_calls=True)

    async def run(self) -> int:
        """Serve until asked to leave; the process's exit status."""
        config = self._config
        async with AsyncExitStack() as stack:
            run_dir = config.node.run_dir
            database = await Database.open(run_dir / DATABASE_NAME)
            stack.push_async_callback(database.close)
            plans = await LivePlan.open(config.dialplans, surroundings_of(config), run_dir, _utc_now)
            # Loads the model of speech: the first call must not wait for it.
            await asyncio.to_thread(TurnTaking, BargeInConfig(), _CARD_RATE_HZ, time.monotonic)
            backends = Backends(run_dir)
            stack.push_async_callback(backends.close)
            http_client = StepHttpClient()
            stack.push_async_callback(http_client.close)
            people = People(config.users, asyncio.get_running_loop().call_later)
            callbacks = Callbacks(
                lambda callback: outbound.check(callback),
                lambda callback: outbound.place(callback),
                lambda: self._draining or self._stop.is_set(),
            )
            stack.push_async_callback(callbacks.close)
            calls = CallSettings(
                agents=config.agents,
                make_backend=backends.create,
                breakers=Breakers(),
                sounds=await _sounds(config),
                dialler=Reach(config.trunks, people, self._place),
                http=http_client,
                http_tools=HttpTools(config.http_tools),
                queues=CallQueues(),
                callbacks=callbacks,
                ticker=Ticker(),
                clock=time.monotonic,
                recordings=run_dir / _RECORDINGS,
                ladders=Ladders.of(config),
                mix_rate_hz=max(_rates_hz(config)),
            )
            store = CallStore(database)
            service = self._service(calls, plans, store)
            outbound = OutboundCalls(service, config.trunks, self._place, config.node.name, time.monotonic)
            door = Door(people, service.on_incoming, service.on_adopted)
            max_peers = config.webrtc.max_peers if config.webrtc else 0
            self._pool = pool = CardPool(door.on_incoming, door.on_adopted, max_peers=max_peers)
            stack.push_async_callback(pool.close)
            self._metrics = metrics = Metrics(lambda: service.live, lambda: pool.connected)
            metrics.watch(
                NodeState(
                    breakers=lambda: calls.breakers.states(time.monotonic()),
                    queues=calls.queues.lengths,
                    dialplan=lambda: plans.current.digest[:12],
                    skipped_ticks=lambda: calls.ticker.skipped,
                )
            )
            self._webhooks = webhooks = Webhooks(
                config.webhooks, metrics.webhook_done, time.time, ledger=Ledger(Outbox(database))
            )
            stack.push_async_callback(webhooks.close, _WEBHOOKS_TIMEOUT_S)
            sign_ins = SignIns(database)
            api = build_api(
                ApiDependencies(
                    config=config,
                    service=service,
                    store=store,
                    keys=KeyStore(database),
                    people=people,
                    sign_ins=sign_ins,
                    signed_in=await sign_ins.load(_utc_now()),
                    dialplan=lambda: plans.current,
                    plans=plans,
                    hub=self._hub,
                    on_slow_listener=metrics.event_client_dropped,
                    offering=pool.offer if config.webrtc else None,
                    not_accepting=self._not_ready_because,
                    clock=time.monotonic,
                )
            )
            http = HttpServer(config.http.listen, metrics, self._not_ready_because, api)
            stack.push_async_callback(http.close)
            return await self._serve(http, backends, plans, service, store)

    def _service(self, calls: CallSettings, plans: LivePlan, store: CallStore) -> CallService:
        return CallService(
            CallDependencies(
                config=self._config,
                plan=lambda facts: plans.for_caller(facts.from_number, facts.trunk, facts.call_id),
                calls=calls,
                store=store,
                on_ended=self._on_ended,
                on_event=self._on_event,
                gate=self._gate,
                clock=time.monotonic,
            )
        )

    async def _place(self, order: DialRequest) -> Leg:
        assert self._pool is not None
        return await self._pool.dial(order)

    async def _serve(
        self, http: HttpServer, backends: Backends, plans: LivePlan, service: CallService, store: CallStore
    ) -> int:
        assert self._pool is not None
        assert self._webhooks is not None
        edge = await EdgeLink.connect(self._config.node.run_dir, self._from_edge)
        self._pool.connect_edge(edge.send)
        watchers = [
            asyncio.create_task(self._watch_edge(edge), name="watch edge"),
            asyncio.create_task(self._watch_plans(plans), name="watch dialplans"),
            asyncio.create_task(
                _complete_recordings(self._config.node.run_dir / _RECORDINGS), name="complete recordings"
            ),
        ]
        if (days := self._config.node.keep_calls_days) is not None:
            retention = Retention(store, timedelta(days=days), _utc_now)
            watchers.append(asyncio.create_task(retention.run(), name="delete old calls"))
        for watcher in watchers:
            watcher.add_done_callback(report_fault)
        try:
            await http.start()
            await self._webhooks.start()
            await self._wait_for_bot(backends)
            self._ready = True
            edge.send(wire.CoreReady())
            await self._stop.wait()
            if self._end_calls:
                await service.stop(Reason.DRAINED, _STOP_TIMEOUT_S)
        except LocalError as exc:
            edge.send(wire.CoreCannotStart(str(exc)))
            return 1
        finally:
            for watcher in watchers:
                watcher.cancel()
            await asyncio.gather(*watchers, return_exceptions=True)
            edge.close()
        return 0

    async def _watch_edge(self, edge: EdgeLink) -> None:
        await edge.lost.wait()
        self.leave(end_calls=False)

    def reload_plans(self) -> None:
        """Read the dialplans again, where there are any."""
        self._reload.set()

    async def _watch_plans(self, plans: LivePlan) -> None:
        """Put changed dialplans into force, also at SIGHUP."""
        if plans.directory is None:
            return
        async with asyncio.TaskGroup() as tasks:
            if self._config.dialplans_reload == "on_change":
                tasks.create_task(plans.watch(changes(plans.directory)))
            tasks.create_task(plans.reload_when(self._reload, "SIGHUP"))

    def _gate(self, facts: CallFacts, incoming: card.Incoming) -> Gate | None:
        """Tell of a new call; where a receiver decides about it, the call waits."""
        assert self._webhooks is not None
        self._webhooks.on_incoming(facts.id, facts.kind, incoming)
        decision = self._config.incoming
        return Gate(decision.timeout_s, decision.on_timeout) if decision.decided_by == "webhook" else None

    def _on_event(self, call_id: CallId, event: TimelineEvent) -> None:
        self._hub.publish(call_id, event)
        if self._webhooks is not None:
            self._webhooks.on_event(call_id, event)

    def _on_ended(self, record: CallRecord) -> None:
        assert self._metrics is not None
        self._metrics.call_ended(record)
        if self._webhooks is not None:
            self._webhooks.on_ended(record)

    async def _wait_for_bot(self, backends: Backends) -> None:
        if not self._config.needs_bot:
            return
        retrying = AsyncRetrying(
            stop=stop_after_delay(_BOT_START_S),
            wait=wait_exponential(multiplier=0.02, max=0.25),
            retry=retry_if_result(lambda answers: not answers),
            retry_error_callback=lambda _: False,
        )
        if not await retrying(backends.bot_answers):
            raise LocalError(f"the embedded bot did not start within {_BOT_START_S:g} s")


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _rates_hz(config: GatewayConfig) -> set[int]:
    """Sample rates of the legs."""
    return {_CARD_RATE_HZ} | ({config.webrtc.sample_rate_hz} if config.webrtc else set())


async def _complete_recordings(directory: Path) -> None:
    """Those that an earlier core left unfinished."""
    await asyncio.sleep(_LEFTOVERS_AFTER_S)
    count = await asyncio.to_thread(complete_leftovers, directory)
    if count:
        log.info("unfinished recordings were completed", count=count)


async def _sounds(config: GatewayConfig) -> CallSounds:
    languages = {agent.language for agent in config.agents.values()}
    synthesiser = Synthesiser()
    directory = config.node.run_dir / "prompts"
    own = {
        rate_hz: await load_prompts(directory, languages, rate_hz, synthesiser)
        for rate_hz in _rates_hz(config)
    }
    return CallSounds(own, synthesiser)


def _watch_lifeline(loop: asyncio.AbstractEventLoop, leave: Callable[[], None]) -> None:
    """The edge holds the other end of this pipe; end of file means it is gone."""
    text = os.environ.get("GATEWAY_LIFELINE_FD", "")
    if text.isdecimal():
        loop.add_reader(int(text), leave)


async def _main(config: GatewayConfig) -> int:
    loop = asyncio.get_running_loop()
    core = Core(config)
    loop.add_signal_handler(signal.SIGTERM, lambda: core.leave(end_calls=False))
    loop.add_signal_handler(signal.SIGINT, lambda: None)
    loop.add_signal_handler(signal.SIGHUP, core.reload_plans)
    _watch_lifeline(loop, lambda: core.leave(end_calls=False))
    try:
        return await core.run()
    except (LocalError, OSError) as exc:
        log.error("core cannot start", error=str(exc))
        await _tell_edge(config.node.run_dir, str(exc))
        return 1


async def _tell_edge(run_dir: Path, message: str) -> None:
    """Say why there is no use in starting this core again."""
    try:
        edge = await EdgeLink.connect(run_dir, lambda _message: None)
    except OSError as exc:
        log.error("no edge to tell", error=str(exc))
        return
    edge.send(wire.CoreCannotStart(message))
    edge.close()


def _collect_seldom() -> None:
    """Frames leave no cycles behind: look for garbage among what calls make, not among what was imported."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def main() -> int:
    """Entry point of the core process."""
    config = GatewayConfig.model_validate_json(sys.stdin.buffer.readline())
    configure_logging("core", level=config.log.level, format=config.log.format, personal=config.log.personal)
    be_realtime(PATH_PRIORITY)
    _collect_seldom()
    return uvloop.run(_main(config))


if __name__ == "__main__":
    sys.exit(main())
