"""A queue with one operator, on a real gateway: order, music, position, overflow, patience."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.integration.dialplan.site import DONE_HZ, MUSIC_HZ, OTHER_HZ, Site, Watched, failures
from tests.integration.dialplan.sounds import understood
from tests.integration.softphone import Softphone
from tests.integration.spectrum import RATE_HZ, Samples, left_channel, seconds_of_tone, tone_share

pytestmark = pytest.mark.asyncio(loop_scope="package")


def said_between_music(heard: Samples) -> Samples:
    """The stretch from the first to the last window of 100 ms that is loud and no music."""
    size = RATE_HZ // 10
    windows = heard[: heard.size - heard.size % size].reshape(-1, size)
    other = [i for i, w in enumerate(windows) if abs(w).max() > 500 and tone_share(w, MUSIC_HZ) < 0.3]
    return heard[max(0, other[0] - 2) * size : (other[-1] + 3) * size]


async def test_whoever_waits_longest_is_next_and_hears_music_and_the_place(
    site: Site, tmp_path: Path
) -> None:
    gateway, office = site.gateway, site.office
    since, calls = len(office.events), Watched(gateway)
    async with AsyncExitStack() as stack:

        async def call(number: str, name: str) -> Softphone:
            phone = Softphone(gateway.uri(number), record=tmp_path / f"{name}.wav", identity=name)
            return await stack.enter_async_context(phone)

        ada = await call("211", "ada")
        await office.event("invited", "op1", since=since)
        office.do("answer op1")
        await office.event("answered", "op1", since=since)
        ben = await call("212", "ben")
        await ben.done("hear 10")
        cem = await call("221", "cem")
        await cem.done("hear 10")
        dot = await call("213", "dot")
        await dot.event("ended")
        assert (await cem.event("ended"))["by"] == "far_end"
        await ben.done("pause 1.5")
        assert office.named("invited", since) == ["op1"], "nobody else is called while op1 talks"
        again = len(office.events)
        ada.do("hangup")
        await office.event("left", "op1", since=again)
        await office.event("invited", "op1", since=again)
        office.do("answer op1")
        await office.event("answered", "op1", since=again)
        await ben.done("tone 2500 1500", "pause 0.2")
    assert (await calls.record("ada")).reason == "caller_hangup"
    await assert_waited(site, calls, tmp_path)
    after = next(i for i, e in enumerate(office.events) if i >= again and e["event"] == "answered")
    assert seconds_of_tone(await office.heard("op1", since=after), 2500) >= 1.0, "it was ben"


async def assert_waited(site: Site, calls: Watched, recordings: Path) -> None:
    """What became of ben, who was served, cem, who lost patience, and dot, for whom there was no place."""
    ben, cem, dot = (left_channel(recordings / f"{name}.wav") for name in ("ben", "cem", "dot"))
    assert seconds_of_tone(ben, MUSIC_HZ) >= 2.0
    assert seconds_of_tone(ben, 650) >= 1.0
    waited = ben[: int(6 * RATE_HZ)]
    places = [f"you are number {n} in the queue" for n in ("one", "two", "three", "four")]
    assert understood(said_between_music(waited), places).startswith(places[0])
    assert seconds_of_tone(cem, MUSIC_HZ) >= 1.5
    assert seconds_of_tone(cem, DONE_HZ) == pytest.approx(0.6, abs=0.21)
    assert failures(await calls.record("cem")) == [("queue", "timeout")]
    assert seconds_of_tone(dot, OTHER_HZ) == pytest.approx(0.6, abs=0.21)
    assert seconds_of_tone(dot, MUSIC_HZ) == 0
    assert failures(await calls.record("dot")) == [("queue", "queue_full")]


async def test_without_music_a_ringing_tone_is_heard(site: Site, tmp_path: Path) -> None:
    office, recording = site.office, tmp_path / "phone.wav"
    since = len(office.events)
    async with Softphone(site.gateway.uri("231"), record=recording) as phone:
        await office.event("invited", "op2", since=since)
        await phone.done("pause 2")
    assert (await office.event("left", "op2", since=since))["status"] == 487
    assert seconds_of_tone(left_channel(recording), 425) >= 0.8
