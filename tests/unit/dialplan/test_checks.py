"""What `gateway dialplan check` finds, with its place and words."""

from pathlib import Path

import pytest

from tests.unit.dialplan.plans import mistakes, one


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
        ("[{ai: {allow: 'sip:1@pbxx'}}]", 'ai.allow: found "pbxx", expected a trunk of the configuration'),
        ("[{ai: {allow: ['sip:2X@pbx', 'webrtc:ana']}}]", 'ai.allow[1]: found "ana", expected a person of'),
        ("[{ai: {allow: 'sip:7X@pbxx'}}]", 'ai.allow: found "pbxx", expected a trunk of the configuration'),
        ("[{ai: {allow: billing}}]", 'ai.allow: found "billing", expected sip:USER@TRUNK, NUMBER@TRUNK, '),
        ("[{ring: {play: [welcome, welcome]}}, hangup]", "ring.play: found a list, expected one prompt"),
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
        (
            "[{play: welcome, interrupt: '1'}]",
            "one in each list entry; did you mean {play: {prompts: …, interrupt: …}}?",
        ),
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
        ("flows: [{a: [ai]}]", "flows: found a list, expected flows by name, such as {closed: [hangup]}"),
        ("prompts: Hello", 'prompts: found "Hello", expected prompts by name, such as {welcome: Hello.}'),
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
        ("{to: +4930}", "match.to: found +4930, expected a dialled number, "),
        ("{to: 0049}", "match.to: found 0049, expected a dialled number, "),
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
    assert places == [
        "a.yaml:2:27",
        "a.yaml:2:37",
        "b.yaml:3:1",
        "c.yaml:2:53",
        "main.yaml:2:57",
        "main.yaml:2:64",
    ]


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
