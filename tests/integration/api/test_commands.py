"""Steering calls over HTTP: decisions as OpenAI's client makes them, and the gateway's own verbs."""

import asyncio
import io
import wave
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import openai
import pytest
from aiohttp import web
from yarl import URL

from gateway.api.fetching import MAX_SOUND_BYTES, is_allowed
from gateway.calls.gate import Gate
from gateway.core.ids import CallId
from gateway.core.record import TimelineKind
from gateway.core.termination import Reason
from tests.integration.api.pages import answer, line, sign_in
from tests.integration.api.rig import Rig, problem


async def talking(rig: Rig) -> str:
    """A call whose agent has begun."""
    call_id = (await rig.place()).rsplit("/", 1)[1]
    async with asyncio.timeout(5):
        await rig.backends[-1].until_told("greet")
    return call_id


async def command(rig: Rig, call_id: str, verb: str, status: int = 204, **body: Any) -> dict[str, Any]:
    """A command that has to be answered with this status; the answer."""
    async with rig.send("POST", f"/v1/calls/{call_id}/{verb}", json=body) as response:
        text = await response.text()
        assert response.status == status, text
        answer: dict[str, Any] = await response.json(content_type=None) if text else {}
        return answer


def kinds(rig: Rig, call_id: str) -> list[TimelineKind]:
    call = rig.service.find(CallId(call_id))
    assert call is not None
    return [event.kind for event in call.journal.events]


# ---- decisions ---------------------------------------------------------------------------------------


@pytest.fixture
async def client(rig: Rig) -> AsyncIterator[openai.AsyncOpenAI]:
    """OpenAI's own client, with only its base URL changed."""
    async with openai.AsyncOpenAI(api_key=await rig.key(), base_url=f"{rig.base}/v1", max_retries=0) as it:
        yield it


async def waiting(rig: Rig, key: str) -> str:
    """A call that waits for a decision."""
    rig.gate = lambda: Gate(30, "reject")
    return (await rig.place(key=key)).rsplit("/", 1)[1]


async def test_openais_client_accepts(rig: Rig, client: openai.AsyncOpenAI) -> None:
    call_id = await waiting(rig, client.api_key)
    await client.realtime.calls.accept(
        call_id, type="realtime", model="gpt-realtime", instructions="Be brief."
    )
    async with asyncio.timeout(5):
        while not rig.backends:
            await rig.card.until(lambda: bool(rig.backends))
        await rig.backends[-1].until_told("greet")
    call = rig.service.find(CallId(call_id))
    assert call is not None
    assert (call.journal.figures.agent, call.journal.figures.instructions) == ("seller", "Be brief.")
    with pytest.raises(openai.ConflictError):
        await client.realtime.calls.accept(call_id, type="realtime", model="gpt-realtime")


async def test_a_model_may_be_an_agent_of_ours(rig: Rig, client: openai.AsyncOpenAI) -> None:
    call_id = await waiting(rig, client.api_key)
    with pytest.raises(openai.NotFoundError):
        await client.realtime.calls.accept(call_id, type="realtime", extra_body={"agent": "nobody"})
    await client.realtime.calls.accept(call_id, type="realtime", model="helper")
    async with asyncio.timeout(5):
        await rig.card.until(lambda: bool(rig.backends))
        await rig.backends[-1].until_told("greet")
    assert rig.backends[-1].context.agent == "helper"


async def test_openais_client_rejects(rig: Rig, client: openai.AsyncOpenAI) -> None:
    call_id = await waiting(rig, client.api_key)
    await client.realtime.calls.reject(call_id, status_code=486)
    record = await rig.record()
    assert (record.id, record.reason, record.sip_status) == (call_id, Reason.DECLINED, 486)
    assert rig.backends == []


async def test_openais_client_hangs_up(rig: Rig, client: openai.AsyncOpenAI) -> None:
    call_id = await waiting(rig, client.api_key)
    await client.realtime.calls.hangup(call_id)
    assert (await rig.record()).reason is Reason.ADMIN_HANGUP


