"""What a browser holds back of a stopped agent is not heard: by hand, and in a call."""

from typing import Any

import pytest
from playwright.async_api import Browser

from tests.integration.browser.phone import phone
from tests.integration.harness import GatewayProcess

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="package")]

_RUN = """async ({ end, played }) => {
  const { Hush } = await import("/phone/hush.js");
  const track = { enabled: true };
  const { setInterval, clearInterval } = globalThis;
  let nowMs = 0;
  let tick = () => {};
  const pass = (ms) => {
    for (const untilMs = nowMs + ms; nowMs < untilMs; tick()) nowMs += 1;
  };
  // Nothing else in the page runs before these are put back: nothing is awaited.
  performance.now = () => nowMs;
  globalThis.setInterval = (look, everyMs) => {
    tick = () => nowMs % everyMs === 0 && look();
  };
  globalThis.clearInterval = () => {
    tick = () => {};
  };
  try {
    let now = played[0];
    const sources = () => (now === null ? [] : [{ rtpTimestamp: now }]);
    const heard = [];
    new Hush({ track, getSynchronizationSources: sources }).until(end);
    heard.push(track.enabled);
    for (const next of played.slice(1)) {
      now = next;
      pass(40);
      heard.push(track.enabled);
    }
    while (!track.enabled && nowMs < 1000) pass(1);
    return { heard, nowMs };
  } finally {
    Object.assign(globalThis, { setInterval, clearInterval });
    delete performance.now;
  }
}"""
"""What is heard while a browser plays these timestamps, each for 40 ms, and after that until all is heard."""

_WATCH = """() => {
  const { track } = connections.at(-1).getReceivers()[0];
  window.changes = [];
  let before = track.enabled;
  setInterval(() => {
    if (track.enabled !== before) changes.push({ at: performance.now(), heard: track.enabled });
    before = track.enabled;
  }, 1);
}"""


@pytest.mark.parametrize(
    ("end", "played", "heard"),
    [
        pytest.param(9600, [960, 8640, 9600, 10560], [False, False, False, True], id="until it is over"),
        pytest.param(9600, [10560, 11520], [True, True], id="over when the word came"),
        pytest.param(480, [2**32 - 960, 0, 1440], [False, False, True], id="across zero"),
        pytest.param(9600, [None, 960], [True, True], id="a browser that does not tell"),
    ],
)
async def test_silence_ends_with_what_was_held_back(
    browser: Browser, gateway: GatewayProcess, end: int, played: list[int | None], heard: list[bool]
) -> None:
    async with phone(browser, gateway) as it:
        found = await it.page.evaluate(_RUN, {"end": end, "played": played})
    assert found == {"heard": heard, "nowMs": 40 * (len(played) - 1)}


async def test_a_stream_that_stands_still_does_not_silence_the_page_for_good(
    browser: Browser, gateway: GatewayProcess
) -> None:
    async with phone(browser, gateway) as it:
        found = await it.page.evaluate(_RUN, {"end": 9600, "played": [960, 960]})
    assert found == {"heard": [False, False], "nowMs": 400}


async def test_an_interrupted_agent_is_silent_at_once_and_its_answer_is_heard(
    browser: Browser, gateway: GatewayProcess
) -> None:
    async with phone(browser, gateway) as it:
        await it.call("bot")
        await it.event("output_audio_buffer.started")
        await it.heard()
        await it.page.evaluate(_WATCH)
        await it.say("interrupt.wav")
        stopped = await it.event("gateway.playout.stopped")
        answer = await it.event("output_audio_buffer.started", 2)
        await it.heard()
        events = await it.events()
        changes: list[dict[str, Any]] = await it.page.evaluate("changes")
        await it.hang_up()
    assert (changes[0]["heard"], changes[-1]["heard"]) == (False, True)
    assert stopped["at"] <= changes[0]["at"] < answer["at"]
    silent_ms = [on["at"] - off["at"] for off, on in zip(changes[::2], changes[1::2], strict=True)]
    assert max(silent_ms) < 1000, silent_ms
    types = [event["type"] for event in events]
    assert types.index("gateway.playout.stopped") < types.index("output_audio_buffer.cleared")
