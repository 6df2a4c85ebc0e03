"""Dialplan files: what they mean and where mistakes are."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.problems import ConfigError
from gateway.dialplan.loader import load_plan
from gateway.dialplan.plan import Decision, Plan, Route

AGENTS = ("receptionist", "sales")

SHIPPED = Path(__file__).parents[3] / "dialplans"


def _errors(directory: Path, **files: str) -> list[str]:
    for name, text in files.items():
        (directory / f"{name}.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_plan(directory, AGENTS)
    return str(caught.value).replace(f"{directory}/", "").splitlines()


def test_the_shipped_plan_sends_every_number_to_the_first_agent() -> None:
    plan = load_plan(SHIPPED, AGENTS)
    for number in ("demo", "+4930555010", ""):
        assert plan.route(number) == Decision("everything", "receptionist")


def test_without_a_directory_every_number_goes_to_the_first_agent() -> None:
    assert load_plan(None, ["bot"]).route("123") == Decision("everything", "bot")


def test_the_first_matching_route_of_the_first_file_decides(tmp_path: Path) -> None:
    one = 'version: 1\nroutes: [{name: sales, match: {to: "+4930*"}, do: [{ai: {agent: sales}}]}]\n'
    two = (
        'version: 1\nroutes: [{name: desk, match: {to: "100"}, do: [{ai: {}}]}, '
        '{name: rest, match: {to: "+49*"}, do: [{ai: {}}]}]\n'
    )
    (tmp_path / "20-rest.yaml").write_text(two)
    (tmp_path / "10-sales.yml").write_text(one)
    (tmp_path / "README.md").write_text("not a plan")
    plan = load_plan(tmp_path, AGENTS)
    assert plan.route("+4930555") == Decision("sales", "sales")
    assert plan.route("+4931555") == Decision("rest", "receptionist")
    assert plan.route("100") == Decision("desk", "receptionist")
    assert plan.route("1000") == Decision("", None)


def test_mistakes_in_all_files_at_once(tmp_path: Path) -> None:
    a = 'version: 2\nroutes:\n  - {name: x, match: {too: "*"}, do: []}\n'
    b = 'version: 1\nroutes:\n  - {name: y, match: {to: "*"}, do: [{ai: {agent: recepcionist}}]}\n'
    assert _errors(tmp_path, a=a, b=b) == [
        "a.yaml:1:10: version: found 2, expected 1",
        "a.yaml:3:23: routes[0].match.too: found an unknown key, expected one of to, from, trunk, header, "
        'hours, kind, percent, variables; did you mean "to"?',
        "a.yaml:3:38: routes[0].do: found an empty list, expected a list of steps",
        'b.yaml:3:51: routes[0].do[0].ai.agent: found "recepcionist", expected an agent of the '
        'configuration (receptionist, sales); did you mean "receptionist"?',
    ]


def test_a_route_name_used_twice_names_the_first_use(tmp_path: Path) -> None:
    route = 'version: 1\nroutes:\n  - {name: x, match: {to: "*"}, do: [{ai: {}}]}\n'
    (line,) = _errors(tmp_path, a=route, b=route)
    assert line.startswith('b.yaml:3:12: routes[0].name: found "x", expected a name of its own')
    assert line.endswith("a.yaml:3)")


@pytest.mark.parametrize("to", ["", "1*2", "**"])
def test_patterns_that_are_none(tmp_path: Path, to: str) -> None:
    text = f'version: 1\nroutes: [{{name: x, match: {{to: "{to}"}}, do: [{{ai: {{}}}}]}}]\n'
    (line,) = _errors(tmp_path, a=text)
    assert "routes[0].match.to" in line


def test_a_number_without_quotes_is_explained(tmp_path: Path) -> None:
    (line,) = _errors(tmp_path, a="version: 1\nroutes: [{name: x, match: {to: 4930}, do: [{ai: {}}]}]\n")
    assert line.endswith("; put it in quotes")


def test_directories_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="found no such file or directory, expected a directory"):
        load_plan(tmp_path / "no", AGENTS)
    with pytest.raises(ConfigError, match="found no dialplan"):
        load_plan(tmp_path, AGENTS)


@given(st.text(max_size=12), st.text(max_size=12))
def test_a_beginning_matches_whatever_follows(head: str, tail: str) -> None:
    plan = Plan((Route("r", f"{head}*", "a"),))
    assert plan.route(head + tail).agent == "a"
    assert (plan.route(tail).agent == "a") == tail.startswith(head)
