"""All calls of a core: routed, refused, taken over, drained, written down."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from gateway.backends import contract as ai
from gateway.calls import checkpoint
from gateway.calls.service import CallDependencies, CallService
from gateway.config.models import AgentConfig, BotAgent, GatewayConfig
from gateway.core.ids import CardId, LegId
from gateway.core.record import CallRecord
from gateway.core.record import TimelineKind as K
from gateway.core.termination import Reason
from gateway.errors import LocalError
from gateway.legs.loopback import LoopbackLeg
from gateway.wire import card as wire
from tests.scenarios.scripted_backend import Opening, ScriptedBackend
from tests.scenarios.surroundings import dialplan, surroundings

CONFIG = GatewayConfig(agents={"seller": BotAgent(backend="bot"), "helper": BotAgent(backend="bot")})
PLAN = dialplan(
    """
version: 1
routes:
  - {name: sales, match: {to: "200"}, do: [{ai: {agent: seller}}]}
  - {name: help, match: {to: "3*"}, do: [{ai: {agent: helper}}]}
  - {name: desk, match: {to: "4*"}, do: [answer, {wait: 60s}, {say: closed}]}
""",
    CONFIG,
)


class Store:
    """Keeps records in a list, or fails."""

    def __init__(self) -> None:
        self.saved: list[CallRecord] = []
        self.broken = False
        self.news = asyncio.Event()

    async def save(self, record: CallRecord) -> None:
        """As the protocol says."""
        if self.broken:
            raise LocalError("the disk is full")
        self.saved.append(record)
        self.news.set()

    async def records(self, count: int = 1) -> list[CallRecord]:
        """Wait for that many."""
        while len(self.saved) < count:
            self.news.clear()
            await self.news.wait()
        return self.saved


class Core:
    """A call service and what it stands on."""

    def __init__(self) -> None:
        self.clock = asyncio.get_running_loop().time
        self.store = Store()
        self.ended: list[CallRecord] = []
        self.backends: list[ScriptedBackend] = []
        self.service = CallService(
            CallDependencies(
                config=CONFIG,
                plan=lambda _facts: PLAN,
                on_event=lambda _call_id, _event: None,
                gate=lambda _facts, _incoming: None,
                calls=surroundings(CONFIG.agents, self._make_backend, self.clock),
                store=self.store,
                on_ended=self.ended.append,
                clock=self.clock,
            )
        )

    def _make_backend(
        self, _agent: AgentConfig, context: ai.BackendContext, _tools: tuple[dict[str, Any], ...]
    ) -> ai.Backend:
        self.backends.append(ScriptedBackend(context, Opening()))
        return self.backends[-1]

    def leg(self, number: int = 1) -> LoopbackLeg:
        """A leg of card 4."""
        return LoopbackLeg(self.clock, address=(CardId(4), LegId(number)))

    def incoming(self, to: str, number: int = 1) -> wire.Incoming:
        """An INVITE that the edge received 30 ms ago."""
        return wire.Incoming(
            LegId(number),
            f"{number}@phone",
            f"sip:{to}@gw;user=phone",
            '"Anna" <sip:100@phone>;tag=1',
            f"<sip:{to}@gw>",
            (),
            "udp:192.0.2.1:5060",
            self.clock() - 0.03,
        )


@pytest.fixture
def logged() -> Iterator[list[structlog.typing.EventDict]]:
    with structlog.testing.capture_logs() as entries:
        yield entries


async def test_a_call_is_routed_by_its_number_and_written_down() -> None:
    core, leg = Core(), None
    leg = core.leg()
    core.service.on_incoming(leg, core.incoming("345"))
    assert core.service.live == 1
    await asyncio.sleep(1)
    leg.peer.hang_up()
    (record,) = await core.store.records()
    assert core.service.live == 0
    assert core.ended == [record]
    assert (record.route, record.agent, record.reason) == ("help", "helper", Reason.CALLER_HANGUP)
    assert (record.from_number, record.to_number, record.sip_call_id) == ("100", "345", "1@phone")
    assert (record.peer, record.cards) == ("udp:192.0.2.1:5060", (CardId(4),))
    assert record.setup_ms == pytest.approx(30 + 50, abs=1)
    assert [event.kind for event in record.timeline[:3]] == [K.INCOMING, K.ROUTED, K.RINGING]
    assert core.backends[0].context.agent == "helper"
    variables = core.backends[0].context.variables
    named = ("from", "to", "route", "kind", "direction", "digits")
    assert {name: variables[name] for name in named} == dict(
        zip(named, ("100", "345", "help", "loopback", "inbound", ""), strict=True)
    )


async def test_a_number_that_nobody_serves_is_refused_and_written_down() -> None:
    core = Core()
    leg = core.leg()
    core.service.on_incoming(leg, core.incoming("999"))
    (record,) = await core.store.records()
    assert leg.state == "closed"
    assert (record.reason, record.sip_status, record.agent) == (Reason.NO_ROUTE, 404, "")
    assert core.backends == []
    assert core.service.live == 0


async def test_many_calls_live_side_by_side() -> None:
    core = Core()
    legs = [core.leg(n) for n in range(1, 6)]
    for n, leg in enumerate(legs, 1):
        core.service.on_incoming(leg, core.incoming("200", n))
    await asyncio.sleep(1)
    assert core.service.live == 5
    legs[2].peer.vanish()
    await core.store.records(1)
    assert core.service.live == 4
    await core.service.stop(Reason.DRAINED, 5.0)
    records = core.store.saved
    assert len({record.id for record in records}) == 5
    assert [record.reason for record in records] == [Reason.CARD_LOST] + 4 * [Reason.DRAINED]


class StubbornLeg(LoopbackLeg):
    """A leg whose BYE is never answered."""

    def close(self, status: int, reason: str, *, drain: bool = False) -> None:
        """Nothing happens."""


async def test_a_stop_writes_the_calls_down_whose_legs_do_not_end() -> None:
    core = Core()
    core.service.on_incoming(StubbornLeg(core.clock), core.incoming("200"))
    await asyncio.sleep(1)
    began = core.clock()
    await core.service.stop(Reason.DRAINED, 5.0)
    assert core.clock() - began == pytest.approx(5.0, abs=0.1)
    (record,) = core.store.saved
    assert record.reason is Reason.DRAINED
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_stop_without_calls_is_immediate() -> None:
    core = Core()
    began = core.clock()
    await core.service.stop(Reason.DRAINED, 5.0)
    assert core.clock() == began


async def test_a_store_that_fails_is_logged_and_ends_nothing_else(
    logged: list[structlog.typing.EventDict],
) -> None:
    core = Core()
    core.store.broken = True
    leg = core.leg()
    core.service.on_incoming(leg, core.incoming("200"))
    await asyncio.sleep(1)
    leg.peer.hang_up()
    await core.service.stop(Reason.DRAINED, 5.0)
    assert len(core.ended) == 1
    assert any("disk is full" in str(entry.get("error")) for entry in logged)


async def test_no_number_stands_outside_the_personal_fields(logged: list[structlog.typing.EventDict]) -> None:
    core = Core()
    leg = core.leg()
    core.service.on_incoming(leg, core.incoming("30987654321"))
    await asyncio.sleep(1)
    core.backends[0].caller_said("item_1", "my password is swordfish")
    leg.peer.hang_up()
    await core.store.records()
    assert len(logged) >= 2
    assert any(entry.get("personal", {}).get("from") == "100" for entry in logged)
    public = [{key: value for key, value in entry.items() if key != "personal"} for entry in logged]
    for secret in ("30987654321", "'100'", "192.0.2.1", "swordfish", "Anna"):
        assert secret not in str(public)


# ---- legs of an earlier core ---------------------------------------------------------------------


async def kept_call(core: Core, to: str = "345") -> tuple[LoopbackLeg, wire.Incoming]:
    """An answered call whose core died."""
    leg, incoming = core.leg(), core.incoming(to)
    core.service.on_incoming(leg, incoming)
    await asyncio.sleep(1)
    leg.abandon()
    await core.service.stop(Reason.DRAINED, 0.0)
    leg.state = "connected"
    return leg, incoming


async def test_an_answered_call_is_taken_over_as_the_same_call() -> None:
    old, new = Core(), Core()
    leg, incoming = await kept_call(old)
    new.service.on_adopted(leg, wire.LegSnapshot(incoming, "connected", leg.kept))
    await asyncio.sleep(1)
    leg.peer.hang_up()
    (record,) = await new.store.records()
    assert record.id == old.ended[0].id
    assert (record.recovered, record.agent, record.to_number) == (1, "helper", "345")
    assert record.started_at == old.ended[0].started_at
    assert record.sip_status == 200


@pytest.mark.parametrize("kept", [b"", b"rubbish", b"\xff" * 100])
async def test_an_answered_call_without_memory_goes_on_as_a_new_one(kept: bytes) -> None:
    core = Core()
    leg = core.leg()
    leg.state = "connected"
    core.service.on_adopted(leg, wire.LegSnapshot(core.incoming("345"), "connected", kept))
    await asyncio.sleep(1)
    assert core.backends[0].names_told() == ["greet"]
    leg.peer.hang_up()
    (record,) = await core.store.records()
    assert (record.recovered, record.reason) == (1, Reason.CALLER_HANGUP)
    assert (record.agent, record.route) == ("helper", "help")
    assert record.answered_at is not None


@pytest.mark.parametrize("state", ["incoming", "ringing"])
async def test_a_call_that_still_rings_is_offered_anew(state: wire.LegState) -> None:
    core = Core()
    leg = core.leg()
    leg.state = state
    core.service.on_adopted(leg, wire.LegSnapshot(core.incoming("345"), state, b""))
    await asyncio.sleep(1)
    leg.peer.hang_up()
    (record,) = await core.store.records()
    assert (record.recovered, record.agent) == (0, "helper")
    assert record.answered_at is not None


@pytest.mark.parametrize(("number", "agent"), [("345", "helper"), ("999", "seller")])
async def test_a_call_whose_agent_is_gone_is_routed_anew(number: str, agent: str) -> None:
    old, new = Core(), Core()
    leg, incoming = await kept_call(old)
    kept = checkpoint.unpack(leg.kept)
    assert (kept.agent, kept.to_number) == ("helper", "345")
    renamed = leg.kept.replace(b"\xa6helper", b"\xa6nobody").replace(b"\xa3345", b"\xa3" + number.encode())
    new.service.on_adopted(leg, wire.LegSnapshot(incoming, "connected", renamed))
    await asyncio.sleep(1)
    leg.peer.hang_up()
    (record,) = await new.store.records()
    assert record.agent == agent


@pytest.mark.parametrize("remembered", [True, False])
async def test_a_plan_without_an_agent_has_none_after_a_takeover(remembered: bool) -> None:
    old, new = Core(), Core()
    leg, incoming = await kept_call(old, "456")
    assert checkpoint.unpack(leg.kept).agent == ""
    kept = leg.kept if remembered else b""
    new.service.on_adopted(leg, wire.LegSnapshot(incoming, "connected", kept))
    await asyncio.sleep(1)
    leg.peer.hang_up()
    (record,) = await new.store.records()
    assert (record.agent, record.route) == ("", "desk")
    assert new.backends == []
