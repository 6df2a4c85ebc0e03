"""The plan in force: reload, canary, rollback, restarts, and plans that are wrong."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest
from watchfiles import awatch

from gateway.config.problems import ConfigError
from gateway.dialplan.live import LivePlan, check_start
from gateway.dialplan.versions import MAX_KEPT, VersionsError
from tests.unit.dialplan.plans import SURROUNDINGS, ask, write_wav


class Clock:
    """A wall clock that goes on by a minute at every look."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 23, 9, tzinfo=UTC)

    def __call__(self) -> datetime:
        """The time."""
        self.time += timedelta(minutes=1)
        return self.time


class Site:
    """A directory of dialplans and a run directory."""

    def __init__(self, directory: Path) -> None:
        self.plans = directory / "plans"
        self.run = directory / "run"
        self.plans.mkdir()
        self.run.mkdir()
        self.write("one")

    def write(self, route: str) -> None:
        """A plan with one route of this name."""
        text = f'version: 1\nroutes: [{{name: {route}, match: {{to: "*"}}, do: [ai]}}]\n'
        (self.plans / "main.yaml").write_text(text)

    async def open(self) -> LivePlan:
        """The gateway starts."""
        return await LivePlan.open(self.plans, SURROUNDINGS, self.run, Clock())


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def route_of(live: LivePlan, caller: str = "+491701") -> str:
    return ask(live.for_caller(caller), "1", caller).route_name


def shares(live: LivePlan) -> dict[str, int]:
    found: dict[str, int] = {}
    for number in range(400):
        route = route_of(live, f"+4930{number:05}")
        found[route] = found.get(route, 0) + 1
    return found


class Signals(asyncio.Event):
    """Somebody's signals; tells whenever they are waited for, which is when the last one has been obeyed."""

    def __init__(self) -> None:
        super().__init__()
        self.waited_for: asyncio.Queue[None] = asyncio.Queue()

    async def wait(self) -> Literal[True]:
        """As an event does."""
        self.waited_for.put_nowait(None)
        return await super().wait()

    async def give(self) -> None:
        """One signal, until it has been obeyed."""
        self.set()
        async with asyncio.timeout(10):
            await self.waited_for.get()


@asynccontextmanager
async def obeying(live: LivePlan) -> AsyncIterator[Signals]:
    """Signals are carried out."""
    signals = Signals()
    task = asyncio.create_task(live.reload_when(signals, "SIGHUP"))
    await signals.waited_for.get()
    yield signals
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_reload_swaps_the_plan_and_a_call_keeps_its_own(site: Site) -> None:
    live = await site.open()
    old = live.for_caller("+491701")
    site.write("two")
    assert route_of(live) == "one"
    status = await live.reload("anna")
    assert route_of(live) == "two"
    assert ask(old, "1").route_name == "one"
    assert (status.current.by, status.current.action, status.error) == ("anna", "reloaded", "")
    assert [version.by for version in status.history] == ["anna", "start"]


async def test_a_reload_without_changes_changes_nothing(site: Site) -> None:
    live = await site.open()
    before = live.current
    status = await live.reload("anna")
    assert live.current is before
    assert len(status.history) == 1


async def test_a_wrong_plan_changes_nothing_and_is_told(site: Site) -> None:
    live = await site.open()
    (site.plans / "main.yaml").write_text("version: 1\nroutes: [{name: x}]\n")
    with pytest.raises(ConfigError, match="routes"):
        await live.reload("anna")
    assert route_of(live) == "one"
    assert "main.yaml:2:" in live.status().error
    assert live.status().error_at == datetime(2026, 11, 23, 9, 2, tzinfo=UTC)
    site.write("two")
    assert (await live.reload("anna")).error == ""


async def test_a_failed_case_is_a_wrong_plan(site: Site) -> None:
    live = await site.open()
    with (site.plans / "main.yaml").open("a") as plan:
        plan.write("cases: [{to: '1', expect: {route: two}}]\n")
    with pytest.raises(ConfigError, match="expected route"):
        await live.reload("anna")


async def test_a_canary_gets_its_share_and_a_caller_stays(site: Site) -> None:
    live = await site.open()
    site.write("two")
    status = await live.reload("anna", 25.0)
    assert status.canary is not None
    first = shares(live)
    assert 60 < first["two"] < 140
    assert first["one"] + first["two"] == 400
    assert shares(live) == first
    assert (await live.promote("ben")).canary is None
    assert shares(live) == {"two": 400}


