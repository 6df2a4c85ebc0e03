"""What is still checked of a plan whose files have mistakes in their shape, and what is not."""

from pathlib import Path

import pytest

from gateway.config.problems import ConfigError
from gateway.dialplan.loader import load_dialplan
from gateway.dialplan.surroundings import Surroundings, Trunk
from tests.unit.dialplan.plans import SURROUNDINGS, mistakes, write

GOOD = """
lists: {vip: ["+49170*"]}
hours: {office: {mon-fri: "08:00-18:00"}}
routes:
  - {name: first, match: {to: "1"}, do: [{play: hello}]}
  - {name: second, match: {to: "2", from: {in: vip}, hours: office}, do: [ai]}
  - {name: third, match: {to: "3"}, do: [{ai: sales}]}
flows: {}
prompts: {hello: Hello.}
defaults: {timezone: Europe/Berlin}
cases:
  - {to: "1", expect: {route: wrong-1}}
  - {to: "2", from: "+491701", at: "2026-11-23 09:00", expect: {route: wrong-2}}
  - {to: "3", expect: {route: wrong-3}}
  - {to: "3", expect: {route: third, agent: support}}
  - {to: "4", expect: {route: wrong-4}}
"""


def told(directory: Path, text: str) -> list[str]:
    """Which cases are found wrong, by their number."""
    lines = [line.split(": ", 2)[1] for line in mistakes(directory, text)]
    return [line.removeprefix("cases").removesuffix(".route") for line in lines if line.startswith("cases[")]


def test_all_cases_are_run_when_all_is_well(tmp_path: Path) -> None:
    assert told(tmp_path, GOOD) == [
        "[0].expect",
        "[1].expect",
        "[2].expect",
        "[3].expect.agent",
        "[4].expect",
    ]


@pytest.mark.parametrize(
    ("before", "after", "wrong", "cases"),
    [
        # What no case depends on hides none of them.
        ("version: 1", "version: 2", "version: found 2", "01234"),
        ("flows: {}", "flow: {}", "flow: found an unknown key", "01234"),
        ("{hello: Hello.}", "{hello: {}}", "prompts.hello: found an empty mapping", "01234"),
        ("- {name: first", "- {nam: x, name: first", "routes[0].nam: found an unknown key", "01234"),
        ('- {to: "1"', '- {too: "1"', "cases[0].too: found an unknown key", "1234"),
        # Lost steps: who talks first is not known, who takes the call is.
        ("[{ai: sales}]", "[{aii: sales}]", "aii: found an unknown step", "0124"),
        ("[{ai: sales}]", "{ai: sales}", "routes[2].do: found a mapping", "0124"),
        # From a route of which the conditions are not certain on, nobody knows who takes a call.
        ('{to: "2", from', '{too: "2", from', "routes[1].match.too: found an unknown key", "0"),
        ("hours: office", "hours: ofice", 'routes[1].match.hours: found "ofice"', "0"),
        ("name: second", "name: 7", "routes[1].name: found 7", "0"),
        ('["+49170*"]', "[49170]", "lists.vip[0]: found 49170", "0"),
        ('["+49170*"]', "[{file: no.csv}]", 'lists.vip[0].file: found "no.csv"', "0"),
        ("mon-fri:", "mon-fry:", 'hours.office.mon-fry: found "mon-fry"', "0"),
        ("timezone: Europe/Berlin", "timezone: Berlin", 'defaults.timezone: found "Berlin"', ""),
        ("defaults:", "defaults: {}\ndefaults:", "defaults: found the key a second time", ""),
        ("routes:", "rout:", "rout: found an unknown key", ""),
    ],
)
def test_what_is_certain_is_checked(tmp_path: Path, before: str, after: str, wrong: str, cases: str) -> None:
    text = f"version: 1{GOOD}".replace(before, after, 1).removeprefix("version: 1\n")
    if after.startswith("version"):
        (tmp_path / "main.yaml").write_text(f"{after}{GOOD}")
        found = _all_mistakes(tmp_path)
    else:
        found = mistakes(tmp_path, text)
    assert any(wrong in line for line in found), found
    run = {line.split("cases[")[1][0] for line in found if ": cases[" in line and ".expect" in line}
    assert run == set(cases), found


def test_a_file_that_cannot_be_read_hides_what_may_stand_in_it(tmp_path: Path) -> None:
    route = (
        '\nroutes: [{{name: "{0}", match: {{to: "{0}"}}, do: [ai]}}]\n'
        'cases: [{{to: "{0}", expect: {{route: x}}}}]\n'
    )
    write(tmp_path, "defaults: {}" + route.format("1"), "a.yaml")
    write(tmp_path, "routes: [", "b.yaml")
    found = mistakes(tmp_path, route.format("2"), Surroundings(("sales",), {"t": Trunk(numbers=("9",))}))
    assert [line.partition(": ")[0].partition(":")[0] for line in found] == ["a.yaml", "b.yaml"]


def test_names_that_may_stand_in_a_file_that_cannot_be_read_are_not_missed(tmp_path: Path) -> None:
    write(tmp_path, 'flows:\n  there: [hangup]\nhours: {office: {}\nprompts:\n  "hi": Hello.\n', "a.yaml")
    text = """
routes:
  - {name: a, match: {to: "1", hours: office}, do: [{play: hi}, there]}
  - {name: b, match: {to: "2", hours: night}, do: [{play: bye}, elsewhere]}
"""
    found = [line.split(": ")[1] for line in mistakes(tmp_path, text)]
    assert found[1:] == ["routes[1].match.hours", "routes[1].do[0].play", "routes[1].do[1]"]


@pytest.mark.parametrize(
    "steps", ["[{http: 7}, {say: '${found}'}]", "[{gather: {into: 7}}, {say: '${found}'}]"]
)
def test_a_variable_of_a_broken_step_is_not_missed(tmp_path: Path, steps: str) -> None:
    (line,) = mistakes(tmp_path, f'routes: [{{name: a, match: {{to: "1"}}, do: {steps}}}]')
    assert "routes[0].do[0]" in line


def test_shadowed_routes_are_told_beside_mistakes_in_others(tmp_path: Path) -> None:
    text = """
routes:
  - {name: a, match: {to: "1*"}, do: [ai]}
  - {name: b, match: {to: 12}, do: [ai]}
  - {name: c, match: {to: "13"}, do: [ai]}
"""
    first, second = mistakes(tmp_path, text)
    assert "routes[1].match.to: found 12" in first
    assert 'found route "c", which no call reaches' in second


def test_nothing_is_concluded_from_steps_that_are_missing(tmp_path: Path) -> None:
    text = """
routes: [{name: a, match: {to: "1"}, do: [{plai: hello}, first]}]
flows:
  first: [{waitt: 5s}, {goto: first}]
  second: [{say: Hi.}, hangup, {say: Ho.}]
"""
    found = [line.split(": ")[1] for line in mistakes(tmp_path, text)]
    assert found == ["routes[0].do[0].plai", "flows.first[0].waitt", "flows.second[2]"]


@pytest.mark.parametrize("text", ["[]", "7", "routes: 7", "cases: {}", "lists: 7\nhours: []", "defaults: 7"])
def test_files_of_another_shape_altogether(tmp_path: Path, text: str) -> None:
    (tmp_path / "main.yaml").write_text(text if text in "[]7" else f"version: 1\n{text}\n")
    assert _all_mistakes(tmp_path)


def _all_mistakes(directory: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_dialplan(directory, SURROUNDINGS)
    return str(caught.value).splitlines()
