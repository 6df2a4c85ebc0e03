"""Loops, routes that no call reaches, numbers claimed twice or by nobody."""

from pathlib import Path

import pytest

from gateway.config.models import GatewayConfig
from gateway.config.trunks import TrunkConfig
from gateway.dialplan.surroundings import Surroundings, Trunk, surroundings_of
from tests.unit.dialplan.plans import load, mistakes, one, two


@pytest.mark.parametrize(
    "flows",
    [
        "{a: [{goto: a}]}",
        "{a: [{set: {x: y}}, {goto: b}], b: [answer, {goto: a}]}",
        "{a: [{ai: {on: {backend_down: a}}}]}",
        "{a: [{bridge: {to: 'sip:1@pbx', else: a}}]}",
        "{a: [{play: {prompts: {say: x}, on: {error: continue}}}, {goto: a}]}",
    ],
)
def test_loops_in_which_no_time_passes(tmp_path: Path, flows: str) -> None:
    found = mistakes(tmp_path, one("[{say: Hi.}, {goto: a}]", f"flows: {flows}"))
    assert any("a loop in which no time passes (a → " in line for line in found), found


@pytest.mark.parametrize(
    "flows",
    [
        "{a: [{wait: 1s}, {goto: a}]}",
        "{a: [{gather: {choices: {none: a}}}, hangup]}",
        "{a: [{queue: {name: q, to: 'sip:1@pbx', on: {timeout: a}}}]}",
        "{a: [{ai: {on: {caller_silent: {after: 5s, do: a}}}}]}",
        "{a: [{say: x}, {goto: b}], b: [{goto: a}]}",
    ],
)
def test_loops_in_which_time_passes_are_fine(tmp_path: Path, flows: str) -> None:
    load(tmp_path, one("[{say: Hi.}, {goto: a}]", f"flows: {flows}"))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ('{to: "*"}', '{to: "1"}'),
        ('{to: "+49*"}', '{to: "+4930X"}'),
        ('{to: ["1X", "2X"]}', '{to: ["11", "2[3-4]"], hours: h}'),
        ('{from: "*"}', '{from: "12"}'),
        ("{trunk: [pbx, carrier]}", '{trunk: pbx, to: "1"}'),
        ("{hours: h}", '{hours: h, to: "1"}'),
        ("{kind: sip}", "{kind: sip, percent: 5}"),
        ('{header: {X: "1"}}', '{header: {x: "1", y: "2"}}'),
        ("{to: {in: l}}", '{to: {in: l}, from: "1"}'),
        ('{to: "/1/"}', '{to: "21"}'),
    ],
)
def test_routes_that_no_call_reaches(tmp_path: Path, first: str, second: str) -> None:
    found = mistakes(tmp_path, two(first, second))
    assert len(found) == 1
    assert (
        'routes[1].name: found route "b", which no call reaches, expected it ahead of route "a"' in found[0]
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ('{to: "1"}', '{to: "*"}'),
        ('{to: "1", from: "2"}', '{to: "1"}'),
        ("{hours: h}", "{hours: i}"),
        ("{hours: h}", "{hours: not h}"),
        ("{percent: 5}", '{to: "1"}'),
        ("{kind: sip}", '{to: "1"}'),
        ("{trunk: pbx}", "{trunk: [pbx, carrier]}"),
        ('{header: {X: "1"}}', '{to: "1"}'),
        ("{to: {in: l}}", "{to: {in: m}}"),
        ("{to: {not_in: l}}", '{to: "1"}'),
        ('{to: "/1/"}', '{to: "2*"}'),
    ],
)
def test_routes_that_calls_reach(tmp_path: Path, first: str, second: str) -> None:
    assert len(load(tmp_path, two(first, second)).routes) == 2


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ('{to: "1[1-5]X"}', '{to: "1[3-9]X"}'),
        ('{to: "1*"}', '{to: ["12", "2"]}'),
        ('{to: "100-199"}', '{to: "150-250"}'),
        ('{to: "1X2"}', '{to: "12*", hours: h}'),
    ],
)
def test_numbers_that_two_routes_claim(tmp_path: Path, first: str, second: str) -> None:
    found = mistakes(tmp_path, two(first, second))
    assert len(found) == 1
    assert "overlaps" in found[0]
    assert 'of route "a", expected numbers that the route before it' in found[0]


def test_numbers_of_a_trunk_that_no_route_serves(tmp_path: Path) -> None:
    trunk = Trunk("DE", (), ("+49305550100", "+4930555020X", "+493055503*"))
    surroundings = Surroundings(("receptionist",), {"pbx": trunk, "other": Trunk(numbers=("1",))}, ())
    text = (
        "routes:\n  - {name: a, match: {to: '+4930555010X', trunk: pbx}, do: [ai]}\n"
        "  - {name: b, match: {to: '+49305550300'}, do: [ai]}\n"
        "  - {name: c, match: {to: '1', kind: webrtc}, do: [ai]}\n"
    )
    assert mistakes(tmp_path, text, surroundings) == [
        f'{tmp_path}: routes: found no route for "+4930555020X" of trunk pbx, '
        "expected a route that matches it; "
        'did you mean "+49305550300"?',
        f'{tmp_path}: routes: found no route for "1" of trunk other, expected a route that matches it; '
        'did you mean "1"?',
    ]


def test_a_flow_that_needs_a_split_of_each_route_to_it(tmp_path: Path) -> None:
    text = (
        "routes:\n  - {name: a, match: {to: '1'}, split: {sales: 1, support: 2}, do: [shared]}\n"
        "  - {name: b, match: {to: '2'}, do: [shared]}\n"
        "  - {name: c, match: {to: '3'}, do: [{set: {split: sales}}, shared]}\n"
        "flows: {shared: [{ai: '${split}'}]}\n"
    )
    assert mistakes(tmp_path, text) == [
        "main.yaml:4:5: routes[1]: found no split, though an agent is ${split} (main.yaml:6:18), "
        "expected split: {AGENT: WEIGHT}, or steps that do without",
    ]


def test_a_number_within_a_trunks_pattern_that_no_route_serves(tmp_path: Path) -> None:
    surroundings = Surroundings(("receptionist",), {"pbx": Trunk("DE", (), ("030555010X", "[9-1]"))}, ())
    text = "routes: [{name: a, match: {to: ['+4930555010[0-6]', '+49305550108']}, do: [ai]}]\n"
    assert mistakes(tmp_path, text, surroundings) == [
        f'{tmp_path}: found the number "[9-1]" of trunk pbx, expected the smaller digit first, [1-9]',
        f'{tmp_path}: routes: found no route for "0305550107" (one of "030555010X") of trunk pbx, '
        'expected a route that matches it; did you mean "+49305550108"?',
    ]


def test_the_numbers_of_trunks_come_from_the_configuration(tmp_path: Path) -> None:
    trunk = TrunkConfig.model_validate({"address": "192.0.2.5", "region": "DE", "numbers": ["+49301"]})
    surroundings = surroundings_of(GatewayConfig(trunks={"pbx": trunk}))
    text = 'routes: [{name: a, match: {to: "+49302"}, do: [ai]}]'
    assert mistakes(tmp_path, text, surroundings)[0].startswith(
        f'{tmp_path}: routes: found no route for "+49301"'
    )
