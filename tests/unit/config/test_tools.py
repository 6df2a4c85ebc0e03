"""Tools in the configuration: what agents may do, and functions that services carry out."""

import re
from pathlib import Path

import pytest

from gateway.config.loader import load
from gateway.config.models import GatewayConfig
from gateway.config.printable import as_yaml
from gateway.config.tools import AgentTools
from tests.unit.config.files import lines, load_text

TEXT = """\
agents:
  a:
    backend: bot
    tools: {http: [find_order], set_variable: [topic], hold: true}
http_tools:
  find_order:
    description: Find an order.
    method: GET
    url: https://shop.example/orders/{number}?full=1
    headers: {Authorization: "Bearer ${TOKEN}"}
    parameters:
      type: object
      properties:
        number: {type: string, pattern: "^[0-9]{6}$"}
      required: [number]
"""
TOKEN = "a-token-that-nobody-sees"
ENVIRONMENT = {"TOKEN": TOKEN}


def test_an_agent_may_transfer_and_hang_up_by_default(tmp_path: Path) -> None:
    tools = load_text(tmp_path, "agents: {a: {backend: bot}}").agents["a"].tools
    assert tools == AgentTools(transfer_call=True, end_call=True)
    assert (tools.hold, tools.send_dtmf, tools.set_variable, tools.http) == (False, False, [], [])


def test_a_function_of_a_service(tmp_path: Path) -> None:
    config = load_text(tmp_path, TEXT, ENVIRONMENT)
    tool = config.http_tools["find_order"]
    assert tool.headers["Authorization"].get_secret_value() == f"Bearer {TOKEN}"
    assert (tool.method, tool.timeout_s, tool.may_repeat) == ("GET", 10.0, True)
    assert GatewayConfig.model_validate_json(config.for_child()) == config


def test_a_header_is_never_shown(tmp_path: Path) -> None:
    config = load_text(tmp_path, TEXT, ENVIRONMENT)
    assert TOKEN not in repr(config)
    assert TOKEN not in config.model_dump_json()
    assert TOKEN not in as_yaml(load(tmp_path / "gw.yaml", ENVIRONMENT))
    (line,) = lines(tmp_path, TEXT, {"TOKEN": f"{TOKEN}\nx"})
    assert line.startswith("gw.yaml:10:30: http_tools.find_order.headers.Authorization: found something else")
    assert TOKEN not in line


@pytest.mark.parametrize(
    ("method", "idempotent", "repeats"),
    [("GET", "null", True), ("PUT", "null", True), ("POST", "null", False), ("POST", "true", True)],
)
def test_what_may_be_repeated(tmp_path: Path, method: str, idempotent: str, repeats: bool) -> None:
    text = TEXT.replace("method: GET", f"method: {method}\n    idempotent: {idempotent}")
    assert load_text(tmp_path, text, ENVIRONMENT).http_tools["find_order"].may_repeat is repeats


def test_the_function_of_the_shipped_example_works(tmp_path: Path) -> None:
    example = (Path(__file__).parents[3] / "deploy" / "gateway.example.yaml").read_text()
    first = example.index("#http_tools:\n")
    section = re.sub("^#", "", example[first : example.index("\n\n", first)], flags=re.MULTILINE)
    text = f"agents: {{a: {{backend: bot, tools: {{http: [find_order]}}}}}}\n{section}"
    config = load_text(tmp_path, text, {"SHOP_TOKEN": TOKEN})
    assert config.http_tools["find_order"].say


SCHEMA = "http_tools.find_order.parameters"
NUMBER = f"{SCHEMA}.properties.number"


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        (
            "{type: string,",
            "{type: strng,",
            f'gw.yaml:14:24: {NUMBER}.type: found "strng", expected one of array',
        ),
        (
            "[number]",
            "[numbr]",
            f'gw.yaml:15:18: {SCHEMA}.required[0]: found "numbr", expected one of number; did you mean "numb',
        ),
        (
            "pattern:",
            "patern:",
            f'gw.yaml:14:40: {NUMBER}.patern: found the keyword "patern", expected a keyword '
            'of JSON Schema; did you mean "pattern"?',
        ),
        (
            '"^[0-9]{6}$"',
            '"[("',
            f'gw.yaml:14:41: {NUMBER}.pattern: found "[(", expected a reg',
        ),
        (
            "type: object",
            "typ: object",
            f"gw.yaml:12:7: {SCHEMA}: found no type, expected a JSON Schema with",
        ),
        ("[number]", "number", f'gw.yaml:15:17: {SCHEMA}.required: found "number", expected a list of names'),
        (
            "{type: string,",
            "{$ref: http://x.example/y, type: string,",
            f'gw.yaml:14:24: {NUMBER}.$ref: found "http://x.example/y", expected a reference',
        ),
        (
            "{type: string,",
            '{$ref: "#/$defs/none", type: string,',
            f'gw.yaml:14:24: {NUMBER}.$ref: found "#/$defs/none", expected a reference within',
        ),
        (
            "find_order]",
            "find_ordr]",
            'gw.yaml:4:20: agents.a.tools.http[0]: found "find_ordr", expected a func',
        ),
        (
            "{number}",
            "{nummer}",
            'gw.yaml:9:10: http_tools.find_order.url: found "https://shop.example/orders/{nu',
        ),
        ("shop.example", "{number}.example", "gw.yaml:9:10: http_tools.find_order.url: found"),
        ("https:", "http:", "gw.yaml:9:10: http_tools.find_order.url: found"),
        ("[topic]", "[from]", 'gw.yaml:4:48: agents.a.tools.set_variable[0]: found "from", expected small'),
        ("find_order:", "hold:", 'gw.yaml:6:3: http_tools.hold: found "hold", expected up to 64 letters'),
    ],
)
def test_mistakes_are_told_with_their_place(tmp_path: Path, before: str, after: str, line: str) -> None:
    told = lines(tmp_path, TEXT.replace(before, after, 1), ENVIRONMENT)
    assert any(each.startswith(line) for each in told), told


def test_a_schema_nested_without_end_is_refused(tmp_path: Path) -> None:
    deep = "{properties: {a: " * 14 + "{}" + "}}" * 14
    (told,) = lines(
        tmp_path, TEXT.replace("{type: string,", f"{{items: {deep}, type: string,", 1), ENVIRONMENT
    )
    assert "at most 12 schemas within each other" in told


def test_a_bot_for_twilio_has_its_own_tools(tmp_path: Path) -> None:
    text = "agents: {a: {backend: twilio_media_streams, url: ws://127.0.0.1:1/x, tools: {hold: true}}}"
    (told,) = lines(tmp_path, text)
    assert told.startswith("gw.yaml:1:77: agents.a.tools: found some, expected no tools")
