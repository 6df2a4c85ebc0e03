"""Which headers of a call go into its record, and whether chance decided."""

from pathlib import Path

from gateway.dialplan.dialplan import MAX_KEPT_CHARS, MAX_KEPT_HEADERS
from gateway.dialplan.runtime import CallFactsView
from tests.unit.dialplan.plans import ask, load


def facts(**headers: str) -> CallFactsView:
    return CallFactsView("sip", "inbound", "1", "2", headers=headers)


def test_headers_of_all_conditions_and_no_others(tmp_path: Path) -> None:
    plan = load(
        tmp_path,
        "routes:\n  - {name: a, match: {header: {X-Lang: de, Subject: '*'}}, do: [ai]}\n"
        "  - {name: b, match: {header: {x-queue: '1'}}, do: [ai]}\n"
        "  - {name: c, match: {to: '*'}, do: [ai]}\n",
    )
    said = plan.asked_headers(facts(subject="Hello", **{"x-lang": "en", "authorization": "Digest x"}))
    assert said == {"subject": "Hello", "x-lang": "en", "x-queue": None}


def test_what_is_kept_has_limits(tmp_path: Path) -> None:
    names = [f"X-{number:03}" for number in range(MAX_KEPT_HEADERS + 5)]
    header = ", ".join(f"{name}: '1*'" for name in names)
    plan = load(tmp_path, f"routes: [{{name: a, match: {{header: {{{header}}}}}, do: [ai]}}]\n")
    said = plan.asked_headers(facts(**{"x-000": "1" * (MAX_KEPT_CHARS + 1), "x-001": "1" * MAX_KEPT_CHARS}))
    assert len(said) == MAX_KEPT_HEADERS - 1
    assert "x-000" not in said
    assert said["x-001"] == "1" * MAX_KEPT_CHARS


def test_whether_chance_decided(tmp_path: Path) -> None:
    plan = load(
        tmp_path,
        "routes:\n  - {name: a, match: {to: '1'}, do: [ai]}\n"
        "  - {name: b, match: {to: '2', percent: 50}, do: [ai]}\n"
        "  - {name: c, match: {to: '2'}, do: [ai]}\n",
    )
    assert {to: ask(plan, to, "").by_chance for to in "123"} == {"1": False, "2": True, "3": False}
    assert not ask(plan, "sales", "", agent="sales").by_chance
