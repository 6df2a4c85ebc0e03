"""Calls that the gateway places to keep a promise: answered, not answered, taken over."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from gateway.backends import contract as ai
from gateway.calls.callbacks import Callback
from gateway.calls.outbound import OutboundCalls
from gateway.calls.service import CallDependencies, CallService
from gateway.config.models import AgentConfig, BotAgent, GatewayConfig
from gateway.config.trunks import TrunkConfig
from gateway.core.ids import CallId, CardId, LegId
from gateway.core.record import TimelineKind as K
from gateway.core.termination import Reason
from gateway.dialplan.runtime import CallbackRequest, StepFailedError
from gateway.errors import RemoteError
from gateway.legs.dials import DialRequest
from gateway.legs.loopback import LoopbackLeg
from gateway.wire import card as wire
from tests.scenarios.scripted_backend import Opening, ScriptedBackend
from tests.scenarios.stage import Caller
from tests.scenarios.surroundings import dialplan, surroundings
from tests.scenarios.test_service import Store
from tests.sounds import samples

CONFIG = GatewayConfig(
    agents={"clerk": BotAgent(backend="bot")},
    trunks={"pbx": TrunkConfig.model_validate({"address": "192.0.2.7", "allow": ["1XX", "2XX"]})},
)
PLAN = dialplan(
    """
version: 1
variables: [matter]
routes:
  - {name: call-backs, match: {kind: outbound, to: "100"}, do: [{ai: {agent: clerk}}]}
  - {name: late, match: {kind: outbound, to: "101"}, do: [{wait: 2s}, {ai: {agent: clerk}}]}
