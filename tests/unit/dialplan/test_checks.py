"""What `gateway dialplan check` finds, with its place and words."""

import wave
from pathlib import Path

import pytest

from gateway.config.models import GatewayConfig
from gateway.config.trunks import TrunkConfig
from gateway.dialplan.surroundings import UNKNOWN, Surroundings, Trunk, surroundings_of
from tests.unit.dialplan.plans import SURROUNDINGS, load, mistakes


def one(do: str, rest: str = "") -> str:
    return f'routes: [{{name: r, match: {{to: "*"}}, do: {do}}}]\n{rest}'


@pytest.mark.parametrize(
    ("do", "said"),
    [
        (
            "[{plai: x}]",
            "routes[0].do[0].plai: found an unknown step, expected one of answer, ring, play, say, ",
        ),
        ("[{plai: x}]", 'did you mean "play"?'),
        (
            "[anser, ai]",
            'routes[0].do[0]: found "anser", expected a flow (there is none) or a step without a value',
        ),
        ("[anser, ai]", 'did you mean "answer"?'),
        ("[play]", 'found "play", expected the step with a value, such as {play: …}'),
        ("[{play: welcom}]", 'found "welcom", expected a prompt (welcome); did you mean "welcome"?'),
        (
            "[{play: {file: no.wav}}]",
            'play.file: found "no.wav", and there is no such file, expected a WAV',
        ),
        ("[{play: {file: ../x.wav}}]", "which is outside the directory of the dialplan"),
        (
            "[{ai: suport}]",
            'found "suport", expected an agent of the configuration (receptionist, sales, support)',
        ),
        ("[{ai: '${split}'}]", "found ${split}, expected a route with split"),
        ("[{ai: {on: {backend_dwn: hangup}}}]", 'did you mean "backend_down"?'),
        ("[{ai: {on: {busy: hangup}}}]", 'found "busy", expected a failure of ai (backend_down, '),
        ("[{ai: {on: {error: {after: 5s, do: hangup}}}}]", "expected after: with caller_silent only"),
        ("[{ai: {max_duration: 20}}]", "ai.max_duration: found 20, expected a length of time such as 5s"),
        ("[{ai: {max_durration: 20m}}]", "found an unknown key, expected one of on, agent, max_duration, "),
        (
            "[{bridge: 'sip:op1@pbxx'}]",
            'found "pbxx", expected a trunk of the configuration (pbx, carrier); did ',
        ),
        (
            "[{bridge: 'sip:op1@carrier'}]",
            'found "op1", expected a user that trunks.carrier.allow of the config',
        ),
        (
            "[{bridge: ['sip:1@pbx', 'webrtc:ana']}]",
            'bridge[1]: found "ana", expected a person of the config',
        ),
        ("[{bridge: 'nonsense'}]", 'found "nonsense", expected sip:USER@TRUNK, NUMBER@TRUNK, tel:+NUMBER or'),
        ("[{goto: nowhere}]", 'goto: found "nowhere", expected a flow (there is none)'),
        ("[{say: '${fron}'}]", "found ${fron}, expected one of agent, choice, date, "),
        ("[{say: '${fron}'}]", 'did you mean "from"?'),
        ("[{say: '${from'}]", "expected a variable as ${name}"),
        ("[{reject: 200}]", "reject: found 200, expected a whole number from 400 to 699"),
        (
            "[{gather: {choices: {12: hangup}}}]",
            'found "12", expected at most 1 keys (digits: 1), none or other',
        ),
        ("[{gather: {agent: sales}}]", "found one without the other, expected agent and words together"),
        ("[{gather: {choices: {none: repeat 2 then nowhere}}}]", 'found "nowhere", expected a flow'),
        ("[{http: 'ftp://x/'}]", "expected http://HOST/PATH or https://HOST/PATH"),
        ("[{http: 'http://${from}/'}]", "expected http://HOST/PATH or https://HOST/PATH"),
        ("[{set: {Name: x}}]", "set.Name: found "),
        ("[{set: {}}]", "found an empty mapping"),
        ("[{ai: sales, play: x}]", "found a mapping with 2 keys, expected a flow, or a step"),
        ("[7]", "routes[0].do[0]: found 7, expected a flow, or a step such as {play: welcome}"),
        ("[hangup, {say: Hi.}]", "found the step say, which is never reached, expected nothing after hangup"),
        ("[answer, {wait: 1s}]", "found steps of which the caller hears nothing, expected a step with sound"),
        ("[{wait: 11m}, ai]", 'wait: found "11m", expected at most 10m'),
    ],
)
def test_mistakes_in_steps(tmp_path: Path, do: str, said: str) -> None:
    found = mistakes(tmp_path, one(do, "prompts: {welcome: Hello.}"))
    assert any(said in line for line in found), found
    assert all(line.startswith("main.yaml:") for line in found)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "defaults: {timezone: Europe/Berlim}",
            'defaults.timezone: found "Europe/Berlim", expected a time zone',
        ),
        ("defaults: {region: de}", "expected a country of two capital letters"),
        ("hours: {x: {munday: open}}", 'hours.x.munday: found "munday", expected weekdays (mon, tue, '),
        ("hours: {x: {mon: 9-17}}", 'hours.x.mon: found "9-17", expected hours such as "08:30-18:00"'),
        ("hours: {x: {except: {2026-02-30: closed}}}", "expected a date such as 2026-12-24"),
        ("hours: {x: {holidays: DE-XX}}", "expected one of DE-BB, DE-BE, "),
        ("hours: {x: closed}", 'hours.x: found "closed", expected a mapping such as {mon-fri:'),
        (
            "lists: {x: [7]}",
            "found 7, expected a number or a pattern in quotes, or {file: PATH} of a CSV file; put",
        ),
        ("lists: {x: [{file: no.csv}]}", 'lists.x[0].file: found "no.csv", and there is no such file'),
        (
            "prompts: {x: {}}",
            "prompts.x: found an empty mapping, expected either {say: TEXT} or {file: PATH}",
        ),
        ("prompts: {x: {file: no.wav}}", 'prompts.x.file: found "no.wav", and there is no such file'),
        ("flows: {ai: [hangup]}", 'flows.ai: found "ai", expected a name that is no step\'s'),
        ("flows: {lost: [hangup]}", 'flows.lost: found the flow "lost", which nothing leads to'),
        (
            "cases: [{to: '1', expect: {route: q}}]",
            'cases[0].expect.route: found route "r", expected route "q"; ',
        ),
        ("cases: [{to: '1', expect: {agent: sales}}]", 'found "receptionist", expected "sales"'),
        (
            "cases: [{to: '1', at: noon, expect: {route: r}}]",
            'cases[0].at: found "noon", expected a local time',
        ),
        (
            "cases: [{to: '1', expect: {}}]",
            "cases[0].expect: found an empty mapping, expected route or agent",
        ),
        ("nonsense: 1", "found an unknown key, expected one of version, defaults, variables, lists, "),
    ],
)
def test_mistakes_elsewhere(tmp_path: Path, text: str, said: str) -> None:
    found = mistakes(tmp_path, one("[ai]", text))
    assert any(said in line for line in found), found


