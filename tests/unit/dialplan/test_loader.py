"""Dialplan files: what they mean and where mistakes are."""

from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.config.problems import ConfigError
from gateway.dialplan.dialplan import Dialplan
from gateway.dialplan.language.patterns import PatternError, parse_pattern
from gateway.dialplan.loader import load_dialplan
from gateway.dialplan.surroundings import Surroundings, Trunk
from tests.unit.dialplan.plans import ask

SURROUNDINGS = Surroundings(("receptionist", "sales"))

SHIPPED = Path(__file__).parents[3] / "dialplans"


def _asked(plan: Dialplan, number: str) -> tuple[str, str]:
    decision = ask(plan, number)
    return decision.route_name, decision.first_agent


def _errors(directory: Path, **files: str) -> list[str]:
    for name, text in files.items():
        (directory / f"{name}.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_dialplan(directory, SURROUNDINGS)
    return str(caught.value).replace(f"{directory}/", "").splitlines()


def test_the_shipped_plan_sends_every_number_to_the_first_agent() -> None:
    plan = load_dialplan(SHIPPED, SURROUNDINGS)
    for number in ("demo", "+4930555010", ""):
        assert _asked(plan, number) == ("everything", "receptionist")


def test_without_a_directory_every_number_goes_to_the_first_agent() -> None:
    assert _asked(load_dialplan(None, Surroundings(("bot",))), "123") == ("everything", "bot")


def test_the_first_matching_route_of_the_first_file_decides(tmp_path: Path) -> None:
    one = 'version: 1\nroutes: [{name: sales, match: {to: "+4930*"}, do: [{ai: {agent: sales}}]}]\n'
    two = (
        'version: 1\nroutes: [{name: desk, match: {to: "100"}, do: [{ai: {}}]}, '
        '{name: rest, match: {to: "+49*"}, do: [{ai: {}}]}]\n'
    )
    (tmp_path / "20-rest.yaml").write_text(two)
    (tmp_path / "10-sales.yml").write_text(one)
    (tmp_path / "README.md").write_text("not a plan")
    plan = load_dialplan(tmp_path, SURROUNDINGS)
    assert _asked(plan, "+4930555") == ("sales", "sales")
    assert _asked(plan, "+4931555") == ("rest", "receptionist")
    assert _asked(plan, "100") == ("desk", "receptionist")
    assert _asked(plan, "1000") == ("", "")


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
        load_dialplan(tmp_path / "no", SURROUNDINGS)
    with pytest.raises(ConfigError, match="found no dialplan"):
        load_dialplan(tmp_path, SURROUNDINGS)


@given(st.text(max_size=12), st.text(max_size=12))
def test_a_beginning_matches_whatever_follows(head: str, tail: str) -> None:
    try:
        (pattern,) = parse_pattern(f"{head}*")
    except PatternError:
        assume(False)
    assume(not set(head) & set("XZN["))
    assert pattern.matches(head + tail)
    assert pattern.matches(tail) == tail.startswith(head)


EXAMPLE = """version: 1
defaults: {timezone: Europe/Berlin, on_failure: sorry}
lists:
  vip: ["+4930111*", file: lists/vip.csv]
hours:
  office:
    mon-fri: "08:30-18:00"
    sat: "10:00-14:00"
    except: {2026-12-24: closed, 2026-12-31: "08:30-12:00"}
    holidays: DE-BE
prompts:
  welcome: {say: "Welcome to Example.", language: en}
  menu: For sales, press one.
  closed: We are closed.
routes:
  - name: vip callers
    match: {to: "+49305550100", from: {in: vip}}
    do: [{ai: {agent: receptionist}}]
  - name: support
    match: {to: "+4930555010X", hours: office, trunk: carrier-a, header: {X-Lang: de}}
    split: {receptionist: 90, sales: 10}
    do:
      - answer
      - play: welcome
      - gather:
          digits: 1
          timeout: 5s
          prompts: menu
          choices: {1: sales, 2: {transfer: "sip:billing@pbx"}, none: repeat 2 then operator}
      - ai:
          agent: "${split}"
          max_duration: 20m
          on: {backend_down: operator, caller_silent: {after: 30s, do: goodbye}}
  - name: closed
    match: {to: "+4930555010X"}
    do: [{play: closed}, {record: {max: 2m, to: voicemail}}, hangup]
flows:
  operator: [{bridge: {to: ["sip:op1@pbx", "webrtc:op2"], ring: 20s, strategy: all, else: voicemail}}]
  sales: [{ai: sales}]
  goodbye: [{say: Goodbye.}, hangup]
  sorry: [{say: Sorry.}, hangup]
cases:
  - {to: "+49305550107", from: "+491701", at: "2026-11-23 09:00", expect: {route: support}}
  - {to: "+49305550107", at: "2026-12-24 11:00", expect: {route: closed}}
"""


def test_the_whole_language_in_one_plan(tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "vip.csv").write_text("number\n+498912345\n")
    (tmp_path / "main.yaml").write_text(EXAMPLE)
    trunks = {"pbx": Trunk("", ("op1", "billing")), "carrier-a": Trunk("DE")}
    plan = load_dialplan(tmp_path, Surroundings(("receptionist", "sales"), trunks, ("op2",)))
    assert plan.cases == 2
    assert ask(plan, "+49305550100", "+493011122").route_name == "vip callers"
    assert ask(plan, "+49305550100", "+498912345").route_name == "vip callers"
    german = ask(plan, "0305550107", trunk="carrier-a", headers={"x-lang": "de"})
    assert (german.route_name, german.first_agent in ("receptionist", "sales")) == ("support", True)
    assert ask(plan, "0305550107", trunk="carrier-a").route_name == "closed"
    assert not ask(plan, "+49305550110").taken
