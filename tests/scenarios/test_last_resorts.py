"""A line so bad that nothing helps: what a plan does about it, step by step, and a call-back kept."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.backends import contract as ai
from gateway.calls.callbacks import MOST, Callback, Callbacks
from gateway.config.models import GatewayConfig, OpenAIRealtimeAgent
from gateway.config.trunks import TrunkConfig
from gateway.core.ids import CallId
from gateway.core.record import TimelineKind as K
from gateway.core.termination import Reason
from gateway.dialplan.interpreter import run_route
from gateway.dialplan.runtime import CallbackRequest, CallControl, StepFailedError
from gateway.errors import RemoteError
from gateway.legs.loopback import LoopbackLeg
from tests.scenarios.scripted_backend import ScriptedBackend
from tests.scenarios.stage import AGENT, Stage
from tests.scenarios.surroundings import dialplan
from tests.scenarios.telephones import Exchange, Habit
from tests.scenarios.test_line_care import Network

COLLEAGUE = "sip:colleague@pbx"
OWN = "You are the receptionist."
BRIEFLY = "Speak slowly, in short sentences."
ANSWER = 2000
PROMPTS: Mapping[str, tuple[int, int]] = {"bad": (1500, 400), "keys": (1600, 400), "later": (1700, 400)}

CONFIG = GatewayConfig(
    agents={AGENT: OpenAIRealtimeAgent(backend="openai_realtime", instructions=OWN)},
    trunks={"pbx": TrunkConfig.model_validate({"address": "192.0.2.7", "allow": ["*"]})},
)
PLAN = dialplan(
    f"""
version: 1
routes:
  - {{name: inbound, match: {{kind: sip}}, do: [{{ai: {{agent: {AGENT}, on: {{network_bad: bad}}}}}}]}}
flows:
  bad:
    - say: bad
    - ai: {{agent: {AGENT}, also: "{BRIEFLY}", on: {{network_bad: worse}}}}
  worse:
    - gather:
        digits: 1
        timeout: 10s
        prompts: [{{say: keys}}]
        choices: {{"1": call_back, "2": colleague, none: hangup, other: hangup}}
  call_back:
    - callback: {{to: "sip:${{from}}@pbx", after: 20s, tries: 2, every: 60s}}
    - say: later
    - hangup
  colleague: [{{transfer: {{to: "{COLLEAGUE}"}}}}]
