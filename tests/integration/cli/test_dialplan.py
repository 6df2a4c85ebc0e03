"""`gateway dialplan` as a program, and against a gateway's API."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from watchfiles import awatch

from gateway.api.access import Access
from gateway.api.accounts import Accounts
from gateway.api.dialplan import Dialplans
from gateway.api.handlings import Handlings
from gateway.api.problems import problems
from gateway.dialplan.live import LivePlan
from gateway.store.calls import CallStore
from gateway.store.database import Database
from gateway.store.keys import KeyStore
from tests.unit.dialplan.plans import SURROUNDINGS
from tests.unit.store.records import record

PLAN = """version: 1
prompts: {welcome: Hello.}
routes:
  - {name: sales, match: {to: "+4930*", hours: office}, do: [{play: welcome}, {ai: {}}]}
  - {name: rest, match: {to: "*"}, do: [ai]}
hours: {office: {mon-fri: "08:30-18:00"}}
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command left."""

    status: int
    out: str
    err: str


async def gateway(*arguments: object, cwd: Path) -> Outcome:
    """Run `gateway dialplan` in a process of its own."""
    return await command("dialplan", *arguments, cwd=cwd)


async def command(*arguments: object, cwd: Path) -> Outcome:
    """Run the command line in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "gateway", *(str(argument) for argument in arguments)),
        cwd=cwd,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PYTHONPATH": str(Path(__file__).parents[3]), "COLUMNS": "120"},
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return Outcome(process.returncode, out.decode(), err.decode())


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "dialplans").mkdir()
    (tmp_path / "dialplans" / "main.yaml").write_text(PLAN)
    return tmp_path


async def test_check(site: Path) -> None:
    outcome = await gateway("check", cwd=site)
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.startswith("dialplans: ok (routes: 2; flows: 0; cases: 0; ")
    (site / "dialplans" / "main.yaml").write_text(
        PLAN.replace("welcome}", "welcom}").replace("+4930*", "+49*0")
    )
    outcome = await gateway("check", "dialplans", cwd=site)
    assert (outcome.status, outcome.out) == (1, "")
    assert outcome.err.splitlines() == [
        'dialplans/main.yaml:4:31: routes[0].match.to: found "+49*0", expected at most one *, at the end',
        'dialplans/main.yaml:4:68: routes[0].do[0].play: found "welcom", '
        'expected a prompt (welcome); did you mean "welcome"?',
    ]


async def test_check_with_a_configuration(site: Path) -> None:
    (site / "gw.yaml").write_text("dialplans: dialplans/\nagents: {bot: {backend: bot}}\n")
    assert (await gateway("check", "--config", "gw.yaml", cwd=site)).status == 0
    (site / "dialplans" / "main.yaml").write_text(PLAN.replace("ai: {}", "ai: bott"))
    outcome = await gateway("check", "--config", "gw.yaml", cwd=site)
    assert outcome.status == 1
    assert 'expected an agent of the configuration (bot); did you mean "bot"?' in outcome.err
    (site / "gw.yaml").write_text("dialplan: dialplans/\n")
    assert (await gateway("check", "--config", "gw.yaml", cwd=site)).status == 2


async def test_explain(site: Path) -> None:
    outcome = await gateway(
        "explain", "--to", "+4930555", "--from", "+491701", "--at", "2026-11-22 09:00", cwd=site
    )
    assert outcome.status == 0
    assert "no    sales (dialplans/main.yaml:4): office is closed (sun closed)" in outcome.out
    assert "yes   rest (dialplans/main.yaml:5)" in outcome.out
    assert (await gateway("explain", "--to", "1", "--at", "tomorrow", cwd=site)).status == 2


async def test_schema(site: Path) -> None:
    schema = json.loads((await gateway("schema", cwd=site)).out)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


async def test_replay(site: Path) -> None:
    (site / "run").mkdir()
    now = datetime.now(UTC)
    async with await CallStore.open(site / "run" / "calls.db") as store:
        for number in range(3):
            await store.save(record(number, route="old", to_number="12", started_at=now))
        await store.save(record(3, route="rest", to_number="12", started_at=now))
        await store.save(record(4, route="old", to_number="12", started_at=now - timedelta(days=8)))
    outcome = await gateway("replay", "--since", "7d", "dialplans", cwd=site)
    assert outcome.status == 0, outcome.err
    assert outcome.out.startswith("4 calls: 1 as before, 3 would take another route\n")
    assert "+4930123456 → 12" in outcome.out
    data = json.loads((await gateway("replay", "--json", cwd=site)).out)
    assert (data["calls"], data["same"]) == (4, 1)
    assert [(each["before"], each["after"], each["count"]) for each in data["changes"]] == [
        ("old", "rest", 3)
    ]
    assert (await gateway("replay", "--run-dir", "nowhere", cwd=site)).status == 1


# ---- the running gateway -----------------------------------------------------------------------------


