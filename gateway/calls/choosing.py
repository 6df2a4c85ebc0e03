"""`choose_option`: the function by which an agent says which of several options the caller wants."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from gateway.calls.tool_own import check_as, checked
from gateway.calls.tools import Tool, ToolAnswer, ToolFailedError

CHOOSE_OPTION: Final = "choose_option"


class _Arguments(msgspec.Struct, frozen=True):
    option: str


def choice_tool(options: Mapping[str, str], choose: Callable[[str], None]) -> Tool:
    """The function. `options`: what the caller may mean by each; `choose` is told the one."""

    async def run(arguments: dict[str, Any]) -> ToolAnswer:
        option = checked(arguments, _Arguments).option
        if option not in options:
            raise ToolFailedError(f"there is no such option; there are: {', '.join(options)}")
        choose(option)
        return ToolAnswer({"status": "done"}, ends=True)

    schema = {
        "type": "object",
        "properties": {"option": {"type": "string", "enum": list(options)}},
        "required": ["option"],
    }
    told = "Say which option the caller wants, as soon as you know."
    return Tool(CHOOSE_OPTION, told, schema, check_as(_Arguments), run)


def instructions(options: Mapping[str, str]) -> str:
    """What the agent is told to do."""
    lines = "\n".join(f"- {option}: {meaning or option}" for option, meaning in options.items())
    return (
        "Find out which of these options the caller wants, and call choose_option with it. "
        f"Ask once more if it is not clear. Do nothing else and make no small talk.\n{lines}"
    )