""",
    CONFIG,
)


async def plan(call: CallControl) -> None:
    await run_route(PLAN.decide(call.facts, datetime(2026, 11, 23, 9, tzinfo=UTC)), call)


class Promises:
    """Takes what is promised."""

    def __init__(self) -> None:
        self.taken: list[Callback] = []

    def promise(self, callback: Callback) -> None:
        """As the protocol says."""
        self.taken.append(callback)


def bad_line_stage(*, promises: Promises | None = None, exchange: Exchange | None = None) -> Stage:
    leg = LoopbackLeg(asyncio.get_running_loop().time, tier="PCMU/20", tiers=("PCMU/20", "ILBC/30"))
    leg.peer.network = Network()
    leg.peer.answers_tiers_with = 488
    return Stage(
        leg=leg,
        plan=plan,
        prompts=PROMPTS,
        callbacks=promises,
        dialler=exchange,
        instructions=OWN,
    )


def spoil(stage: Stage) -> None:
    network = stage.leg.peer.network
    assert isinstance(network, Network)
    network.loss = 0.4


async def up_to_the_keys(stage: Stage) -> ScriptedBackend:
    """Conversation, bad line, a slower conversation, a line that is no better."""
    backend = await stage.talking()
    backend.answer("item_1", ANSWER, 400, text="hello")
    backend.emit(ai.SpeechStarted("item_2"), ai.SpeechStopped("item_2"))
    backend.caller_said("item_2", "billing please")
    backend.answer("item_3", ANSWER, 400, text="which bill")
    await stage.later(5000)
    assert stage.caller.heard_ms(1500) == 0, "the line is good"
    spoil(stage)
    while not stage.caller.heard_ms(1600):
        await stage.later(100)
    return backend


async def test_the_caller_is_told_and_the_agent_speaks_slowly_in_the_same_conversation() -> None:
    async with bad_line_stage() as stage, asyncio.timeout(300):
        backend = await up_to_the_keys(stage)
        assert len(stage.backends) == 1, "the conversation goes on in its session"
        assert stage.caller.heard_ms(1500) == 400, "told once"
        assert [told for told in backend.told if told[0] in ("greet", "instructions")] == [
            ("greet",),
            ("instructions", f"{OWN}\n\n{BRIEFLY}"),
        ]
        stage.leg.peer.hang_up()
        await stage.over()


async def test_what_the_agent_was_saying_is_said_again() -> None:
    async with bad_line_stage() as stage, asyncio.timeout(300):
        backend = await stage.talking()
        spoil(stage)
        await stage.later(5000)
        backend.answer("item_1", ANSWER, 60_000, text="a long story")
        _, words = await backend.until_told("want_answer")
        assert "again" in str(words)
        assert backend.names_told().count("greet") == 1
        stage.leg.peer.hang_up()
        await stage.over()


async def test_a_key_confirms_that_the_caller_wants_to_be_called_back() -> None:
    promises = Promises()
    async with bad_line_stage(promises=promises) as stage, asyncio.timeout(300):
        await up_to_the_keys(stage)
        stage.leg.peer.press("1")
        record = await stage.over()
    assert record.reason is Reason.PLAN_FAILED
    assert record.detail.startswith("network_bad"), "why the conversation came to nothing"
    assert stage.caller.heard_ms(1700) == pytest.approx(400, abs=20)
    (promised,) = promises.taken
    assert (promised.request.target, promised.request.after_s) == ("sip:100@pbx", 20.0)
    assert (promised.of, promised.shown) == ("call_1", "200")
    assert [each.text for each in promised.said] == ["hello", "billing please", "which bill"]


async def test_or_to_be_connected_with_a_number() -> None:
    exchange = Exchange({COLLEAGUE: Habit(1.0, says=5000)})
    async with bad_line_stage(exchange=exchange) as stage, asyncio.timeout(300):
        await up_to_the_keys(stage)
        stage.leg.peer.press("2")
        await stage.later(3000)
        assert stage.caller.heard_ms(5000) > 1000
        exchange.phones[COLLEAGUE].leg.peer.hang_up()
        record = await stage.over()
        await exchange.quiet()
    assert record.reason is Reason.PARTY_HANGUP


async def test_a_line_that_recovers_disturbs_nobody() -> None:
    async with bad_line_stage() as stage, asyncio.timeout(300):
        backend = await stage.talking()
        spoil(stage)
        await stage.later(7000)
        network = stage.leg.peer.network
        assert isinstance(network, Network)
        network.loss = 0.0
        await stage.later(60_000)
        assert stage.caller.heard_ms(1500) == 0
        assert not stage.events(K.PROMPT)
        assert backend.names_told() == ["greet"]
        stage.leg.peer.hang_up()
        await stage.over()


# ---- keeping the promise ---------------------------------------------------------------------------


async def test_a_promise_that_cannot_be_kept_is_not_made() -> None:
    def check(callback: Callback) -> None:
        raise StepFailedError("not_allowed", "no trunk may dial this number")

    desk = Callbacks(check, _never, _stays)
    async with Stage(plan=_promise, first_talk=None, callbacks=desk) as stage:
        record = await stage.over()
    assert record.reason is Reason.TARGET_NOT_ALLOWED
    assert desk.waiting == 0


async def _never(_: Callback) -> bool:
    raise AssertionError("nobody may be called")


async def _promise(call: CallControl) -> None:
    await call.answer()
    call.call_back(CallbackRequest("sip:100@pbx", 1.0, 1, 1.0, 30.0))


def promised(**request: float) -> Callback:
    fields = {"after_s": 20.0, "tries": 3, "every_s": 60.0, "ring_s": 30.0, **request}
    asked = CallbackRequest("sip:100@pbx", **fields)  # type: ignore[arg-type]
    return Callback(CallId("call_1"), asked, "200", {}, ())


class Line:
    """Where promised calls are placed: each try ends as the script says."""

    def __init__(self, *ends: bool | RemoteError) -> None:
        self._ends = iter(ends)
        self._began = asyncio.get_running_loop().time()
        self.tries_s: list[float] = []

    async def place(self, _: Callback) -> bool:
        self.tries_s.append(round(asyncio.get_running_loop().time() - self._began, 3))
        end = next(self._ends)
        if isinstance(end, RemoteError):
            raise end
        return end


def _fine(_: Callback) -> None:
    pass


def _stays() -> bool:
    return False


async def test_a_promise_is_kept_at_its_time_and_tried_until_somebody_answers() -> None:
    line = Line(RemoteError("no room", retryable=True), False, True)
    desk = Callbacks(_fine, line.place, _stays)
    desk.promise(promised())
    assert desk.waiting == 1
    await asyncio.sleep(600)
    assert line.tries_s == [20.0, 80.0, 140.0]
    assert desk.waiting == 0


async def test_a_promise_is_given_up_after_its_tries() -> None:
    line = Line(False, False)
    desk = Callbacks(_fine, line.place, _stays)
    desk.promise(promised(tries=2))
    await asyncio.sleep(600)
    assert line.tries_s == [20.0, 80.0]
    assert desk.waiting == 0


async def test_whoever_is_promised_two_calls_gets_one() -> None:
    line = Line(True)
    desk = Callbacks(_fine, line.place, _stays)
    desk.promise(promised())
    await asyncio.sleep(10)
    desk.promise(promised())
    await asyncio.sleep(600)
    assert line.tries_s == [30.0]


async def test_promises_are_bounded_and_forgotten_at_the_end() -> None:
    line = Line()
    desk = Callbacks(_fine, line.place, _stays)
    for n in range(MOST):
        desk.promise(replace(promised(), request=replace(promised().request, target=f"sip:{n}@other")))
    with pytest.raises(StepFailedError, match="wait to be called back"):
        desk.promise(promised())
    await desk.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert line.tries_s == []


async def test_a_gateway_that_is_about_to_leave_calls_nobody_and_promises_nothing() -> None:
    line = Line(False, True)
    leaving: list[str] = []
    desk = Callbacks(_fine, line.place, lambda: bool(leaving))
    desk.promise(promised())
    await asyncio.sleep(30)
    leaving.append("SIGTERM")
    await asyncio.sleep(600)
    assert line.tries_s == [20.0]
    assert desk.waiting == 0
    with pytest.raises(StepFailedError, match="about to stop") as refused:
        desk.promise(promised())
    assert refused.value.kind == "not_possible"
