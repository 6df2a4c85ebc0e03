"""A whole gateway that connects callers with phones behind a trunk."""

import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.baresip import Baresip
from tests.integration.card.called import called, challenged_by_proxy, invited, proxy_digest, receive, respond
from tests.integration.harness import GatewayProcess
from tests.integration.softphone import Softphone
from tests.integration.spectrum import left_channel, seconds_of_tone

_PLAN = """\
version: 1
routes:
  - name: connect
    match: {to: "2XX"}
    do: [{bridge: {to: "sip:baresip@pbx", ring: 15s, on: {busy: {reject: 486}, refused: {reject: 603}}}}]
"""


@contextlib.asynccontextmanager
async def connecting(port: int, **trunk: object) -> AsyncIterator[GatewayProcess]:
    """A gateway that connects everyone with one phone at a port."""
    with tempfile.TemporaryDirectory(prefix="plan-") as directory:
        (Path(directory) / "main.yaml").write_text(_PLAN)
        sections = {"trunks": {"pbx": {"address": f"127.0.0.1:{port}", "allow": ["bare*"], **trunk}}}
        agents = {"nobody": {"backend": "openai_realtime", "url": "ws://127.0.0.1:9/"}}
        plan = Path(directory)
        async with GatewayProcess(agents=agents, sections=sections, dialplans=plan) as gateway:
            yield gateway


@pytest.mark.needs("baresip")
async def test_a_caller_and_a_phone_behind_a_trunk_hear_each_other(tmp_path: Path) -> None:
    recording = tmp_path / "phone.wav"
    async with Baresip(440) as operator, connecting(operator.sip_port) as gateway:
        async with Softphone(gateway.uri("201"), record=recording) as phone:
            await operator.event("CALL_INCOMING")
            await operator.command("accept")
            await phone.done("hear 10", "tone 1000 4000")
            await phone.finish()
        await operator.event("CALL_CLOSED")
        await gateway.settled()
        assert seconds_of_tone(left_channel(recording), 440) >= 3
        assert seconds_of_tone(operator.heard(), 1000) >= 3


@pytest.mark.needs("sipp")
async def test_a_trunk_that_wants_a_password_gets_its_digest_and_the_log_does_not() -> None:
    secret = {"username": "gw", "password": "trunk-s3cret"}
    async with (
        called(invited(), challenged_by_proxy()) as trunk,
        connecting(trunk.port, **secret) as gateway,
    ):
        async with Softphone(gateway.uri("201")) as phone:
            await phone.event("answered")
            await trunk.passed()
            await phone.event("ended")
        await gateway.settled()
        given, right = proxy_digest(trunk.messages(), "gw", "trunk-s3cret")
        assert given == right
        assert "trunk-s3cret" not in str(gateway.log)


@pytest.mark.needs("sipp")
async def test_a_busy_phone_is_busy_for_the_caller() -> None:
    async with (
        called(invited(), respond(486, "Busy Here"), receive("ACK")) as trunk,
        connecting(trunk.port) as gateway,
    ):
        async with Softphone(gateway.uri("201")) as phone:
            ended = await phone.event("ended")
        assert ended["status"] == 486
        await trunk.passed()
        await gateway.settled()
