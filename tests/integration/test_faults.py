"""The AI service misbehaves: the caller hears an apology, the log says why, the record says how it ended."""

import asyncio
import json
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.core.audio import PcmFormat
from gateway.core.record import CallRecord, TimelineKind
from gateway.media.g711 import ulaw_encode
from gateway.softphone.recording import tone
from tests.integration.harness import GatewayProcess
from tests.integration.processes import free_sip_port
from tests.integration.realtime_backend import RealtimeBackend
from tests.integration.softphone import Softphone
from tests.integration.spectrum import left_channel, loud_seconds, seconds_of_tone

SECRET = "sk-test-5f3c9a"
ENVIRONMENT = {"TEST_KEY": SECRET}
WORDS = "where is my parcel"
ANSWER = ulaw_encode(tone(440, 1500, PcmFormat(8000)))


async def listen_to_the_end(gateway: GatewayProcess, recording: Path) -> tuple[dict[str, Any], CallRecord]:
    """Call, say nothing, stay until the far end hangs up; the phone's summary and the call's record."""
    async with Softphone(gateway.uri(), record=recording) as phone:
        phone.do("ended 40")
        await phone.event("ended", 45)
        summary = await phone.finish()
    assert summary["worked"], summary
    call = await gateway.logged("call ended")
    return dict(summary), await gateway.record(str(call["call_id"]))


def faults(gateway: GatewayProcess) -> list[dict[str, Any]]:
    """Log lines about the backend's failure."""
    return [dict(line) for line in gateway.log if line.get("event") == "backend fault"]


def assert_no_secret(gateway: GatewayProcess) -> None:
    assert SECRET not in json.dumps(gateway.log) + "".join(gateway.feed.other)


async def test_an_unreachable_service(tmp_path: Path) -> None:
    url = f"ws://127.0.0.1:{free_sip_port()}/v1/realtime"
    agent = {"backend": "openai_realtime", "url": url, "api_key": "${TEST_KEY}"}
    async with GatewayProcess(agents={"receptionist": agent}, environment=ENVIRONMENT) as gateway:
        _, record = await listen_to_the_end(gateway, tmp_path / "phone.wav")
        assert (record.result, record.reason) == ("failed", "backend_unreachable")
        fault = faults(gateway)[0]
        assert fault["agent"] == "receptionist"
        assert url in fault["error"]
        assert_no_secret(gateway)
    assert loud_seconds(left_channel(tmp_path / "phone.wav")) > 1.0


async def test_a_service_that_refuses_the_key(tmp_path: Path) -> None:
    async with RealtimeBackend("refuse") as backend:
        agents = {"receptionist": backend.agent()}
        async with GatewayProcess(agents=agents, environment=ENVIRONMENT) as gateway:
            _, record = await listen_to_the_end(gateway, tmp_path / "phone.wav")
            assert (record.result, record.reason) == ("failed", "backend_refused")
            fault = faults(gateway)[0]
            assert (fault["agent"], fault["fault"]) == ("receptionist", "refused")
            assert backend.url in fault["error"]
            assert_no_secret(gateway)
        assert [session.authorization for session in backend.sessions] == [f"Bearer {SECRET}"]
    assert loud_seconds(left_channel(tmp_path / "phone.wav")) > 1.0


async def test_a_service_that_closes_is_reconnected_once_with_the_transcript(tmp_path: Path) -> None:
    recording = tmp_path / "phone.wav"
    async with RealtimeBackend("close", "echo", answer=ANSWER, transcript=WORDS) as backend:
        agents = {"receptionist": backend.agent(audio="pcmu")}
        async with GatewayProcess(agents=agents, environment=ENVIRONMENT) as gateway:
            async with Softphone(gateway.uri(), record=recording) as phone:
                await phone.event("answered")
                session = await backend.until(2, "conversation.item.create")
                await phone.done("tone 1000 500", "silence 10")
                assert (await phone.finish())["worked"]
            await gateway.settled()
            record = await gateway.record(str((await gateway.logged("call ended"))["call_id"]))
            assert (record.reconnects, record.reason) == (1, "caller_hangup")
    items = session.of_type("conversation.item.create")
    assert [(i["item"]["role"], i["item"]["content"][0]["text"]) for i in items] == [("user", WORDS)]
    heard = left_channel(recording)
    assert seconds_of_tone(heard, 440) >= 1.2
    assert seconds_of_tone(heard, 1000) >= 0.3


async def test_a_service_that_closes_again_ends_in_the_apology(tmp_path: Path) -> None:
    async with RealtimeBackend("close", answer=ANSWER, transcript=WORDS) as backend:
        agents = {"receptionist": backend.agent(audio="pcmu")}
        async with GatewayProcess(agents=agents, environment=ENVIRONMENT) as gateway:
            _, record = await listen_to_the_end(gateway, tmp_path / "phone.wav")
            assert (record.result, record.reason, record.reconnects) == ("failed", "backend_lost", 1)
            kinds = [event.kind for event in record.timeline]
            assert kinds.count(TimelineKind.BACKEND_FAULT) == 2
            assert TimelineKind.PROMPT in kinds
            assert all(backend.url in fault["error"] for fault in faults(gateway))
            assert_no_secret(gateway)
    assert len(backend.sessions) == 2