@pytest.mark.parametrize(
    ("match", "said"),
    [
        ("{}", "match: found an empty mapping, expected at least one condition"),
        ("{to: 4930}", "match.to: found 4930, expected a dialled number, "),
        ("{to: {in: vip}}", 'match.to.in: found "vip", expected a list (there is none)'),
        ("{to: ['1', {in: vip}]}", 'match.to[1].in: found "vip", expected a list'),
        (
            "{hours: ofice}",
            'match.hours: found "ofice", expected a set of hours (office); did you mean "office"?',
        ),
        ("{hours: not ofice}", 'match.hours: found "ofice"'),
        (
            "{trunk: pbxx}",
            'found "pbxx", expected a trunk of the configuration (pbx, carrier); did you mean "pbx"?',
        ),
        ("{kind: fax}", "expected one of sip, webrtc, outbound"),
        ("{percent: 0}", "expected a percentage above 0 and up to 100"),
        ("{header: {X: '/(/'}}", "expected a regular expression between two /"),
        ("{to: ['1', '2', '1']}", 'match.to[2]: found "1", expected each number of route "r" once'),
    ],
)
def test_mistakes_in_conditions(tmp_path: Path, match: str, said: str) -> None:
    rest = "hours: {office: {daily: open}}"
    found = mistakes(tmp_path, f"routes: [{{name: r, match: {match}, do: [ai]}}]\n{rest}")
    assert any(said in line for line in found), found


def test_all_mistakes_of_all_files_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("version: 1\nroutes: [{name: a, match: {}, do: [{plai: x}]}]\n")
    (tmp_path / "b.yaml").write_text("version: 1\nroutes: [\n")
    (tmp_path / "c.yaml").write_text(
        "version: 1\nflows: {good: [{goto: also_good}], also_good: [{ai: sals}]}\n"
    )
    found = mistakes(tmp_path, one("[{goto: good}, {play: x}]"))
    places = [line.split(": ")[0] for line in found]
    assert places == ["a.yaml:2:27", "a.yaml:2:37", "b.yaml:3:1", "c.yaml:2:53", "main.yaml:2:64"]