async def test_a_transfer_that_the_gateway_may_not_make(rig: Rig, client: openai.AsyncOpenAI) -> None:
    call_id = (await rig.place(key=client.api_key)).rsplit("/", 1)[1]
    async with asyncio.timeout(5):
        await rig.backends[-1].until_told("greet")
    with pytest.raises(openai.PermissionDeniedError):
        await client.realtime.calls.refer(call_id, target_uri="tel:+49305550107")
    with pytest.raises(openai.PermissionDeniedError):
        await client.realtime.calls.refer(call_id, target_uri="sip:anybody@elsewhere.example")
    assert rig.service.find(CallId(call_id)) is not None


@pytest.mark.parametrize("body", [{"status_code": 200}, {"status_code": 700}, {"status_code": "x"}])
async def test_statuses_that_reject_nothing(rig: Rig, body: dict[str, Any]) -> None:
    rig.gate = lambda: Gate(30, "reject")
    location = await rig.place()
    async with rig.send("POST", f"{location}/reject", json=body) as response:
        assert (await problem(response, 400))["param"] == "status_code"


# ---- verbs -------------------------------------------------------------------------------------------


async def test_words_are_spoken_to_the_caller(rig: Rig) -> None:
    call_id = await talking(rig)
    (leg,) = rig.card.legs.values()
    answer = await command(rig, call_id, "say", 200, text="Your call is important to us.")
    assert 800 <= answer["duration_ms"] <= 6000
    await rig.card.until(lambda: leg.playout.queued_ms >= answer["duration_ms"] - 500)
    assert TimelineKind.PROMPT in kinds(rig, call_id)


async def test_a_prompt_of_the_dialplan_with_what_is_known(rig: Rig) -> None:
    call_id = await talking(rig)
    assert (await command(rig, call_id, "play", 200, prompt="welcome"))["duration_ms"] > 500
    assert (await command(rig, call_id, "play", 422, prompt="unknown"))["param"] == "prompt"
    for neither_or_both in ({}, {"prompt": "welcome", "url": "https://a.example/x"}):
        await command(rig, call_id, "play", 400, **neither_or_both)


async def test_parties_that_are_not_there(rig: Rig) -> None:
    call_id = await talking(rig)
    for verb, body in (
        ("say", {"text": "Hello.", "to": "person9"}),
        ("whisper", {"text": "Hello.", "to": "person9"}),
        ("hold", {"held": True, "party": "person9"}),
        ("mute", {"muted": True, "party": "person9"}),
        ("drop", {"party": "person9"}),
    ):
        assert "caller" in (await command(rig, call_id, verb, 404, **body))["detail"]
    await command(rig, call_id, "drop", 409, party="caller")


async def test_people_who_are_not_there(rig: Rig) -> None:
    call_id = await talking(rig)
    assert "unreachable" in (await command(rig, call_id, "bridge", 409, to="webrtc:olivia"))["detail"]
    assert "not_allowed" in (await command(rig, call_id, "bridge", 403, to="tel:+49305550107"))["detail"]
    assert rig.service.find(CallId(call_id)) is not None


async def test_hold_mute_and_the_agents_part_are_shown(rig: Rig) -> None:
    call_id = await talking(rig)
    await command(rig, call_id, "hold", held=True)
    await command(rig, call_id, "mute", party="caller", muted=True)
    async with rig.send("GET", f"/v1/calls/{call_id}") as response:
        (party,) = (await response.json())["parties"]
    assert party == {"key": "caller", "kind": "webrtc", "role": "caller", "held": True, "muted": True}
    await command(rig, call_id, "hold", held=False)
    await command(rig, call_id, "agent", ai="listen")
    async with rig.send("GET", f"/v1/calls/{call_id}") as response:
        shown = await response.json()
    assert not shown["parties"][0]["held"]
    assert "listen" in shown["chain"]


