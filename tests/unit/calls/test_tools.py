"""The functions that agents get."""

import json

import pytest

from gateway.backends.contract import FunctionCall
from gateway.calls.tools import END_CALL, ToolSet, tool_result


def test_end_call_is_offered_with_a_schema() -> None:
    (tool,) = ToolSet().schemas
    assert (tool["type"], tool["name"]) == ("function", END_CALL)
    assert tool["parameters"]["type"] == "object"
    assert set(tool["parameters"]["required"]) <= set(tool["parameters"]["properties"])


@pytest.mark.parametrize("name", ["transfer_call", "launch", '"; drop'])
def test_other_functions_are_answered_with_an_error_that_names_the_matter(name: str) -> None:
    answer = json.loads(tool_result(FunctionCall("c", name, "not even JSON")))
    assert set(answer) == {"error"}
    assert "transfer" in answer["error"] or name in answer["error"]