async def test_a_service_that_sends_rubbish(tmp_path: Path) -> None:
    async with RealtimeBackend("rubbish") as backend:
        agents = {"receptionist": backend.agent()}
        async with GatewayProcess(agents=agents, environment=ENVIRONMENT) as gateway:
            _, record = await listen_to_the_end(gateway, tmp_path / "phone.wav")
            assert (record.result, record.reason) == ("failed", "backend_protocol")
            assert_no_secret(gateway)
    assert loud_seconds(left_channel(tmp_path / "phone.wav")) > 1.0


async def test_a_slow_service_is_waited_for_while_it_rings(tmp_path: Path) -> None:
    async with RealtimeBackend("slow", delay_s=1.0) as backend:
        agents = {"receptionist": backend.agent(answer_budget_ms=5000)}
        async with GatewayProcess(agents=agents, environment=ENVIRONMENT) as gateway:
            async with Softphone(gateway.uri()) as phone:
                await phone.event("ringing")
                answered = await phone.event("answered")
                assert 1000 <= answered["setup_ms"] < 3000
                await phone.done("tone 1000 300", "hear 5", "silence 5")
            await gateway.settled()


async def test_nobody_waits_longer_than_the_answer_budget(tmp_path: Path) -> None:
    async with RealtimeBackend("silent") as backend:
        agents = {"receptionist": backend.agent(answer_budget_ms=700)}
        async with GatewayProcess(agents=agents, environment=ENVIRONMENT) as gateway:
            summary, record = await listen_to_the_end(gateway, tmp_path / "phone.wav")
            assert 700 <= summary["setup_ms"] < 1700
            assert (record.result, record.reason) == ("failed", "backend_unreachable")
    assert loud_seconds(left_channel(tmp_path / "phone.wav")) > 1.0


async def test_the_log_keeps_personal_data_and_secrets_out_of_messages(tmp_path: Path) -> None:
    caller, dialled = "zephyrine4711", "2025550143"
    async with RealtimeBackend("close", "refuse", answer=ANSWER, transcript=WORDS) as backend:
        sections = {"log": {"level": "debug"}}
        agents = {"receptionist": backend.agent(audio="pcmu")}
        async with GatewayProcess(agents=agents, environment=ENVIRONMENT, sections=sections) as gateway:
            async with Softphone(gateway.uri(dialled), identity=caller) as phone:
                phone.do("ended 40")
                await phone.event("ended", 45)
                assert (await phone.finish())["worked"]
            await gateway.settled()
            record = await gateway.record(str((await gateway.logged("call ended"))["call_id"]))
            assert (record.from_number, record.to_number) == (caller, dialled)
        peer_port = record.peer.rpartition(":")[2]
        lines = [{key: value for key, value in line.items() if key != "personal"} for line in gateway.log]
        text = json.dumps(lines) + "".join(gateway.feed.other)
        for private in (caller, dialled, f"127.0.0.1:{peer_port}", WORDS, SECRET):
            assert private not in text
        assert caller in json.dumps([line.get("personal") for line in gateway.log])


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM], ids=["udp", "tcp"])
async def test_a_sip_port_in_use_is_one_clear_line(kind: socket.SocketKind) -> None:
    gateway = GatewayProcess()
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind(("127.0.0.1", gateway.sip_port))
        if kind is socket.SOCK_STREAM:
            other.listen()
        await assert_refuses_to_start(gateway, gateway.sip_port)


async def test_an_http_port_in_use_is_one_clear_line() -> None:
    gateway = GatewayProcess()
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as other:
        other.bind(("127.0.0.1", gateway.http_port))
        other.listen()
        await assert_refuses_to_start(gateway, gateway.http_port)


async def test_a_database_that_is_none_is_one_clear_line(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "calls.db").write_bytes(b"not a database" * 500)
    file.write_text(
        f"node: {{run_dir: run/}}\nsip: {{listen: ['udp://127.0.0.1:{free_sip_port()}']}}\n"
        "http: {listen: 127.0.0.1:0}\n"
    )
    command = (sys.executable, "-m", "gateway", "run", "--config", str(file))
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    _, errors = await process.communicate()
    assert process.returncode == 1
    assert "calls.db: file is not a database" in errors.decode().splitlines()[-1]


async def assert_refuses_to_start(gateway: GatewayProcess, port: int) -> None:
    """The gateway ends with status 1, names the port in one line of text and leaves nothing behind."""
    try:
        await gateway.start()
        assert await gateway.ended(30) == 1
        assert len(gateway.feed.other) == 1, gateway.feed.tail()
        assert str(port) in gateway.feed.other[0]
        assert gateway.processes() == []
    finally:
        await gateway.put_down()