def test_mistakes_of_all_kinds_at_once(tmp_path: Path) -> None:
    rest = "flows: {lost: [hangup], a: [{goto: a}]}\ncases: [{to: '1', expect: {route: q}}]"
    found = mistakes(tmp_path, one("[{play: x}, {ai: nobody}, {goto: nowhere}]", rest))
    assert [line.split(": ")[1] for line in found] == [
        "routes[0].do[0].play",
        "routes[0].do[1].ai",
        "routes[0].do[2].goto",
        "flows.lost",
        "flows.a",
        "flows.a[0]",
        "cases[0].expect.route",
    ]


def test_a_name_is_used_once_in_all_files(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "version: 1\ndefaults: {}\nprompts: {p: x}\nlists: {l: []}\nflows: {f: [ai]}\nhours: {h: {}}\n"
    )
    rest = "defaults: {}\nprompts: {p: x}\nlists: {l: []}\nflows: {f: [ai]}\nhours: {h: {}}"
    found = mistakes(tmp_path, one("[ai]", rest))
    used = [line for line in found if "first used in" in line]
    assert [line.split(": ")[1] for line in used] == [
        "defaults",
        "prompts.p",
        "lists.l",
        "flows.f",
        "hours.h",
    ]
    assert used[1].endswith(
        "expected a name of its own (first used in " + f"{tmp_path}/a.yaml:3)".split("/")[-1]
    )


# ---- loops, shadows, overlaps --------------------------------------------------------------------


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


def two(first: str, second: str) -> str:
    return (
        f"routes:\n  - {{name: a, match: {first}, do: [ai]}}\n  - {{name: b, match: {second}, do: [ai]}}\n"
        'lists: {l: ["1"], m: ["2"]}\nhours: {h: {daily: open}, i: {daily: closed}}\n'
    )


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


def test_hidden_files_of_editors_are_no_part_of_a_plan(tmp_path: Path) -> None:
    (tmp_path / ".#main.yaml").symlink_to("somebody@somewhere:1")
    (tmp_path / "._main.yaml").write_bytes(b"\0\5")
    assert [route.name for route in load(tmp_path, one("[ai]")).routes] == ["r"]


# ---- files and what is not known ------------------------------------------------------------------


def test_what_lies_outside_is_not_checked_without_a_configuration(tmp_path: Path) -> None:
    do = "[{ai: anybody}, {bridge: ['sip:1@anywhere', 'webrtc:someone']}]"
    load(tmp_path, one(do), UNKNOWN)
    assert len(mistakes(tmp_path, one(do))) == 3


def test_sound_files_and_lists(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "hello.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(b"\0\0" * 80)
    (tmp_path / "vip.csv").write_text("number\n1*2\n")
    text = one("[{play: {file: hello.wav}}]", "lists: {vip: [{file: vip.csv}]}")
    assert mistakes(tmp_path, text) == ['vip.csv:2:1: found "1*2", expected at most one *, at the end']
    (tmp_path / "vip.csv").write_text("number\n1*\n")
    assert load(tmp_path, text).digest != ""


def test_a_case_without_time_must_not_depend_on_it(tmp_path: Path) -> None:
    text = two("{hours: h}", '{to: "*"}') + "cases: [{to: '1', expect: {route: a}}]"
    (line,) = mistakes(tmp_path, text)
    assert line.endswith(
        "cases[0]: found a case without at, expected a time, "
        'at: "2026-12-24 11:00", because route "a" has hours'
    )


def test_a_case_says_why_the_expected_route_does_not_match(tmp_path: Path) -> None:
    text = (
        two('{to: "2"}', '{to: "*"}')
        + "cases: [{to: '1', expect: {route: a}}, {to: '1', expect: {route: nine}}]"
    )
    first, second = mistakes(tmp_path, text)
    assert first.endswith('found route "b", expected route "a"; a: to is 1, not 2')
    assert second.endswith('expected route "nine"; there is no such route')


def test_the_digest_is_that_of_all_files(tmp_path: Path) -> None:
    first = load(tmp_path, one("[ai]"))
    again = load(tmp_path, one("[ai]"), SURROUNDINGS)
    other = load(tmp_path, one("[ai]") + "# a comment\n")
    assert first.digest == again.digest != other.digest