async def test_a_caller_is_one_however_the_number_is_written(site: Site) -> None:
    live = await site.open()
    site.write("two")
    await live.reload("me", 50.0)
    callers = [f"1701{number:06}" for number in range(100)]
    national = [live.for_caller(f"0{caller}", "pbx") for caller in callers]
    assert len({plan.digest for plan in national}) == 2
    assert national == [live.for_caller(f"+49{caller}") for caller in callers]


@pytest.mark.parametrize("nobody", ["", "anonymous", "Anonymous", "key shop", "secret sec_1", "local"])
async def test_callers_of_whom_nothing_is_known_are_shared_out_too(site: Site, nobody: str) -> None:
    live = await site.open()
    site.write("two")
    await live.reload("me", 50.0)
    plans = [live.for_caller(nobody, call_id=f"call_{number}") for number in range(200)]
    assert 60 < sum(plan is live.current for plan in plans) < 140
    known = {live.for_caller("person anna", call_id=f"call_{number}").digest for number in range(20)}
    assert len(known) == 1


async def test_a_rollback_holds_against_files_that_nobody_edits(site: Site) -> None:
    live = await site.open()
    site.write("two")
    await live.follow_files()
    await live.rollback("ben")
    site.write("two")  # a checkout, a touch, a save without a change
    await live.follow_files()
    assert route_of(live) == "one"
    site.write("three")
    await live.follow_files()
    assert route_of(live) == "three"
    await live.rollback("ben")
    await live.reload("anna")  # somebody wants it
    assert route_of(live) == "three"


async def test_a_rollback_drops_the_canary_then_goes_back_plan_by_plan(site: Site) -> None:
    live = await site.open()
    for name in ("two", "three"):
        site.write(name)
        await live.reload("anna")
    site.write("four")
    await live.reload("anna", 50.0)
    for expected in ("three", "two", "one"):
        await live.rollback("ben")
        assert shares(live) == {expected: 400}
    with pytest.raises(VersionsError, match="no earlier plan"):
        await live.rollback("ben")
    with pytest.raises(VersionsError, match="no canary"):
        await live.promote("ben")


async def test_a_rolled_back_plan_stays_so_after_a_restart(site: Site) -> None:
    live = await site.open()
    site.write("two")
    await live.reload("anna")
    await live.rollback("anna")
    again = await site.open()
    assert route_of(again) == "one"
    site.write("three")
    assert route_of(await site.open()) == "three"


async def test_a_canary_stays_one_after_a_restart(site: Site) -> None:
    live = await site.open()
    site.write("two")
    await live.reload("anna", 25.0)
    assert shares(await site.open()) == shares(live)


async def test_a_restart_with_wrong_files_goes_on_with_the_last_plan(site: Site) -> None:
    await site.open()
    (site.plans / "main.yaml").write_text("nonsense")
    live = await site.open()
    assert route_of(live) == "one"
    assert "main.yaml:1:1" in live.status().error


async def test_a_node_may_start_with_wrong_files_after_a_good_plan(site: Site) -> None:
    (site.plans / "main.yaml").write_text("version: 1\nroutes: [")
    with pytest.raises(ConfigError, match="YAML syntax"):
        check_start(site.plans, SURROUNDINGS, site.run)
    site.write("one")
    await site.open()
    (site.plans / "main.yaml").write_text("version: 1\nroutes: [")
    check_start(site.plans, SURROUNDINGS, site.run)
    assert route_of(await site.open()) == "one"
    for kept in (site.run / "dialplans").glob("????*.json"):
        if kept.name != "versions.json":
            kept.unlink()
    with pytest.raises(ConfigError, match="YAML syntax"):
        check_start(site.plans, SURROUNDINGS, site.run)


async def test_a_first_start_with_wrong_files_is_refused(site: Site) -> None:
    (site.plans / "main.yaml").write_text("nonsense")
    with pytest.raises(ConfigError):
        await site.open()


@pytest.mark.parametrize("broken", ["{", "[]", '{"current": 1}'])
async def test_a_broken_history_is_no_obstacle(site: Site, broken: str) -> None:
    await site.open()
    (site.run / "dialplans" / "versions.json").write_text(broken)
    assert route_of(await site.open()) == "one"


async def test_kept_files_that_are_gone_are_no_obstacle_to_a_start(site: Site) -> None:
    live = await site.open()
    site.write("two")
    await live.reload("anna")
    await live.rollback("anna")
    for path in (site.run / "dialplans").glob("[0-9a-f]*.json"):
        path.unlink()
    assert route_of(await site.open()) == "two"


async def test_only_so_many_plans_are_kept(site: Site) -> None:
    live = await site.open()
    for number in range(MAX_KEPT + 5):
        site.write(f"plan {number}")
        await live.reload("anna")
    assert len(live.status().history) == MAX_KEPT
    kept = [path for path in (site.run / "dialplans").iterdir() if path.name != "versions.json"]
    assert len(kept) == MAX_KEPT


