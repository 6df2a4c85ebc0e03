"""The functions that the gateway carries out itself, besides `transfer_call` and `end_call`."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final, TypeVar

import msgspec
from msgspec import Meta

from gateway.calls.tools import Check, Tool, ToolAnswer, ToolFailedError

MAX_HOLD_S: Final = 600

_DIGITS: Final = "^[0-9*#A-D]{1,32}$"

Arguments = TypeVar("Arguments", bound=msgspec.Struct)


class _Digits(msgspec.Struct, frozen=True):
    digits: Annotated[str, Meta(pattern=_DIGITS)]


class _Hold(msgspec.Struct, frozen=True):
    seconds: Annotated[int, Meta(ge=1, le=MAX_HOLD_S)]


class _Variable(msgspec.Struct, frozen=True):
    name: str
    value: str


def checked(arguments: dict[str, Any], kind: type[Arguments]) -> Arguments:
    """The arguments as a struct. Raises `ToolFailedError`."""
    try:
        return msgspec.convert(arguments, kind)
    except msgspec.ValidationError as exc:
        raise ToolFailedError(f"unfit arguments: {exc}") from exc


def check_as(kind: type[msgspec.Struct]) -> Check:
    """A check that wants a struct."""

    def check(arguments: dict[str, Any]) -> None:
        checked(arguments, kind)

    return check


def dtmf_tool(send: Callable[[str], None]) -> Tool:
    """`send_dtmf`. `send` raises `ToolFailedError`."""

    async def run(arguments: dict[str, Any]) -> ToolAnswer:
        send(checked(arguments, _Digits).digits)
        return ToolAnswer({"status": "sent"})

    digits = {"type": "string", "pattern": _DIGITS, "description": "Keys to press, in order."}
    return Tool(
        "send_dtmf",
        "Press keys of the telephone, for instance in the menu of a machine.",
        {"type": "object", "properties": {"digits": digits}, "required": ["digits"]},
        check_as(_Digits),
        run,
    )


def hold_tool(hold: Callable[[float], Awaitable[None]]) -> Tool:
    """`hold`. `hold` returns when the caller is back."""

    async def run(arguments: dict[str, Any]) -> ToolAnswer:
        await hold(checked(arguments, _Hold).seconds)
        return ToolAnswer({"status": "the caller is not on hold any more"})

    seconds = {"type": "integer", "minimum": 1, "maximum": MAX_HOLD_S, "description": "For how long."}
    return Tool(
        "hold",
        "Put the caller on hold for a while. Say so before. It answers when the caller is back.",
        {"type": "object", "properties": {"seconds": seconds}, "required": ["seconds"]},
        check_as(_Hold),
        run,
        alone=True,
    )


def variable_tool(names: tuple[str, ...], put: Callable[[str, str], None]) -> Tool:
    """`set_variable`, for these names."""

    def check(arguments: dict[str, Any]) -> None:
        if checked(arguments, _Variable).name not in names:
            raise ToolFailedError(f"there is no such name; there are: {', '.join(names)}")

    async def run(arguments: dict[str, Any]) -> ToolAnswer:
        wanted = checked(arguments, _Variable)
        put(wanted.name, wanted.value)
        return ToolAnswer({"status": "noted"})

    properties = {"name": {"type": "string", "enum": list(names)}, "value": {"type": "string"}}
    return Tool(
        "set_variable",
        "Note something that was found out in the conversation, for what follows after it.",
        {"type": "object", "properties": properties, "required": ["name", "value"]},
        check,
        run,
    )
