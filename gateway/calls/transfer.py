"""`transfer_call`: the function by which an agent hands the caller over to a person."""

import json
from collections.abc import Awaitable, Callable
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from gateway.calls.meeting import Left
from gateway.calls.tools import TRANSFER_CALL, Tool
from gateway.core.targets import allowed
from gateway.dialplan.runtime import StepFailedError

_RING_S: Final = 30.0

HandOver = Callable[[tuple[str, ...], float], Awaitable[Left]]


class _Arguments(msgspec.Struct, frozen=True):
    target: Annotated[str, Meta(min_length=1, max_length=256)]


def transfer_tool(allow: tuple[str, ...], hand_over: HandOver) -> Tool:
    """The function, for the targets that the dialplan allows in this conversation."""
    exact = [target for target in allow if not target.endswith("*")]
    target: dict[str, object] = {"type": "string", "description": "Whom to connect the caller with."}
    if len(exact) == len(allow):
        target["enum"] = exact
    else:
        target["description"] = f"Whom to connect the caller with; allowed: {', '.join(allow)}"

    async def run(arguments: str) -> tuple[str, bool]:
        try:
            wanted = msgspec.json.decode(arguments, type=_Arguments).target
        # msgspec lets text that is not UTF-8 and too deep nesting through as they are.
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return json.dumps({"error": 'expected {"target": "..."}'}), False
        if not allowed(wanted, allow):
            return json.dumps({"error": f"this target is not allowed; allowed: {', '.join(allow)}"}), False
        try:
            left = await hand_over((wanted,), _RING_S)
        except StepFailedError as exc:
            return json.dumps({"error": f"nobody was reached ({exc.kind}); offer something else"}), False
        if left == "hung_up":
            return json.dumps({"status": "the person spoke with the caller and hung up"}), True
        return json.dumps({"status": "the person has handed the caller back to you; go on"}), False

    return Tool(
        TRANSFER_CALL,
        "Connect the caller with a person. Say before that you are going to do so.",
        {"type": "object", "properties": {"target": target}, "required": ["target"]},
        run,
    )
