"""Functions that the gateway offers to every agent."""

import json
from typing import Any, Final

from gateway.backends.contract import FunctionCall

END_CALL: Final = "end_call"

TOOLS: Final[tuple[dict[str, Any], ...]] = (
    {
        "type": "function",
        "name": END_CALL,
        "description": "Hang up. Say goodbye first, and use it only when the caller is done.",
        "parameters": {
            "type": "object",
            "properties": {"reason": {"type": "string", "description": "Why the call is over."}},
            "required": [],
        },
    },
)
"""In the form of the Realtime protocol's `session.tools`."""


def tool_result(request: FunctionCall) -> str:
    """The answer to a function that the gateway does not have: an error the model can talk about."""
    if request.name == "transfer_call":
        return json.dumps({"error": "no transfer target is configured; offer something else"})
    return json.dumps({"error": f"there is no function named {request.name}"})
