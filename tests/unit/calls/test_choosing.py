"""The function by which an agent says what the caller wants."""

import json

import pytest

from gateway.backends.contract import FunctionCall
from gateway.calls.choosing import CHOOSE_OPTION, choice_tool
from gateway.calls.tools import ToolFailedError, arguments_of


async def test_a_known_option_is_chosen_and_ends_the_conversation() -> None:
    chosen: list[str] = []
    tool = choice_tool({"sales": "to buy", "support": ""}, chosen.append)
    request = FunctionCall("c1", CHOOSE_OPTION, json.dumps({"option": "support"}))
    answer = await tool.run(arguments_of(request, tool))
    assert (chosen, answer.ends) == (["support"], True)


@pytest.mark.parametrize("arguments", ["{}", '{"option": 1}', '{"option": "lunch"}', "[", '"sales"'])
async def test_anything_else_is_told_to_the_model(arguments: str) -> None:
    chosen: list[str] = []
    tool = choice_tool({"sales": "to buy"}, chosen.append)
    with pytest.raises(ToolFailedError):
        await tool.run(arguments_of(FunctionCall("c1", CHOOSE_OPTION, arguments), tool))
    assert chosen == []