async def test_a_recording_has_a_length(rig: Rig) -> None:
    call_id = await talking(rig)
    await command(rig, call_id, "record", 409, action="stop")
    assert await command(rig, call_id, "record", 200, action="start") == {"state": "started"}
    await command(rig, call_id, "record", 409, action="start")
    assert (await command(rig, call_id, "say", 200, text="Hello."))["duration_ms"] > 0
    ended = await command(rig, call_id, "record", 200, action="stop")
    assert ended["state"] == "ended"
    assert ended["duration_s"] > 0


async def test_two_at_once_are_one_after_the_other(rig: Rig) -> None:
    call_id = await talking(rig)
    async with asyncio.TaskGroup() as group:
        said = [
            group.create_task(command(rig, call_id, "say", 200, text=f"This is sentence {number}."))
            for number in range(4)
        ]
        stopped = group.create_task(command(rig, call_id, "record", 200, action="start"))
    assert stopped.done()
    assert all(task.result()["duration_ms"] > 0 for task in said)


async def test_before_the_answer_and_after_the_end(rig: Rig) -> None:
    rig.gate = lambda: Gate(30, "reject")
    location = await rig.place()
    call_id = location.rsplit("/", 1)[1]
    assert "not been answered" in (await command(rig, call_id, "say", 409, text="Hello."))["detail"]
    async with rig.send("DELETE", location):
        pass
    await rig.record()
    await rig.service.stop(Reason.DRAINED, 5.0)
    assert "over" in (await command(rig, call_id, "say", 409, text="Hello."))["detail"]
    await command(rig, "call_00000000000000000000", "say", 404, text="Hello.")


async def test_a_call_that_ends_meanwhile_is_no_fault(rig: Rig) -> None:
    """Whatever of the two is first, the command is answered with 200, 404 or 409."""
    for _ in range(5):
        call_id = await talking(rig)

        async def say(call_id: str = call_id) -> int:
            async with rig.send("POST", f"/v1/calls/{call_id}/say", json={"text": "Good bye."}) as response:
                return response.status

        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(say()) for _ in range(4)]
            call = rig.service.find(CallId(call_id))
            assert call is not None
            call.end(Reason.ADMIN_HANGUP)
        assert {task.result() for task in asked} <= {200, 404, 409}
        await rig.record()


@pytest.mark.parametrize(
    ("verb", "body", "param"),
    [
        ("say", {"text": ""}, "text"),
        ("say", {"text": "x" * 2001}, "text"),
        ("say", {"text": "x", "languag": "en"}, "body"),
        ("say", {"text": "x", "language": "English"}, "language"),
        ("dtmf", {"digits": "12x"}, "digits"),
        ("dtmf", {"digits": "1" * 65}, "digits"),
        ("hold", {"held": "yes"}, "held"),
        ("bridge", {"to": "x", "ai": "shout"}, "ai"),
        ("bridge", {"to": "x", "ring_s": 1000}, "ring_s"),
        ("record", {"action": "pause"}, "action"),
        ("agent", {}, "body"),
    ],
)
async def test_bodies_that_say_nothing(rig: Rig, verb: str, body: dict[str, Any], param: str) -> None:
    answer = await command(rig, "call_00000000000000000000", verb, 400, **body)
    assert answer["param"] == param


# ---- sounds from the network -------------------------------------------------------------------------


def wav(seconds: float = 0.5) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(16000)
        tone = 8000 * np.sin(2 * np.pi * 440 * np.arange(int(16000 * seconds)) / 16000)
        writer.writeframes(tone.astype("<i2").tobytes())
    return out.getvalue()


