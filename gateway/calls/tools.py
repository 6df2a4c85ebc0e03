"""Functions that the gateway offers to the model of an agent."""

import json
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.backends.contract import FunctionCall

END_CALL: Final = "end_call"
TRANSFER_CALL: Final = "transfer_call"

MAX_ARGUMENTS_CHARS: Final = 16384


class ToolFailedError(Exception):
    """A function could not do its work; the message is for the model."""


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """What a function came to."""

    output: Mapping[str, Any]
    """For the model; a JSON object."""
    ends: bool = False
    """The conversation with the agent is over."""


Check = Callable[[dict[str, Any]], None]
"""Raises `ToolFailedError` for arguments that the function does not take."""

SayWait = Callable[[Callable[[], bool]], Coroutine[Any, Any, None]]
"""Tells the caller that it takes a moment, if that is still wanted once the words are there."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the gateway carries out."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    """JSON Schema."""
    check: Check
    run: Callable[[dict[str, Any]], Awaitable[ToolAnswer]]
    """Takes checked arguments. Raises `ToolFailedError`."""
    alone: bool = False
    """It takes the call's events for itself: nothing of the conversation goes on meanwhile."""
    say_wait: SayWait | None = None
    """For a function that may take long."""


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
    """What one conversation offers: ending the call as a rule, and more."""

    def __init__(self, tools: tuple[Tool, ...] = (), *, end_call: bool = True) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self.end_call = end_call
        """Whether the model may hang up."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the functions."""
        return (*((END_CALL,) if self.end_call else ()), *self._tools)

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
        return (*((_END_CALL,) if self.end_call else ()), *more)

    def find(self, name: str) -> Tool | None:
        """A function by its name, `end_call` left out."""
        return self._tools.get(name)


def arguments_of(request: FunctionCall, tool: Tool) -> dict[str, Any]:
    """What the model passes, checked. Raises `ToolFailedError`."""
    if len(request.arguments) > MAX_ARGUMENTS_CHARS:
        raise ToolFailedError(f"the arguments are longer than {MAX_ARGUMENTS_CHARS} characters")
    try:
        arguments = json.loads(request.arguments or "{}")
    except (ValueError, RecursionError) as exc:
        raise ToolFailedError("the arguments are not JSON") from exc
    if not isinstance(arguments, dict):
        raise ToolFailedError("the arguments are not a JSON object")
    tool.check(arguments)
    return arguments


def tool_result(request: FunctionCall) -> str:
    """The answer to a function that the gateway does not have: an error the model can talk about."""
    if request.name == TRANSFER_CALL:
        return failure("no transfer target is configured; offer something else")
    return failure(f"there is no function named {request.name[:64]}")


def failure(reason: str) -> str:
    """What the model gets of a function that failed."""
    return json.dumps({"error": reason})