""",
    CONFIG,
)
SAID = (ai.Utterance("caller", "billing please"),)


def promised(target: str = "sip:100@pbx", variables: Mapping[str, str] | None = None) -> Callback:
    request = CallbackRequest(target, after_s=10.0, tries=1, every_s=60.0, ring_s=30.0)
    return Callback(CallId("call_before"), request, "200", variables or {}, SAID)


class Core:
    """A call service that can place calls, to phones that do as they are told."""

    def __init__(self) -> None:
        self.clock = asyncio.get_running_loop().time
        self.store = Store()
        self.backends: list[ScriptedBackend] = []
        self.placed: list[DialRequest] = []
        self.legs: list[LoopbackLeg] = []
        self.room = True
        self.opening = Opening()
        self.service = CallService(
            CallDependencies(
                config=CONFIG,
                plan=lambda _facts: PLAN,
                on_event=lambda _call_id, _event: None,
                gate=lambda _facts, _incoming: None,
                calls=surroundings(CONFIG.agents, self._make_backend, self.clock),
                store=self.store,
                on_ended=lambda _record: None,
                clock=self.clock,
            )
        )
        self.outbound = OutboundCalls(self.service, CONFIG.trunks, self._place, "gw1", self.clock)

    async def _place(self, request: DialRequest) -> LoopbackLeg:
        if not self.room:
            raise RemoteError("no room", retryable=True)
        self.placed.append(request)
        serial = len(self.legs) + 1
        self.legs.append(LoopbackLeg(self.clock, address=(CardId(4), LegId(serial)), outbound=True))
        return self.legs[-1]

    def _make_backend(
        self, _agent: AgentConfig, context: ai.BackendContext, _tools: tuple[dict[str, Any], ...]
    ) -> ai.Backend:
        self.backends.append(ScriptedBackend(context, self.opening))
        return self.backends[-1]


async def test_whoever_answers_is_served_by_an_agent_that_knows_what_was_said() -> None:
    core = Core()
    call = asyncio.create_task(core.outbound.place(promised(variables={"matter": "bill", "digits": "1"})))
    await asyncio.sleep(3)
    (leg,) = core.legs
    assert core.backends == [], "it rings"
    leg.peer.answer()
    caller = Caller(leg)
    ticking = asyncio.create_task(caller.live())
    await asyncio.sleep(1)
    (backend,) = core.backends
    assert backend.names_told() == ["greet"]
    assert backend.history == SAID
    assert backend.context.variables["matter"] == "bill"
    assert backend.context.variables["digits"] == ""
    backend.answer("item_1", 2000, 400, text="about your bill")
    await asyncio.sleep(1)
    assert caller.heard_ms(2000) == pytest.approx(400, abs=20)
    leg.peer.hang_up()
    assert await call is True
    await ticking
    (record,) = await core.store.records()
    assert (record.direction, record.route, record.agent) == ("outbound", "call-backs", "clerk")
    assert (record.from_number, record.to_number) == ("200", "100")
    assert record.reason is Reason.CALLER_HANGUP
    assert record.setup_ms == pytest.approx(3000, abs=100)
    assert K.DIALLING in [event.kind for event in record.timeline]
    (placed,) = core.placed
    assert placed.target_uri == "sip:100@192.0.2.7:5060"
    assert "200" in placed.from_uri


async def test_an_agent_whose_turn_comes_later_hears_nothing_before() -> None:
    core = Core()
    call = asyncio.create_task(core.outbound.place(promised("sip:101@pbx")))
    await asyncio.sleep(3)
    (leg,) = core.legs
    leg.peer.answer()
    caller = Caller(leg)
    caller.speaking = True
    ticking = asyncio.create_task(caller.live())
    await asyncio.sleep(1.5)
    (backend,) = core.backends
    assert not backend.heard
    caller.speaking = False
    await backend.until_told("greet")
    await asyncio.sleep(0.5)
    assert backend.heard
    assert not any(samples(bytes(backend.heard))), "what was said before"
    leg.peer.hang_up()
    assert await call is True
    await ticking


async def test_whoever_is_greeted_gets_no_answer_to_their_hello() -> None:
    core = Core()
    core.opening = Opening(takes_s=1.0)
    call = asyncio.create_task(core.outbound.place(promised()))
    await asyncio.sleep(3)
    (leg,) = core.legs
    leg.peer.answer()
    caller = Caller(leg)
    caller.speaking = True
    ticking = asyncio.create_task(caller.live())
    await asyncio.sleep(0.6)
    caller.speaking = False
    (backend,) = core.backends
    await backend.until_told("greet")
    await asyncio.sleep(0.5)
    assert not any(samples(bytes(backend.heard)))
    leg.peer.hang_up()
    assert await call is True
    await ticking


@pytest.mark.parametrize(
    ("status", "reason"), [(486, Reason.BUSY), (603, Reason.TARGET_REFUSED), (404, Reason.TARGET_UNREACHABLE)]
)
async def test_a_phone_that_does_not_want_the_call(status: int, reason: Reason) -> None:
    core = Core()
    call = asyncio.create_task(core.outbound.place(promised()))
    await asyncio.sleep(3)
    core.legs[0].peer.refuse(status)
    assert await call is False
    (record,) = await core.store.records()
    assert (record.reason, record.answered_at) == (reason, None)
    assert core.backends == []


async def test_a_phone_that_nobody_answers_rings_for_its_time() -> None:
    core = Core()
    began = core.clock()
    assert await core.outbound.place(promised()) is False
    assert core.clock() - began == pytest.approx(30, abs=1)
    assert core.legs[0].state == "closed"
    (record,) = await core.store.records()
    assert record.reason is Reason.NO_ANSWER


async def test_a_gateway_that_is_full_says_so() -> None:
    core = Core()
    core.room = False
    with pytest.raises(RemoteError, match="no room"):
        await core.outbound.place(promised())
    assert core.store.saved == []


async def test_nobody_is_rung_whom_no_route_serves_any_more() -> None:
    core = Core()
    with pytest.raises(RemoteError, match="no route"):
        await core.outbound.place(promised("sip:200@pbx"))
    assert core.placed == []


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("sip:100@pbx", ""),
        ("sip:900@pbx", "not_allowed"),
        ("sip:100@nobody", "not_allowed"),
        ("webrtc:op1", "not_allowed"),
        ("rubbish", "not_allowed"),
        ("sip:200@pbx", "not_possible"),
    ],
)
async def test_what_may_be_promised(target: str, kind: str) -> None:
    core = Core()
    found = ""
    try:
        core.outbound.check(promised(target))
    except StepFailedError as failure:
        found = failure.kind
    assert found == kind


async def test_the_next_core_goes_on_with_a_call_that_was_placed() -> None:
    core = Core()
    call = asyncio.create_task(core.outbound.place(promised()))
    await asyncio.sleep(1)
    (leg,) = core.legs
    leg.peer.answer()
    ticking = asyncio.create_task(Caller(leg).live())
    await asyncio.sleep(1)
    assert leg.kept
    leg.abandon()
    call.cancel()
    second = Core()
    snapshot = wire.LegSnapshot(
        wire.Incoming(LegId(1), "", "sip:100@gw", "<sip:200@gw>", "<sip:100@gw>", (), "", 0.0),
        "connected",
        kept=leg.kept,
        outbound=True,
    )
    second.service.on_adopted(leg, snapshot)
    await asyncio.sleep(1)
    (backend,) = second.backends
    assert backend.history == SAID
    leg.peer.hang_up()
    (record,) = await second.store.records()
    await ticking
    assert (record.direction, record.reason, record.recovered) == ("outbound", Reason.CALLER_HANGUP, 1)
    await asyncio.gather(call, return_exceptions=True)
    core.service.calls[0].end(Reason.DRAINED)
    await core.store.records()
