"""Functions that the gateway offers to every agent."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from gateway.backends.contract import FunctionCall

END_CALL: Final = "end_call"
TRANSFER_CALL: Final = "transfer_call"

RunTool = Callable[[str], Awaitable[tuple[str, bool]]]
"""Takes the model's arguments (JSON text, not checked), returns the result for the model (JSON text)
and whether the conversation with the agent is over."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the gateway carries out."""

    name: str
    description: str
    parameters: dict[str, Any]
    """JSON Schema."""
    run: RunTool


_END_CALL: Final[dict[str, Any]] = {
    "type": "function",
    "name": END_CALL,
    "description": "Hang up. Say goodbye first, and use it only when the caller is done.",
    "parameters": {
        "type": "object",
        "properties": {"reason": {"type": "string", "description": "Why the call is over."}},
        "required": [],
    },
}


class ToolSet:
    """What one conversation offers: ending the call, and more."""

    def __init__(self, tools: tuple[Tool, ...] = ()) -> None:
        self._tools = {tool.name: tool for tool in tools}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the functions besides `end_call`."""
        return tuple(self._tools)

    @property
    def schemas(self) -> tuple[dict[str, Any], ...]:
        """In the form of the Realtime protocol's `session.tools`."""
        more = (
            {
                "type": "function",
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters,
            }
            for tool in self._tools.values()
        )
        return (_END_CALL, *more)

    def find(self, name: str) -> Tool | None:
        """A function by its name."""
        return self._tools.get(name)


def tool_result(request: FunctionCall) -> str:
    """The answer to a function that the gateway does not have: an error the model can talk about."""
    if request.name == TRANSFER_CALL:
        return json.dumps({"error": "no transfer target is configured; offer something else"})
    return json.dumps({"error": f"there is no function named {request.name}"})