async def _ready(_request: web.Request) -> web.Response:
    return web.json_response({"status": "ready"})


@asynccontextmanager
async def running(site: Path) -> AsyncIterator[KeyStore]:
    """The API of a gateway with this plan, and its configuration in gw.yaml."""
    run_dir = site / "run"
    run_dir.mkdir()
    live = await LivePlan.open(site / "dialplans", SURROUNDINGS, run_dir, lambda: datetime.now(UTC))
    database = await Database.open(run_dir / "calls.db")
    keys = KeyStore(database)
    access = Access(keys, Accounts({}), asyncio.get_running_loop().time)
    app = web.Application(middlewares=[problems])
    app.router.add_get("/readyz", _ready)
    handlings = Handlings()
    app.add_routes([operation.route(access, handlings) for operation in Dialplans(live).operations()])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    (site / "gw.yaml").write_text(f"http: {{listen: 127.0.0.1:{port}}}\ndialplans: dialplans/\n")
    try:
        yield keys
    finally:
        await handlings.close()
        await runner.cleanup()
        await database.close()


async def test_reload_canary_promote_rollback(site: Path) -> None:
    plan = site / "dialplans" / "main.yaml"
    async with running(site):
        at = ("--config", "gw.yaml")
        first = json.loads((await gateway("history", *at, "--json", cwd=site)).out)
        plan.write_text(PLAN + "# changed\n")
        outcome = await gateway("reload", "--canary", "10%", *at, cwd=site)
        assert outcome.status == 0
        assert "(2 routes) for 10% of the callers" in outcome.out
        outcome = await gateway("promote", *at, cwd=site)
        assert "canary:" not in outcome.out
        assert (await command("status", *at, cwd=site)).status == 0
        outcome = await gateway("rollback", *at, cwd=site)
        assert outcome.out.startswith(f"dialplan in force: {first['current']['digest'][:12]} (2 routes)")
        state = json.loads((await gateway("history", *at, "--json", cwd=site)).out)
        assert [(v["action"], v["by"]) for v in state["history"]] == [
            ("rolled_back", "local"),
            ("promoted", "local"),
            ("canary", "local"),
            ("started", "start"),
        ]


async def test_a_wrong_plan_is_refused_with_its_mistakes(site: Path) -> None:
    async with running(site):
        (site / "dialplans" / "main.yaml").write_text(PLAN.replace("welcome}", "welcom}"))
        outcome = await gateway("reload", "--config", "gw.yaml", cwd=site)
        assert outcome.status == 1
        assert 'main.yaml:4:69: routes[0].do[0].play: found "welcom"' in outcome.err
        assert "refused at" in (await gateway("history", "--config", "gw.yaml", cwd=site)).out
        outcome = await command("status", "--config", "gw.yaml", cwd=site)
        assert outcome.status == 1
        assert outcome.out.startswith("ready\ndialplan in force: ")
        assert 'found "welcom"' in outcome.out
        outcome = await gateway("promote", "--config", "gw.yaml", cwd=site)
        assert (outcome.status, outcome.err) == (1, "gateway: there is no canary to promote\n")


async def test_changes_need_an_admin(site: Path) -> None:
    async with running(site) as keys:
        _, operate = await keys.create_key("desk", "operate", datetime.now(UTC))
        _, admin = await keys.create_key("boss", "admin", datetime.now(UTC))
        at = ("--config", "gw.yaml")
        assert (await gateway("rollback", *at, cwd=site)).status == 1
        assert (await gateway("reload", *at, "--key", operate, cwd=site)).status == 1
        (site / "dialplans" / "main.yaml").write_text(PLAN + "# changed\n")
        outcome = await gateway("reload", *at, "--key", admin, cwd=site)
        assert outcome.status == 0
        assert "boss" in outcome.out


async def test_no_gateway(site: Path) -> None:
    (site / "gw.yaml").write_text("http: {listen: 127.0.0.1:1}\ndialplans: dialplans/\n")
    outcome = await gateway("reload", "--config", "gw.yaml", cwd=site)
    assert outcome.status == 1
    assert outcome.err.startswith("gateway: no gateway answers at http://127.0.0.1:1: ")


async def test_a_changed_file_is_put_into_force(site: Path) -> None:
    (site / "run").mkdir()
    live = await LivePlan.open(site / "dialplans", SURROUNDINGS, site / "run", lambda: datetime.now(UTC))

    async def first_change() -> AsyncIterator[object]:
        written = False
        async for changes in awatch(
            live.directory or site, debounce=50, rust_timeout=20, yield_on_timeout=True
        ):
            if changes:
                yield changes
                return
            if not written:
                # Nothing for a while: it watches.
                (site / "dialplans" / "main.yaml").write_text(PLAN.replace("name: rest", "name: others"))
                written = True

    await live.watch(first_change())
    assert [route.name for route in live.current.routes] == ["sales", "others"]
    assert live.status().current.by == "file change"
