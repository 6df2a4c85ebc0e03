"""A plan is put into force by command, for some callers first, and taken back, in a running gateway."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gateway.dialplan.language.share import within
from tests.integration.dialplan.site import SORRY_HZ, Watched, failures
from tests.integration.dialplan.sounds import longest_silence_s, write_tone
from tests.integration.harness import GatewayProcess
from tests.integration.raw_sip import RawSip
from tests.integration.softphone import Softphone
from tests.integration.spectrum import RATE_HZ, left_channel, loud_seconds

_PLAN = """\
version: 1
routes:
  - {{name: refused, match: {{to: "1"}}, do: [{{reject: {status}}}]}}
  - name: unhandled
    match: {{to: "2"}}
    do: [{{play: {{file: tone.wav}}}}, {{bridge: "sip:${{from}}@pbx"}}]
"""
pytestmark = pytest.mark.asyncio(loop_scope="module")

OLD, NEW = 486, 404
_SHARE = 40
_CARD_BREATH_S = 0.6
"""In this time a card takes twelve calls at once again."""


@dataclass(frozen=True, slots=True)
class Site:
    """A gateway and the directory of its plan."""

    gateway: GatewayProcess
    plans: Path

    def write(self, status: int) -> None:
        """A plan that refuses everybody with a status."""
        (self.plans / "main.yaml").write_text(_PLAN.format(status=status))

    async def command(self, *arguments: str) -> tuple[int, str, str]:
        """`gateway dialplan`: exit status, output and errors."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway", "dialplan", *arguments),
            *("--config", str(self.gateway.config_file)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    async def state(self) -> dict[str, Any]:
        """What `gateway dialplan history` shows."""
        status, out, err = await self.command("history", "--json")
        assert status == 0, err
        found: dict[str, Any] = json.loads(out)
        return found

    async def statuses(self, callers: list[str]) -> dict[str, int]:
        """The status with which each caller is refused: it tells the plan."""
        async with RawSip(self.gateway.sip_port) as phone:
            return {caller: await _refused(phone, caller) for caller in callers}


async def _refused(phone: RawSip, caller: str) -> int:
    """The status that the plan gives; a card that wants calls to begin less fast (503) is asked again."""
    while True:
        response = await _final(phone, caller)
        status = int(response.split(b" ", 2)[1])
        if status != 503:
            return status
        await asyncio.sleep(_CARD_BREATH_S)


async def _final(phone: RawSip, caller: str) -> bytes:
    invite = phone.request("INVITE").replace(b"<sip:raw@", f"<sip:{caller}@".encode(), 1)
    invite = invite.replace(b" sip:demo@", b" sip:1@", 1)
    response = await phone.final(invite)
    (to,) = [line for line in response.split(b"\r\n") if line.startswith(b"To:")]
    phone.send(invite.replace(b"INVITE", b"ACK").replace(b"To: <sip:demo@127.0.0.1>", to))
    return response


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    plans = tmp_path_factory.mktemp("plans")
    write_tone(plans / "tone.wav", SORRY_HZ, 600)
    (plans / "main.yaml").write_text(_PLAN.format(status=OLD))
    sections = {
        "dialplans_reload": "on_command",
        "trunks": {"pbx": {"address": "127.0.0.1:9", "allow": ["op1"]}},
    }
    agents = {"nobody": {"backend": "openai_realtime", "url": "ws://127.0.0.1:9/"}}
    async with GatewayProcess(agents=agents, dialplans=plans, sections=sections) as gateway:
        yield Site(gateway, plans)


async def test_a_canary_is_for_its_share_of_callers_and_is_taken_back(site: Site) -> None:
    callers = [f"+49170{n}" for n in range(30)]
    site.write(NEW)
    assert await site.statuses(callers[:1]) == {callers[0]: OLD}, "a file alone changes nothing"
    status, out, err = await site.command("reload", "--canary", f"{_SHARE}%")
    assert (status, err) == (0, ""), out
    digest = str((await site.state())["canary"]["digest"])
    wanted = {caller: NEW if within(caller, digest, _SHARE) else OLD for caller in callers}
    assert set(wanted.values()) == {OLD, NEW}
    assert await site.statuses(callers) == wanted
    assert await site.statuses(callers) == wanted, "stable per caller"
    assert (await site.command("promote"))[0] == 0
    assert set((await site.statuses(callers)).values()) == {NEW}
    assert (await site.command("rollback"))[0] == 0
    assert set((await site.statuses(callers)).values()) == {OLD}
    actions = [line["action"] for line in site.gateway.log if line["event"] == "dialplan put into force"]
    assert actions == ["canary", "promoted", "rolled_back"]


async def test_a_wrong_plan_is_told_and_changes_nothing(site: Site) -> None:
    (site.plans / "main.yaml").write_text("version: 1\nroutes: [{name: x, do: [answr]}]\n")
    status, _, err = await site.command("reload")
    assert status == 1
    assert "main.yaml:2:" in err
    assert 'did you mean "answer"?' in err
    assert "answr" in str((await site.state())["error"])
    assert await site.statuses(["ada"]) == {"ada": OLD}


async def test_an_unhandled_failure_is_apologised_for(site: Site, tmp_path: Path) -> None:
    recording, call = tmp_path / "phone.wav", Watched(site.gateway)
    async with Softphone(site.gateway.uri("2"), record=recording) as phone:
        assert (await phone.event("ended"))["by"] == "far_end"
    record = await call.record()
    assert failures(record) == [("bridge", "not_allowed")]
    assert [e.fields["name"] for e in record.timeline if "name" in e.fields][-1] == "apology"
    heard = left_channel(recording)
    assert loud_seconds(heard[RATE_HZ:]) > 1.0, "words, after the tone"
    assert longest_silence_s(heard) < 2.0