@pytest.fixture
async def sounds() -> AsyncIterator[str]:
    """A web server with sounds; its address."""

    async def serve(request: web.Request) -> web.StreamResponse:
        match request.match_info["name"]:
            case "tone.wav":
                return web.Response(body=wav())
            case "large.wav":
                return web.Response(body=bytes(MAX_SOUND_BYTES + 1))
            case "text.wav":
                return web.Response(text="no sound")
            case "elsewhere.wav":
                raise web.HTTPFound("/secret/tone.wav")
            case _:
                raise web.HTTPNotFound

    app = web.Application()
    app.router.add_get("/sounds/{name}", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_a_sound_of_the_network(rig: Rig, sounds: str) -> None:
    rig.config.http.play_from.append(f"{sounds}/sounds")
    call_id = await talking(rig)
    answer = await command(rig, call_id, "play", 200, url=f"{sounds}/sounds/tone.wav")
    assert answer["duration_ms"] == 500


@pytest.mark.parametrize(
    ("name", "status"), [("large.wav", 422), ("text.wav", 422), ("elsewhere.wav", 502), ("none.wav", 502)]
)
async def test_sounds_that_are_none(rig: Rig, sounds: str, name: str, status: int) -> None:
    rig.config.http.play_from.append(f"{sounds}/sounds/")
    call_id = await talking(rig)
    await command(rig, call_id, "play", status, url=f"{sounds}/sounds/{name}")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/sounds/x.wav",
        "file:///etc/passwd",
        "ftp://localhost/sounds/x",
        "x",
        "http://[",
        "//",
    ],
)
async def test_urls_that_the_configuration_does_not_name(rig: Rig, url: str) -> None:
    answer = await command(rig, await talking(rig), "play", 400 if "[" in url else 403, url=url)
    assert answer["param"] == "url"


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://a.example/sounds", True),
        ("https://a.example/sounds/x.wav", True),
        ("https://A.example:443/sounds/a/b.wav?c=d", True),
        ("https://a.example/soundsx/x.wav", False),
        ("https://a.example/sounds/../x.wav", False),
        ("https://a.example/sounds/%2e%2e/x.wav", False),
        ("http://a.example/sounds/x.wav", False),
        ("https://a.example:444/sounds/x.wav", False),
        ("https://a.example.evil.example/sounds/x.wav", False),
        ("https://a.example@evil.example/sounds/x.wav", False),
        ("https://user@a.example/sounds/x.wav", False),
    ],
)
def test_only_at_and_below_what_is_named(url: str, allowed: bool) -> None:
    assert is_allowed(URL(url), ["https://b.example/", "https://a.example/sounds/"]) is allowed


# ---- people ------------------------------------------------------------------------------------------


async def test_a_person_is_called_in_whispered_to_and_dropped(rig: Rig) -> None:
    call_id = await talking(rig)
    (caller,) = rig.card.legs.values()
    token = await sign_in(rig)
    async with line(rig, token) as page, asyncio.TaskGroup() as group:
        bridging = group.create_task(
            command(rig, call_id, "bridge", 200, to="webrtc:olivia", ai="listen", ring_s=10)
        )
        ring = await page.told("ring")
        # The call can be steered while the person's page rings.
        await command(rig, call_id, "agent", ai="listen")
        async with answer(rig, token, ring["ring_id"], page.id) as response:
            assert response.status == 201, await response.text()
        key = (await bridging)["party"]
        (person,) = [leg for leg in rig.card.legs.values() if leg is not caller]
        async with rig.send("GET", f"/v1/calls/{call_id}") as response:
            parties = (await response.json())["parties"]
        assert [(party["key"], party["role"]) for party in parties] == [("caller", "caller"), (key, "person")]
        await command(rig, call_id, "mute", party=key, muted=True)
        await command(rig, call_id, "hold", party=key, held=True)
        await command(rig, call_id, "hold", party=key, held=False)
        loudest = {"caller": 0, "person": 0}

        def person_hears() -> bool:
            """Let 20 ms pass at both ends."""
            for name, leg in (("caller", caller), ("person", person)):
                frame = leg.peer.tick()
                loud = int(np.abs(np.frombuffer(frame, "<i2").astype(int)).max()) if frame else 0
                loudest[name] = max(loudest[name], loud)
            return loudest["person"] > 1000

        whisper = await command(rig, call_id, "whisper", 200, to=key, text="The caller is from Berlin.")
        assert whisper["duration_ms"] > 500
        await rig.card.until(person_hears)
        assert loudest["caller"] == 0
        await command(rig, call_id, "drop", party=key)
        await rig.card.until(lambda: person.state == "closed")
    call = rig.service.find(CallId(call_id))
    assert call is not None
    assert [party.key for party in call.bridge.parties] == ["caller"]
