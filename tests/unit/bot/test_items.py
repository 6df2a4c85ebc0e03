"""The conversation's items: order, truncation, and what cannot be kept."""

from typing import Any

import pytest

from gateway.bot.items import ITEM_MAX_CHARS, MAX_ITEMS, Items, created_item
from gateway.bot.protocol import Content, Item, ProtocolError


def answer(item_id: str) -> dict[str, Any]:
    return {
        "id": item_id,
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_audio", "transcript": "Hello."}],
    }


def code_of(caught: pytest.ExceptionInfo[ProtocolError]) -> str:
    return caught.value.code


def test_items_know_what_precedes_them() -> None:
    items = Items()
    assert items.add(answer("a")) is None
    assert items.add(answer("b")) == "a"
    assert items.add(answer("first"), "root") is None
    assert items.add(answer("between"), "a") == "a"
    assert items.add(answer("last")) == "b"
    items.delete("last")
    assert items.last_id == "b"


def test_taken_and_unknown_ids_are_refused() -> None:
    items = Items()
    items.add(answer("a"))
    for item_id, after in (("a", None), ("b", "nobody")):
        with pytest.raises(ProtocolError) as caught:
            items.add(answer(item_id), after)
        assert code_of(caught) == "invalid_value"
    with pytest.raises(ProtocolError) as caught:
        items.delete("nobody")
    assert code_of(caught) == "item_delete_invalid_item_id"
    with pytest.raises(ProtocolError) as caught:
        items.get("nobody")
    assert code_of(caught) == "item_retrieve_invalid_item_id"
    assert items.last_id == "a"


def test_truncation_takes_the_transcript_and_shortens_the_audio() -> None:
    items = Items()
    items.add(answer("a"))
    items.heard_audio("a", 1000)
    items.truncate("a", 0, 400)
    assert items.get("a")["content"] == [{"type": "output_audio"}]
    with pytest.raises(ProtocolError, match="400ms is already shorter than 401ms"):
        items.truncate("a", 0, 401)


@pytest.mark.parametrize(
    ("item_id", "index", "end_ms", "code"),
    [
        ("nobody", 0, 1, "item_truncate_invalid_item_id"),
        ("silent", 0, 0, "unsupported_content_type"),
        ("spoken", 1, 1, "invalid_value"),
        ("spoken", 0, -1, "invalid_value"),
        ("spoken", 0, 1001, "invalid_value"),
    ],
)
def test_impossible_truncations(item_id: str, index: int, end_ms: int, code: str) -> None:
    items = Items()
    items.add(answer("silent"))
    items.add(answer("spoken"))
    items.heard_audio("spoken", 1000)
    with pytest.raises(ProtocolError) as caught:
        items.truncate(item_id, index, end_ms)
    assert code_of(caught) == code
    assert items.get("spoken") == answer("spoken")


def test_old_items_are_forgotten() -> None:
    items = Items()
    for number in range(MAX_ITEMS + 1):
        items.add(answer(f"item {number}"))
    assert "item 0" not in items
    assert "item 1" in items


@pytest.mark.parametrize(
    ("item", "param"),
    [
        (Item("message", role="robot"), "item.role"),
        (Item("message", role="user", content=[Content("output_text")]), "item.content[0].type"),
        (Item("function_call_output", output="{}"), "item.call_id"),
        (Item("function_call_output", call_id="c"), "item.output"),
        (Item("function_call"), "item.name"),
        (Item("mcp_call"), "item.type"),
        (Item("message", role="user", content=[Content("input_text", "x" * ITEM_MAX_CHARS)]), "item"),
    ],
)
def test_items_that_cannot_be_kept(item: Item, param: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        created_item(item, "id")
    assert caught.value.param == param
