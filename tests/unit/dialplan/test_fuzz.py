"""No file and no call makes the loader or the matcher raise anything but its documented error."""

from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from gateway.config.problems import ConfigError
from gateway.dialplan.explain import explain
from gateway.dialplan.loader import load_dialplan
from gateway.dialplan.runtime import CallFactsView
from gateway.dialplan.steps import STEPS
from tests.unit.dialplan.plans import SURROUNDINGS, load

SHIPPED = sorted((Path(__file__).parents[3] / "dialplans").glob("*/main.yaml"))

_TEXT = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["*", "+4930*", "5s", "10%", "office", "main", "${from}", "${", "hangup", "sip:1@pbx", "continue"]
    ),
)
_PLAIN = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), _TEXT)
_WORDS = st.sampled_from(
    [
        *STEPS,
        *("version", "defaults", "lists", "hours", "prompts", "routes", "flows", "cases", "variables"),
        *("name", "match", "do", "on", "to", "from", "split", "choices", "else", "in", "file", "say", "at"),
        *("expect", "route", "agent", "timezone", "on_failure", "mon-fri", "except", "error", "none"),
    ]
)
_TREE = st.recursive(
    _PLAIN,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.one_of(_WORDS, _TEXT), inner, max_size=4)
    ),
    max_leaves=8,
)
_STEP = st.one_of(
    st.sampled_from([*STEPS, "main"]), st.dictionaries(st.sampled_from([*STEPS]), _TREE, max_size=2)
)
_ROUTE = st.fixed_dictionaries(
    {
        "name": st.text(max_size=3),
        "match": st.one_of(_TREE, st.just({"to": "*"})),
        "do": st.lists(_STEP, max_size=4),
    }
)
_PLAN = st.fixed_dictionaries(
    {"version": st.just(1), "routes": st.lists(_ROUTE, max_size=3)},
    optional={
        "flows": st.dictionaries(st.sampled_from(["main", "other"]), st.lists(_STEP, max_size=3)),
        "hours": _TREE,
        "lists": _TREE,
        "prompts": _TREE,
        "defaults": _TREE,
        "cases": _TREE,
    },
)


def _yaml(data: Any) -> str:
    out = StringIO()
    YAML(typ="safe", pure=True).dump(data, out)
    return out.getvalue()


def _loads_or_says_why(directory: Path, raw: bytes) -> None:
    (directory / "main.yaml").write_bytes(raw)
    refused: ConfigError | None = None
    try:
        plan = load_dialplan(directory, SURROUNDINGS)
    except ConfigError as exc:
        refused = exc
    if refused is not None:
        assert refused.problems
        assert all(problem.file for problem in refused.problems)
        return
    decision = plan.decide(CallFactsView("sip", "inbound", "1", "2"), datetime.now(UTC))
    assert explain(decision)


_ANY_TIME = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@_ANY_TIME
@given(_PLAN)
def test_plans_of_the_right_words_in_wrong_places(tmp_path: Path, plan: dict[str, Any]) -> None:
    _loads_or_says_why(tmp_path, _yaml(plan).encode())


@_ANY_TIME
@given(_TREE)
def test_any_tree(tmp_path: Path, tree: Any) -> None:
    _loads_or_says_why(tmp_path, _yaml(tree).encode())


@_ANY_TIME
@given(st.binary(max_size=200))
@example(b"version: 1\nroutes: [{name: x, match: {to: '*'}, do: [" + b"[" * 500)
@example(b"version: 1\nflows: &f {a: [{goto: a}], b: *f}\n")
def test_any_bytes(tmp_path: Path, raw: bytes) -> None:
    _loads_or_says_why(tmp_path, raw)


@_ANY_TIME
@given(st.data())
def test_shipped_plans_with_a_piece_replaced(tmp_path: Path, data: st.DataObject) -> None:
    raw = data.draw(st.sampled_from(SHIPPED)).read_bytes()
    start = data.draw(st.integers(0, len(raw)))
    end = data.draw(st.integers(start, min(len(raw), start + 30)))
    piece = data.draw(
        st.one_of(st.binary(max_size=8), st.sampled_from([b"", b"{", b"]", b": ", b"\n", b"*", b"'"]))
    )
    _loads_or_says_why(tmp_path, raw[:start] + piece + raw[end:])


_HOSTILE = st.text(max_size=300)


@_ANY_TIME
@given(_HOSTILE, _HOSTILE, _HOSTILE, st.dictionaries(_HOSTILE, _HOSTILE, max_size=3))
def test_any_call_is_decided(tmp_path: Path, to: str, from_: str, trunk: str, more: dict[str, str]) -> None:
    plan = load(
        tmp_path,
        'lists: {l: ["+49*", "/9$/"]}\nhours: {h: {mon-fri: "08:00-12:00", holidays: DE}}\n'
        "routes:\n"
        "  - {name: a, match: {to: ['+49301XX', '/^x+y/', '5-9'], from: {in: l}, hours: h}, do: [ai]}\n"
        "  - {name: b, match: {header: {x: 'a*'}, variables: {v: '/b/'}}, do: [ai]}\n"
        "  - {name: c, match: {from: {not_in: l}, percent: 50}, split: {sales: 1}, do: [{ai: '${split}'}]}\n",
    )
    facts = CallFactsView("webrtc", "inbound", to, from_, trunk, more, more.get("agent", ""), more)
    decision = plan.decide(facts, datetime(2026, 11, 23, 9, tzinfo=UTC))
    assert decision.route_name in ("", "a", "b", "c")
    assert explain(decision)
