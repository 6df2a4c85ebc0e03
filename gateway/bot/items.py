"""The conversation as the protocol shows it: an ordered, bounded list of items. Pure."""

from typing import Any, Final

from gateway.bot.protocol import Item, ProtocolError

MAX_ITEMS: Final = 500
"""Older items are forgotten."""
ITEM_MAX_CHARS: Final = 32_768
"""Longest text of an item, all its fields together."""

_CONTENT_TYPES: Final = {
    "user": {"input_text", "input_audio", "input_image"},
    "assistant": {"output_text", "output_audio"},
    "system": {"input_text"},
}


class Items:
    """Items by id, in order, with the audio length of answers."""

    def __init__(self) -> None:
        self._items: dict[str, dict[str, Any]] = {}
        self._audio_ms: dict[str, float] = {}

    def __contains__(self, item_id: str) -> bool:
        return item_id in self._items

    @property
    def last_id(self) -> str | None:
        """The latest item."""
        return next(reversed(self._items), None)

    def add(self, item: dict[str, Any], after: str | None = None) -> str | None:
        """Append, or insert behind `after` (`root`: first). Returns the previous item's id.

        Raises `ProtocolError` when the id is taken or `after` is unknown.
        """
        item_id = item["id"]
        if item_id in self._items:
            raise ProtocolError("invalid_value", f"Item '{item_id}' already exists.", param="item.id")
        if after is None or after == self.last_id:
            previous = self.last_id
            self._items[item_id] = item
        elif after == "root":
            previous = None
            self._items = {item_id: item, **self._items}
        else:
            self._known(after, "previous_item_id", "invalid_value")
            previous = after
            order = list(self._items.items())
            at = next(index for index, (known, _) in enumerate(order) if known == after) + 1
            self._items = dict([*order[:at], (item_id, item), *order[at:]])
        while len(self._items) > MAX_ITEMS:
            oldest = next(iter(self._items))
            del self._items[oldest]
            self._audio_ms.pop(oldest, None)
        return previous

    def replace(self, item: dict[str, Any]) -> None:
        """Put the finished form of an item in its place, if it is still there."""
        if item["id"] in self._items:
            self._items[item["id"]] = item

    def heard_audio(self, item_id: str, audio_ms: float) -> None:
        """An answer has this much audio."""
        if item_id in self._items:
            self._audio_ms[item_id] = audio_ms

    def get(self, item_id: str) -> dict[str, Any]:
        """Raises `ProtocolError` for an unknown id."""
        return self._known(item_id, "item_id", "item_retrieve_invalid_item_id")

    def delete(self, item_id: str) -> None:
        """Raises `ProtocolError` for an unknown id."""
        self._known(item_id, "item_id", "item_delete_invalid_item_id")
        del self._items[item_id]
        self._audio_ms.pop(item_id, None)

    def truncate(self, item_id: str, content_index: int, audio_end_ms: int) -> None:
        """Cut an answer; its transcript goes, since nobody knows which words were heard.

        Raises `ProtocolError` when it is no answer with audio, or shorter than that.
        """
        item = self._known(item_id, "item_id", "item_truncate_invalid_item_id")
        audio_ms = self._audio_ms.get(item_id)
        if item.get("role") != "assistant" or audio_ms is None:
            raise ProtocolError(
                "unsupported_content_type",
                "Only model output audio messages can be truncated.",
                param="item_id",
            )
        if content_index != 0:
            raise ProtocolError("invalid_value", "An answer has one content part, 0.", param="content_index")
        if audio_end_ms < 0:
            raise ProtocolError("invalid_value", "audio_end_ms is negative.", param="audio_end_ms")
        if audio_end_ms > audio_ms:
            raise ProtocolError(
                "invalid_value",
                f"Audio content of {audio_ms:.0f}ms is already shorter than {audio_end_ms}ms",
                param="audio_end_ms",
            )
        self._audio_ms[item_id] = audio_end_ms
        content = [{k: v for k, v in part.items() if k != "transcript"} for part in item["content"]]
        self._items[item_id] = item | {"content": content}

    def _known(self, item_id: str, param: str, code: str) -> dict[str, Any]:
        item = self._items.get(item_id)
        if item is None:
            raise ProtocolError(code, f"Item with {param} not found: {item_id[:80]}", param=param)
        return item


def created_item(item: Item, item_id: str) -> dict[str, Any]:
    """A client's item as the server keeps it. Raises `ProtocolError` for what cannot be kept."""
    if _size(item) > ITEM_MAX_CHARS:
        raise ProtocolError(
            "string_above_max_length", f"An item has at most {ITEM_MAX_CHARS} characters.", param="item"
        )
    shown: dict[str, Any] = {
        "id": item_id,
        "object": "realtime.item",
        "type": item.type,
        "status": "completed",
    }
    if item.type == "message":
        allowed = _CONTENT_TYPES.get(item.role or "")
        if allowed is None:
            raise ProtocolError(
                "invalid_value",
                f"Invalid 'item.role': expected one of {', '.join(_CONTENT_TYPES)}.",
                param="item.role",
            )
        for index, part in enumerate(item.content):
            if part.type not in allowed:
                where = f"item.content[{index}].type"
                raise ProtocolError(
                    "invalid_value",
                    f"Invalid '{where}': expected one of {', '.join(sorted(allowed))}.",
                    param=where,
                )
        content = [_without_audio(part.type, part.text, part.transcript) for part in item.content]
        return shown | {"role": item.role, "content": content}
    if item.type == "function_call_output":
        if item.call_id is None or item.output is None:
            missing = "item.call_id" if item.call_id is None else "item.output"
            raise ProtocolError(
                "missing_required_parameter", f"Missing required parameter: '{missing}'.", param=missing
            )
        return shown | {"call_id": item.call_id, "output": item.output}
    if item.type == "function_call":
        if item.name is None:
            raise ProtocolError(
                "missing_required_parameter", "Missing required parameter: 'item.name'.", param="item.name"
            )
        return shown | {"call_id": item.call_id, "name": item.name, "arguments": item.arguments or "{}"}
    raise ProtocolError(
        "invalid_value",
        "Invalid 'item.type': expected message, function_call or function_call_output.",
        param="item.type",
    )


def _without_audio(kind: str, text: str | None, transcript: str | None) -> dict[str, Any]:
    part: dict[str, Any] = {"type": kind}
    if text is not None:
        part["text"] = text
    if transcript is not None:
        part["transcript"] = transcript
    return part


def _size(item: Item) -> int:
    fields = (item.id, item.role, item.call_id, item.name, item.arguments, item.output)
    contents = sum(len(part.words) + len(part.transcript or "") for part in item.content)
    return sum(len(field or "") for field in fields) + contents
