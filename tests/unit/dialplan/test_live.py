"""The plan in force: reloads, restarts, and plans that are wrong."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pytest
from watchfiles import awatch

from gateway.config.problems import ConfigError
from gateway.dialplan.live import LivePlan, check_start
from gateway.dialplan.versions import VersionsError
from tests.unit.dialplan.plans import SURROUNDINGS, ask
from tests.unit.dialplan.site import Clock, Site, route_of


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


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


async def test_reloads_at_the_same_time_come_one_after_the_other(site: Site) -> None:
    live = await site.open()
    site.write("two")
    statuses = await asyncio.gather(*(live.reload(f"by {n}") for n in range(5)))
    assert len(live.status().history) == 2
    assert {status.current.digest for status in statuses} == {live.current.digest}


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


async def test_a_directory_that_goes_away_ends_the_watch_alone(site: Site) -> None:
    live = await site.open()
    for path in site.plans.iterdir():
        path.unlink()
    site.plans.rmdir()
    again = await site.open()
    await again.watch(awatch(site.plans))
    assert route_of(live) == route_of(again) == "one"
    assert "no such file or directory" in again.status().error
