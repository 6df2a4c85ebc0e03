"""What is explained, against golden texts, and the shipped plans."""

import json
from pathlib import Path

import jsonschema
import pytest

from gateway.config.document import parse_document
from gateway.dialplan.checks.cases import make_call, parse_time
from gateway.dialplan.explain import explain
from gateway.dialplan.loader import load_dialplan
from gateway.dialplan.schema import json_schema
from gateway.dialplan.surroundings import Surroundings, Trunk
from tests.unit.dialplan.plans import MONDAY, load

ROOT = Path(__file__).parents[3]
SHIPPED = ROOT / "dialplans"
GOLDEN = ROOT / "tests" / "golden" / "dialplan"

PLANS = [".", "reception", "support", "sales", "emergency", "forward"]

NEEDED = {
    ".": Surroundings(("bot",)),
    "reception": Surroundings(("receptionist",), {"pbx": Trunk("DE", ("2XX",))}, ("anna",)),
    "support": Surroundings(("support", "billing"), {"pbx": Trunk("DE", ("3XX",))}),
    "sales": Surroundings(("agent-a", "agent-b"), {"pbx": Trunk("DE", ("400",))}),
    "emergency": Surroundings(("bot",), {"pbx": Trunk("DE", ("999",))}),
    "forward": Surroundings(("bot",), {"pbx": Trunk("DE", ("2XX",))}),
}

CALLS = {
    "reception-open": ("reception", "030 555010", "+491701234567", "2026-11-23 09:00"),
    "reception-holiday": ("reception", "+4930555010", "+491701234567", "2026-12-25 11:00"),
    "reception-vip": ("reception", "+4930555010", "+498912400777", "2026-12-25 11:00"),
    "support": ("support", "+49305550120", "+491701234567", "2026-11-23 09:00"),
    "sales": ("sales", "+49305550133", "+491701234567", "2026-11-23 09:00"),
    "emergency": ("emergency", "+4930555010", "", "2026-11-23 09:00"),
    "forward": ("forward", "+49305550217", "+491701234567", "2026-11-23 09:00"),
    "refused": ("support", "+49305550999", "+491701234567", "2026-11-23 09:00"),
}


@pytest.mark.parametrize("name", PLANS)
def test_the_shipped_plans_are_right_with_what_they_say_they_need(name: str) -> None:
    plan = load_dialplan(SHIPPED / name, NEEDED[name])
    assert plan.cases >= 2


def _explained(directory: Path, surroundings: Surroundings, to: str, from_: str, at: str) -> str:
    plan = load_dialplan(directory, surroundings)
    moment = parse_time(at, plan.settings.zone)
    assert moment is not None
    call = make_call(to=to, from_=from_)
    text = "\n".join(explain(plan.decide(call.facts, moment, call.assumed))) + "\n"
    return text.replace(f"{directory}/", "")


@pytest.mark.parametrize("name", CALLS)
def test_explanations_of_shipped_plans(name: str) -> None:
    plan, to, from_, at = CALLS[name]
    assert _explained(SHIPPED / plan, NEEDED[plan], to, from_, at) == (GOLDEN / f"{name}.txt").read_text()


def test_what_is_taken_for_granted_is_said(tmp_path: Path) -> None:
    plan = load(
        tmp_path, "routes: [{name: r, match: {trunk: [pbx, carrier], kind: sip, header: {X: y*}}, do: [ai]}]"
    )
    call = make_call(to="1")
    lines = explain(plan.decide(call.facts, MONDAY, call.assumed))
    assert [line.strip() for line in lines if "taken for granted" in line] == [
        "taken for granted: trunk pbx or carrier",
        "taken for granted: kind sip",
        "taken for granted: header x: y*",
    ]
    told = make_call(to="1", trunk="pbx", headers={"X": "yes"}, kind="sip")
    assert not any(
        "taken for granted" in line for line in explain(plan.decide(told.facts, MONDAY, told.assumed))
    )


# ---- the schema for editors ------------------------------------------------------------------------


def test_the_shipped_schema_is_that_of_the_steps() -> None:
    assert json.loads((SHIPPED / "dialplan.schema.json").read_text()) == json_schema()


@pytest.mark.parametrize("file", sorted(SHIPPED.glob("**/*.yaml")), ids=lambda file: file.parent.name)
def test_shipped_plans_name_the_schema_and_fit_it(file: Path) -> None:
    first = file.read_text().splitlines()[0]
    prefix = "# yaml-language-server: $schema="
    assert (file.parent / first.removeprefix(prefix)).resolve() == SHIPPED / "dialplan.schema.json"
    jsonschema.Draft202012Validator.check_schema(json_schema())
    jsonschema.validate(parse_document(file.read_bytes(), str(file)).data, json_schema())


@pytest.mark.parametrize(
    "plan",
    [
        {"version": 2},
        {"version": 1, "routs": []},
        {"version": 1, "routes": [{"name": "r", "match": {"to": 5}, "do": ["ai"]}]},
        {"version": 1, "routes": [{"name": "r", "match": {"to": "1"}, "do": [{"plai": "x"}]}]},
        {"version": 1, "routes": [{"name": "r", "match": {"to": "1"}, "do": [{"ai": {"agnt": "x"}}]}]},
        {"version": 1, "flows": {"f": [{"ai": {"on": {"error": [{"plai": "x"}]}}}]}},
        {"version": 1, "hours": {"h": {"mon": 5}}},
        {"version": 1, "hours": {"h": {"mon-fry": "08:30-18:00"}}},
        {"version": 1, "hours": {"h": {"holidayz": "DE"}}},
    ],
)
def test_the_schema_marks_mistakes(plan: object) -> None:
    assert not jsonschema.Draft202012Validator(json_schema()).is_valid(plan)
