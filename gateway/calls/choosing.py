"""`choose_option`: the function by which an agent says which of several options the caller wants."""

import json
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from gateway.calls.tools import Tool

CHOOSE_OPTION: Final = "choose_option"


class _Arguments(msgspec.Struct, frozen=True):
    option: str


def choice_tool(options: Mapping[str, str], choose: Callable[[str], None]) -> Tool:
    """The function. `options`: what the caller may mean by each; `choose` is told the one."""

    async def run(arguments: str) -> tuple[str, bool]:
        try:
            option = msgspec.json.decode(arguments, type=_Arguments).option
        # msgspec lets text that is not UTF-8 and too deep nesting through as they are.
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return json.dumps({"error": 'expected {"option": "..."}'}), False
        if option not in options:
            return json.dumps({"error": f"there is no such option; there are: {', '.join(options)}"}), False
        choose(option)
        return json.dumps({"status": "done"}), True

    schema = {
        "type": "object",
        "properties": {"option": {"type": "string", "enum": list(options)}},
        "required": ["option"],
    }
    return Tool(CHOOSE_OPTION, "Say which option the caller wants, as soon as you know.", schema, run)


def instructions(options: Mapping[str, str]) -> str:
    """What the agent is told to do."""
    lines = "\n".join(f"- {option}: {meaning or option}" for option, meaning in options.items())
    return (
        "Find out which of these options the caller wants, and call choose_option with it. "
        f"Ask once more if it is not clear. Do nothing else and make no small talk.\n{lines}"
    )
