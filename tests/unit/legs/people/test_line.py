"""A person in a call: requests reach the call, news reach the page, also after the page was away."""

import pytest

from gateway.core.ids import CallId
from gateway.legs.people import messages as page
from gateway.legs.people.line import PersonLine
from tests.unit.legs.people.stage import INFO, Page, Stage


def in_call(stage: Stage) -> tuple[Page, PersonLine]:
    """A person who has answered."""
    it = stage.page()
    ring = stage.people.ring("op1", INFO)
    it.answer(ring)
    assert ring.line is not None
    it.told.clear()
    return it, ring.line


async def test_what_the_person_asks_reaches_the_call_in_order() -> None:
    it, line = in_call(Stage())
    asked: list[page.LineRequest] = []
    it.say('{"type": "hold"}')
    line.attach(asked.append)
    for request in ("resume", "hand_back", "hang_up"):
        it.say(f'{{"type": "{request}"}}')
    assert asked == ["hold", "resume", "hand_back", "hang_up"]
    assert it.told == []


async def test_requests_before_the_call_listens_are_bounded() -> None:
    it, line = in_call(Stage())
    for _ in range(50):
        it.say('{"type": "hold"}')
    asked: list[page.LineRequest] = []
    line.attach(asked.append)
    assert asked == ["hold"] * 8


async def test_what_the_page_is_told() -> None:
    it, line = in_call(Stage())
    line.joined(CallId("call_1"))
    line.said("caller", "hello?")
    line.held(True)
    line.left("caller_hangup")
    line.left("again")
    assert [page.to_text(message) for message in it.told] == [
        f'{{"type":"joined","ring_id":"{line.ring_id}","call_id":"call_1","held":false}}',
        '{"type":"said","role":"caller","text":"hello?"}',
        '{"type":"held","held":true}',
        f'{{"type":"left","ring_id":"{line.ring_id}","reason":"caller_hangup"}}',
    ]


async def test_a_page_that_comes_back_goes_on_in_its_call() -> None:
    stage = Stage()
    it, line = in_call(stage)
    asked: list[page.LineRequest] = []
    line.attach(asked.append)
    line.joined(CallId("call_1"))
    line.held(True)
    it.close()
    line.said("caller", "lost")
    back = stage.page(resume=line.ring_id)
    assert back.told == [page.Joined(ring_id=line.ring_id, call_id="call_1", held=True)]
    back.say('{"type": "resume"}')
    assert asked == ["resume"]
    assert stage.people.presence("op1") == "busy"


@pytest.mark.parametrize("resume", ["", "rg_another"])
async def test_another_page_has_no_say_in_the_call(resume: str) -> None:
    stage = Stage()
    _, line = in_call(stage)
    asked: list[page.LineRequest] = []
    line.attach(asked.append)
    other = stage.page(resume=resume)
    other.say('{"type": "hang_up"}')
    assert asked == []
    assert other.told == [page.Refused(message="you are not in a call here")]


async def test_once_out_of_the_call_nothing_is_asked() -> None:
    stage = Stage()
    it, line = in_call(stage)
    asked: list[page.LineRequest] = []
    line.attach(asked.append)
    line.left("handed_back")
    it.say('{"type": "hold"}')
    line.ask("hang_up")
    assert asked == []
    assert line.over
    assert stage.people.line("op1", line.ring_id) is None
    assert stage.people.presence("op1") == "ready"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"type": "dance"}',
        '{"type": "decline", "ring_id": 3}',
        '{"type": "hold", "more": 1}',
        '{"type": "hold", "ring_id": "' + "x" * 4096 + '"}',
        "[" * 3000,
        '{"type": "\ud800"}',
    ],
)
def test_what_is_no_message(text: str) -> None:
    with pytest.raises(page.BadPageRequestError):
        page.read_request(text)
