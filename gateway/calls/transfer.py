"""`transfer_call`: the function by which an agent hands the caller over to a person."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from gateway.calls.meeting import Left
from gateway.calls.tool_own import check_as, checked
from gateway.calls.tools import TRANSFER_CALL, Tool, ToolAnswer, ToolFailedError
from gateway.core.targets import allowed, names_one
from gateway.dialplan.runtime import StepFailedError

_RING_S: Final = 30.0
_PATTERNS: Final = (
    "There X is a digit from 0 to 9, Z from 1 to 9, N from 2 to 9, and * at the end is anything."
)

HandOver = Callable[[tuple[str, ...], float], Awaitable[Left]]


class _Arguments(msgspec.Struct, frozen=True):
    target: Annotated[str, Meta(min_length=1, max_length=256)]


def transfer_tool(allow: tuple[str, ...], hand_over: HandOver) -> Tool:
    """The function, for the targets that the dialplan allows in this conversation."""
    target: dict[str, object] = {"type": "string", "description": "Whom to connect the caller with."}
    if all(names_one(each) for each in allow):
        target["enum"] = list(allow)
    else:
        target["description"] = f"Whom to connect the caller with; allowed: {', '.join(allow)}. {_PATTERNS}"

    async def run(arguments: dict[str, Any]) -> ToolAnswer:
        wanted = checked(arguments, _Arguments).target
        if not allowed(wanted, allow):
            raise ToolFailedError(f"this target is not allowed; allowed: {', '.join(allow)}")
        try:
            left = await hand_over((wanted,), _RING_S)
        except StepFailedError as exc:
            raise ToolFailedError(f"nobody was reached ({exc.kind}); offer something else") from exc
        if left == "hung_up":
            return ToolAnswer({"status": "the person spoke with the caller and hung up"}, ends=True)
        return ToolAnswer({"status": "the person has handed the caller back to you; go on"})

    return Tool(
        TRANSFER_CALL,
        "Connect the caller with a person. Say before that you are going to do so.",
        {"type": "object", "properties": {"target": target}, "required": ["target"]},
        check_as(_Arguments),
        run,
        alone=True,
    )
