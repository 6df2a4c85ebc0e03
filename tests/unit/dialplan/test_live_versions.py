"""Canaries and rollbacks: who gets the new plan, and how the one before comes back and stays."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.config.problems import ConfigError
from gateway.dialplan.versions import MAX_KEPT, VersionsError
from tests.unit.dialplan.plans import write_wav
from tests.unit.dialplan.site import Site, route_of, shares


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


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


async def test_a_second_rollback_leaves_the_first_as_it_was(site: Site) -> None:
    live = await site.open()
    for name in ("two", "three"):
        site.write(name)
        await live.follow_files()
    await live.rollback("ben")
    await live.rollback("ben")
    site.write("three")  # as it was
    await live.follow_files()
    assert route_of(live) == "one"
    again = await site.open()
    assert route_of(again) == "one"
    await again.follow_files()
    assert route_of(again) == "one"
    site.write("two")
    await again.follow_files()
    assert route_of(again) == "one"
    site.write("four")
    await again.follow_files()
    assert route_of(again) == "four"


async def test_a_canary_and_the_plan_before_it_stay_rolled_back(site: Site) -> None:
    live = await site.open()
    site.write("two")
    await live.reload("anna")
    site.write("three")
    await live.reload("anna", 50.0)
    await live.rollback("ben")
    await live.rollback("ben")
    for name in ("three", "two"):
        site.write(name)
        await live.follow_files()
        assert shares(live) == {"one": 400}
        assert shares(await site.open()) == {"one": 400}


async def test_a_history_with_one_rejected_plan_is_read_too(site: Site) -> None:
    live = await site.open()
    site.write("two")
    await live.reload("anna")
    rejected = live.current.digest
    await live.rollback("ben")
    path = site.run / "dialplans" / "versions.json"
    kept = json.loads(path.read_text())
    for before, route in ((rejected, "one"), ("", "two")):
        path.write_text(json.dumps({**kept, "rejected": before}))
        assert route_of(await site.open()) == route


async def test_a_canary_stays_one_after_a_restart(site: Site) -> None:
    live = await site.open()
    site.write("two")
    await live.reload("anna", 25.0)
    assert shares(await site.open()) == shares(live)


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


async def test_changed_files_renew_a_canary_instead_of_replacing_the_plan(site: Site) -> None:
    live = await site.open()
    site.write("two")
    await live.reload("anna", 25.0)
    site.write("three")
    status = await live.follow_files()
    assert status.canary_percent == 25.0
    assert set(shares(live)) == {"one", "three"}


async def test_files_that_change_while_a_canary_is_promoted_are_for_all(site: Site) -> None:
    live = await site.open()
    site.write("two")
    await live.reload("anna", 25.0)
    site.write("three")
    _, status = await asyncio.gather(live.promote("anna"), live.follow_files())
    assert status.canary is None
    assert set(shares(live)) == {"three"}


async def test_files_that_come_back_to_the_plan_in_force_leave_the_canary(site: Site) -> None:
    live = await site.open()
    site.write("two")
    await live.reload("anna", 25.0)
    site.write("one")

    async def changes() -> AsyncIterator[object]:
        yield {"one"}

    await live.watch(changes())
    assert live.status().canary is not None
