"""Which route takes a call: conditions, the first one, shares, and the index against plain looking."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialplan.index import RouteIndex
from gateway.dialplan.language.patterns import parse_pattern
from gateway.dialplan.match import Conditions, NumberCondition
from tests.unit.dialplan.plans import ask, load

WEEKEND = datetime(2026, 11, 22, 9, tzinfo=UTC)


def routes(*matches: str, rest: str = "") -> str:
    lines = [f"  - {{name: r{n}, match: {match}, do: [ai]}}" for n, match in enumerate(matches)]
    return "\n".join(["routes:", *lines, rest])


@pytest.mark.parametrize(
    ("match", "facts", "why"),
    [
        ('{to: "+4930*"}', {}, ""),
        ('{to: "+4931*"}', {}, "to is +493055, not +4931*"),
        ('{from: ["+4917*", "1"]}', {}, ""),
        ("{from: {in: vip}}", {}, "from is +491701234567, not in vip"),
        ("{from: {not_in: vip}}", {}, ""),
        (
            '{from: ["+4917*", {not_in: vip}]}',
            {"from_": "+491709"},
            "from is +491709, not +4917*, not in vip",
        ),
        ("{trunk: pbx}", {"trunk": "pbx"}, ""),
        ("{trunk: [pbx, carrier]}", {}, "trunk is none, not pbx, carrier"),
        ("{kind: sip}", {}, ""),
        ("{kind: webrtc}", {"kind": "webrtc"}, ""),
        ("{kind: sip}", {"direction": "outbound"}, "kind is outbound, not sip"),
        ("{kind: [webrtc, outbound]}", {"direction": "outbound"}, ""),
        ("{header: {X-Lang: de}}", {"headers": {"x-lang": "de"}}, ""),
        ("{header: {X-Lang: d*}}", {"headers": {"x-lang": "de"}}, ""),
        ("{header: {X-Lang: de}}", {"headers": {"x-lang": "en"}}, "header x-lang is en, not de"),
        ("{header: {X-Lang: '*'}}", {}, "header x-lang is not there, not *"),
        ("{variables: {tier: gold}}", {"variables": {"tier": "gold"}}, ""),
        ("{variables: {tier: gold}}", {}, "variable tier is not set, not gold"),
        ("{hours: office}", {}, ""),
        ("{hours: not office}", {}, "office is open"),
        ("{hours: office}", {"at": WEEKEND}, "office is closed (sun closed)"),
        ("{hours: not office}", {"at": WEEKEND}, ""),
        ("{percent: 100}", {}, ""),
        ("{percent: 0.0001%}", {}, "the caller is not among the 0.0001%"),
    ],
)
def test_conditions(tmp_path: Path, match: str, facts: dict[str, object], why: str) -> None:
    rest = 'lists: {vip: ["+491709*"]}\nhours: {office: {mon-fri: "08:00-18:00"}}'
    plan = load(tmp_path, routes(match, rest=rest))
    decision = ask(plan, "+493055", **facts)  # type: ignore[arg-type]
    assert decision.route_name == ("" if why else "r0")
    assert [said for _, said in decision.passed_over()] == ([why] if why else [])


def test_national_numbers_are_those_of_the_trunk(tmp_path: Path) -> None:
    plan = load(tmp_path, routes('{to: "+49305550100"}', '{to: "*"}'))
    assert ask(plan, "0305550100", trunk="pbx").route_name == "r0"
    assert ask(plan, "0305550100").route_name == "r1"
    assert ask(load(tmp_path, routes('{to: "0305550100"}')), "0305550100", trunk="pbx").route_name == "r0"


def test_a_default_region_for_callers_without_a_trunk(tmp_path: Path) -> None:
    plan = load(tmp_path, routes('{to: "+49305550100"}', rest="defaults: {region: DE}"))
    assert ask(plan, "030 5550100").route_name == "r0"


def test_the_first_match_wins_across_files(tmp_path: Path) -> None:
    (tmp_path / "0.yaml").write_text("version: 1\nroutes: [{name: first, match: {to: '1*'}, do: [ai]}]\n")
    plan = load(tmp_path, routes('{to: "*"}'))
    assert [ask(plan, to).route_name for to in ("10", "20")] == ["first", "r0"]


def test_an_agent_asked_for_by_name(tmp_path: Path) -> None:
    plan = load(tmp_path, routes('{to: "1"}'))
    decision = ask(plan, "sales", kind="webrtc", agent="sales")
    assert (decision.route_name, decision.first_agent) == ("agent sales", "sales")
    assert list(decision.passed_over()) == []
    assert not ask(plan, "nobody", kind="webrtc", agent="nobody").taken


@pytest.mark.parametrize(
    ("do", "agent"),
    [
        ("[ai]", "receptionist"),
        ("[{ai: sales}]", "sales"),
        ("[{say: Hi.}, {goto: talk}]", "support"),
        ("[{say: Hi.}, {bridge: {to: 'webrtc:anna', else: [{ai: sales}]}}]", ""),
        ("[{gather: {agent: sales, words: {a: b}}}]", "sales"),
        ("[{set: {who: sales}}, {ai: '${who}'}]", ""),
        ("[{say: Bye.}]", ""),
    ],
)
def test_the_agent_that_talks_first(tmp_path: Path, do: str, agent: str) -> None:
    # The flow is led to by the second route, so that it is never without use.
    plan = load(
        tmp_path,
        f"routes:\n  - {{name: r, match: {{to: '1'}}, do: {do}}}\n"
        "  - {name: s, match: {to: '2'}, do: [{goto: talk}]}\n"
        "flows: {talk: [{say: Hello.}, {ai: support}]}\n",
    )
    assert ask(plan, "1").first_agent == agent


def test_a_split_gives_a_caller_the_same_agent_each_time(tmp_path: Path) -> None:
    text = 'routes: [{name: r, match: {to: "*"}, split: {sales: 90, support: 10}, do: [{ai: "${split}"}]}]'
    plan = load(tmp_path, text)
    first = [ask(plan, "1", f"+4930{number}").first_agent for number in range(1000)]
    assert 860 < first.count("sales") < 940
    assert [ask(plan, "2", f"+4930{number}").first_agent for number in range(1000)] == first


def test_a_caller_is_the_same_however_the_number_is_written(tmp_path: Path) -> None:
    text = 'routes: [{name: r, match: {to: "*"}, split: {sales: 50, support: 50}, do: [{ai: "${split}"}]}]'
    plan = load(tmp_path, text)
    for number in range(50):
        national = ask(plan, "1", f"0305550{number:03}", trunk="pbx").first_agent
        assert national == ask(plan, "1", f"+49305550{number:03}").first_agent


_NUMBER = st.sampled_from(
    ["+4930", "+49301", "+4930111", "1", "12", "123", "demo", "*", "1*", "+4930*", "+4930X"]
)
_CONDITION = st.one_of(
    st.none(),
    st.lists(_NUMBER, min_size=1, max_size=3).map(
        lambda texts: NumberCondition(tuple(pattern for text in texts for pattern in parse_pattern(text)))
    ),
)
_FORMS = st.lists(
    st.sampled_from(["+4930", "+49301", "1", "12", "123", "demo", "", "x"]), min_size=1, max_size=3
)


@given(st.lists(st.tuples(_CONDITION, _CONDITION), max_size=8), _FORMS, _FORMS)
def test_the_index_finds_every_route_that_matches(
    pairs: list[tuple[NumberCondition | None, NumberCondition | None]], to: list[str], from_: list[str]
) -> None:
    index = RouteIndex([Conditions(to=one, from_=two) for one, two in pairs])
    found = list(index.candidates(to, from_))
    assert found == sorted(set(found))
    for number, (one, two) in enumerate(pairs):
        matches = (one is None or one.matches(tuple(to))) and (two is None or two.matches(tuple(from_)))
        assert not matches or number in found
