"""How a function of a service becomes a request."""

import pytest

from gateway.calls.tool_http import MAX_ANSWER_BYTES, request_for
from gateway.calls.tools import ToolFailedError
from gateway.config.tools import HttpToolConfig

PARAMETERS = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "tags": {"type": "array"}, "full": {"type": "boolean"}},
    "required": ["id"],
}


def tool(method: str, url: str = "https://shop.example/orders/{id}") -> HttpToolConfig:
    return HttpToolConfig.model_validate(
        {
            "description": "x",
            "method": method,
            "url": url,
            "parameters": PARAMETERS,
            "headers": {"X-Key": "k"},
        }
    )


def test_arguments_go_into_path_and_query() -> None:
    request = request_for(tool("GET"), {"id": "a/b?c#d &é", "full": True, "tags": ["x", "y"]})
    assert request.url == (
        "https://shop.example/orders/a%2Fb%3Fc%23d%20%26%C3%A9?full=true&tags=%5B%22x%22%2C+%22y%22%5D"
    )
    assert (request.body, request.headers) == (None, {"X-Key": "k"})
    assert (request.max_bytes, request.any_json) == (MAX_ANSWER_BYTES, True)


def test_a_query_that_is_there_is_kept() -> None:
    request = request_for(tool("DELETE", "https://shop.example/orders?id={id}"), {"id": "7", "full": False})
    assert request.url == "https://shop.example/orders?id=7&full=false"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_other_arguments_are_the_body(method: str) -> None:
    request = request_for(tool(method), {"id": "7", "tags": ["x"]})
    assert request.url == "https://shop.example/orders/7"
    assert request.body == {"tags": ["x"]}


@pytest.mark.parametrize("value", ["", ".", ".."])
def test_no_argument_leads_to_another_page(value: str) -> None:
    with pytest.raises(ToolFailedError, match="is no value"):
        request_for(tool("GET"), {"id": value})