async def test_a_sound_that_was_spoilt_keeps_no_plan_from_coming_back(site: Site) -> None:
    sound = site.plans / "x.wav"
    write_wav(sound)
    text = 'version: 1\nroutes: [{name: NAME, match: {to: "*"}, do: [{play: {file: x.wav}}]}]\n'
    (site.plans / "main.yaml").write_text(text.replace("NAME", "one"))
    live = await site.open()
    sound.write_bytes(b"no sound")
    with pytest.raises(ConfigError, match=r"x\.wav"):
        await live.reload("anna")
    assert route_of(await site.open()) == "one", "the gateway starts"
    write_wav(sound)
    (site.plans / "main.yaml").write_text(text.replace("NAME", "two"))
    await live.reload("anna")
    sound.unlink()
    await live.rollback("ben")
    assert route_of(live) == "one"


async def test_lists_come_back_with_the_plan(site: Site) -> None:
    (site.plans / "vip.csv").write_text("+491701\n")
    lists = "version: 1\nlists: {vip: [{file: vip.csv}]}\n"
    text = lists + "routes: [{name: vip, match: {from: {in: vip}}, do: [ai]}]\n"
    (site.plans / "main.yaml").write_text(text)
    live = await site.open()
    (site.plans / "vip.csv").write_text("+491702\n")
    await live.reload("anna")
    assert route_of(live) == ""
    await live.rollback("anna")
    assert route_of(live) == "vip"
    again = await site.open()
    assert route_of(again) == "vip"


async def test_without_a_directory_there_is_nothing_to_reload(site: Site) -> None:
    live = await LivePlan.open(None, SURROUNDINGS, site.run, Clock())
    assert route_of(live) == "everything"
    with pytest.raises(VersionsError, match="names no dialplans"):
        await live.reload("anna")


async def test_changed_files_are_followed_and_wrong_ones_are_not(site: Site) -> None:
    live = await site.open()
    seen: list[str] = []

    async def changes() -> AsyncIterator[object]:
        for name in ("two", None, "three"):
            if name is None:
                (site.plans / "main.yaml").write_text("nonsense")
            else:
                site.write(name)
            yield {name}
            seen.append(route_of(live))

    await live.watch(changes())
    assert seen == ["two", "two", "three"]


async def test_changed_files_renew_a_canary_instead_of_replacing_the_plan(site: Site) -> None:
    live = await site.open()
    site.write("two")
    await live.reload("anna", 25.0)
    site.write("three")
    status = await live.follow_files()
    assert status.canary_percent == 25.0
    assert set(shares(live)) == {"one", "three"}


async def test_reloads_at_the_same_time_come_one_after_the_other(site: Site) -> None:
    live = await site.open()
    site.write("two")
    statuses = await asyncio.gather(*(live.reload(f"by {n}") for n in range(5)))
    assert len(live.status().history) == 2
    assert {status.current.digest for status in statuses} == {live.current.digest}


async def test_files_that_change_while_a_canary_is_promoted_are_for_all(site: Site) -> None:
    live = await site.open()
    site.write("two")
    await live.reload("anna", 25.0)
    site.write("three")
    _, status = await asyncio.gather(live.promote("anna"), live.follow_files())
    assert status.canary is None
    assert set(shares(live)) == {"three"}


async def test_reloads_by_signal_go_on_after_one_that_was_refused(site: Site) -> None:
    live = await site.open()
    async with obeying(live) as signals:
        (site.plans / "main.yaml").write_text("version: 1\nroutes: [{name: x}]\n")
        await signals.give()
        assert live.status().error
        site.write("two")
        await signals.give()
        assert route_of(live) == "two"


async def test_a_signal_to_reload_nothing_does_no_harm() -> None:
    async with obeying(await LivePlan.open(None, SURROUNDINGS, Path("/nowhere"), Clock())) as signals:
        await signals.give()
        await signals.give()


async def test_files_that_come_back_to_the_plan_in_force_leave_the_canary(site: Site) -> None:
    live = await site.open()
    site.write("two")
    await live.reload("anna", 25.0)
    site.write("one")

    async def changes() -> AsyncIterator[object]:
        yield {"one"}

    await live.watch(changes())
    assert live.status().canary is not None


async def test_a_directory_that_goes_away_ends_the_watch_alone(site: Site) -> None:
    live = await site.open()
    for path in site.plans.iterdir():
        path.unlink()
    site.plans.rmdir()
    again = await site.open()
    await again.watch(awatch(site.plans))
    assert route_of(live) == route_of(again) == "one"
    assert "no such file or directory" in again.status().error
