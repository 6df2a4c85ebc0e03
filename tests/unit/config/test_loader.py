"""The configuration file: what is understood, where errors point, and what never comes out."""

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.config.document import MAX_BYTES, Document, parse_document
from gateway.config.loader import default_config, load, load_config, load_run_dir
from gateway.config.models import CODECS, BotAgent, GatewayConfig, OpenAIRealtimeAgent
from gateway.config.problems import ConfigError
from gateway.config.validate import validate
from tests.unit.config.files import DOCUMENTED, ENVIRONMENT, SECRET, lines, load_text, problems


def test_the_documented_configuration_works_as_written(tmp_path: Path) -> None:
    config = load_text(tmp_path, DOCUMENTED)
    assert config.node.name == "gw1"
    assert config.node.run_dir == tmp_path / "run"
    assert config.dialplans == tmp_path / "dialplans"
    assert [(at.transport, at.address, at.port) for at in config.sip.listen] == [
        ("udp", "127.0.0.1", 5060),
        ("tcp", "127.0.0.1", 5060),
    ]
    assert (config.sip.rtp_ports.low, config.sip.rtp_ports.high) == (20000, 24999)
    assert config.sip.max_calls == 200
    assert (config.http.listen.address, config.http.listen.port) == ("127.0.0.1", 8080)
    agent = config.agents["receptionist"]
    assert isinstance(agent, OpenAIRealtimeAgent)
    assert agent.api_key.get_secret_value() == SECRET
    assert agent.audio == "pcmu"
    assert agent.instructions == "You answer the phone for Example Ltd."
    assert not config.needs_bot


def test_the_documented_configuration_without_the_variable(tmp_path: Path) -> None:
    assert lines(tmp_path, DOCUMENTED, {}) == [
        "gw.yaml:13:14: agents.receptionist.api_key: found ${OPENAI_API_KEY}, "
        "expected the environment variable OPENAI_API_KEY to be set"
    ]


def test_the_shipped_example_is_the_documented_configuration(tmp_path: Path) -> None:
    example = Path(__file__).parents[3] / "deploy" / "gateway.example.yaml"
    assert load_text(tmp_path, example.read_bytes()) == load_text(tmp_path, DOCUMENTED)


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n"])
def test_an_empty_file_means_the_defaults(tmp_path: Path, text: str) -> None:
    config = load_text(tmp_path, text)
    assert config == default_config(tmp_path)
    assert list(config.agents) == ["bot"]
    assert config.needs_bot
    assert config.sip.codecs == list(CODECS)


def test_children_read_the_same_configuration_secrets_included(tmp_path: Path) -> None:
    config = load_text(tmp_path, DOCUMENTED)
    assert GatewayConfig.model_validate_json(config.for_child()) == config


def test_secrets_are_in_no_representation(tmp_path: Path) -> None:
    config = load_text(tmp_path, DOCUMENTED)
    assert SECRET not in f"{config!r} {config} {config.model_dump()} {config.model_dump_json()}"


def test_all_errors_at_once_with_their_places(tmp_path: Path) -> None:
    text = """\
node: {name: "bad name", drain_timeout_s: true}
sip:
  listen: ["udp://127.0.0.1:0", 5060]
  public_adress: 1.2.3.4
  max_calls: lots
  codecs: [pmcu]
http: {listen: "8080"}
agents:
  Front Desk: {backend: bot}
  a: {backend: openai_realtim}
  b: {backend: openai_realtime, turn_silence_ms: 5, language: english, voice: 3}
  c: {audio: pcmu}
dialplan: x
"""
    front = "found an unknown key, expected one of"
    assert lines(tmp_path, text) == [
        'gw.yaml:1:14: node.name: found "bad name", '
        "expected 1 to 63 letters, digits, dots, dashes or underscores",
        "gw.yaml:1:43: node.drain_timeout_s: found true, expected a number from 0 to 86400",
        'gw.yaml:3:12: sip.listen[0]: found "udp://127.0.0.1:0", '
        "expected port to be a whole number from 1 to 65535",
        "gw.yaml:3:33: sip.listen[1]: found 5060, "
        "expected udp://ADDRESS:PORT or tcp://ADDRESS:PORT with an IPv4 address",
        f"gw.yaml:4:3: sip.public_adress: {front} listen, public_address, rtp_ports, max_calls, codecs, "
        'rtp_timeout_s, ladder; did you mean "public_address"?',
        'gw.yaml:5:14: sip.max_calls: found "lots", expected a whole number from 1 to 2000',
        'gw.yaml:6:12: sip.codecs[0]: found "pmcu", '
        'expected one of pcmu, pcma, g722, gsm, ilbc, speex; did you mean "pcmu"?',
        'gw.yaml:7:16: http.listen: found "8080", expected ADDRESS:PORT such as 127.0.0.1:8080',
        'gw.yaml:9:3: agents.Front Desk: found "Front Desk", expected a name of up to 63 small letters, '
        "digits, dashes and underscores that begins with a letter",
        'gw.yaml:10:16: agents.a.backend: found "openai_realtim", '
        "expected one of openai_realtime, openai_live, twilio_media_streams, bot; "
        'did you mean "openai_realtime"?',
        "gw.yaml:11:50: agents.b.turn_silence_ms: found 5, expected a whole number from 100 to 5000",
        'gw.yaml:11:63: agents.b.language: found "english", expected a language code such as en or pt-BR',
        "gw.yaml:11:79: agents.b.voice: found 3, expected a text or null; put it in quotes",
        "gw.yaml:12:6: agents.c.backend: found nothing, "
        "expected one of openai_realtime, openai_live, twilio_media_streams, bot",
        f"gw.yaml:13:1: dialplan: {front} node, sip, webrtc, http, log, webhooks, incoming, agents, "
        'http_tools, users, trunks, dialplans, dialplans_reload; did you mean "dialplans"?',
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sip:", "gw.yaml:1:1: sip: found nothing, expected a mapping with the keys listen,"),
        ("sip: 5", "gw.yaml:1:6: sip: found 5, expected a mapping with the keys listen,"),
        ("[1]", "gw.yaml:1:1: found a list, expected a mapping with the keys node,"),
        ("hello", 'gw.yaml:1:1: found "hello", expected a mapping with the keys node,'),
        ("agents: [bot]", "gw.yaml:1:9: agents: found a list, expected a mapping"),
        ("agents: {a: bot}", 'gw.yaml:1:13: agents.a: found "bot", expected a mapping with the keys'),
        ("sip: {listen: []}", "sip.listen: found an empty list, expected a list with at least one entry"),
        ("sip: {listen: x}", 'sip.listen: found "x", expected a list with at least one entry'),
        ('sip: {listen: ["udp://localhost:1"]}', "with an IPv4 address"),
        ('sip: {listen: ["udp://[::1]:1"]}', "with an IPv4 address"),
        ('sip: {listen: ["tls://1.2.3.4:1"]}', "expected udp://ADDRESS:PORT or tcp://"),
        ('sip: {listen: ["udp://1.2.3.4:x"]}', "expected udp://ADDRESS:PORT or tcp://"),
        ('sip: {listen: ["udp://1.2.3.4:7", "udp://1.2.3.4:7"]}', "found an entry that is repeated"),
        ("sip: {codecs: [gsm, gsm]}", "found an entry that is repeated, expected each entry once"),
        ("sip: {rtp_ports: 4000-3000}", 'found "4000-3000", expected LOW below HIGH'),
        ("sip: {rtp_ports: 20000}", "found 20000, expected LOW-HIGH such as 20000-24999"),
        ("sip: {rtp_ports: 80-24999}", "expected low to be a whole number from 1024 to 65534"),
        (
            "sip: {max_calls: 100, rtp_ports: 20000-20099}",
            "gw.yaml:1:34: sip.rtp_ports: found 100 ports, expected at least 540 for 100 calls",
        ),
        ("sip: {rtp_ports: 5000-9999}", "expected a range without the SIP port 5060"),
        ("sip: {max_calls: true}", "sip.max_calls: found true, expected a whole number from 1 to 2000"),
        ("sip: {max_calls: 1.5}", "found 1.5, expected a whole number"),
        ("sip: {max_calls: 2001}", "found 2001, expected a whole number from 1 to 2000"),
        ("sip: {rtp_timeout_s: .nan}", "found nan, expected a number from 1 to 3600"),
        ("sip: {public_address: 'a b'}", 'found "a b", expected an IPv4 address or a host name'),
        ("http: {listen: ':8080'}", "expected ADDRESS:PORT such as 127.0.0.1:8080"),
        ("http: {listen: 'h:99999'}", "expected port to be a whole number from 0 to 65535"),
        ("log: {level: loud}", 'found "loud", expected one of debug, info, warning, error'),
        ("log: {level: Info}", 'did you mean "info"?'),
        ("agents: {a: {backend: openai_realtime, url: 'http://x/'}}", "expected ws://HOST/PATH or wss://"),
        ("agents: {a: {backend: openai_realtime, url: 'ws://[x'}}", "expected ws://HOST/PATH or wss://"),
        ("agents: {a: {backend: openai_realtime, model: ''}}", "expected a text that is not empty"),
        ("agents: {a: {backend: bot, model: x}}", "agents.a.model: found an unknown key, expected one of"),
    ],
)
def test_one_error(tmp_path: Path, text: str, expected: str) -> None:
    (line,) = lines(tmp_path, text)
    assert expected in line


@pytest.mark.parametrize(
    ("text", "place", "expected"),
    [
        ("sip: {", (1, 7), "YAML syntax"),
        ("a: b: c", (1, 5), "needs quotes"),
        ("sip:\n\tmax_calls: 1", (2, 1), "spaces, not tabs"),
        ("node: *nobody", (1, 7), "begins with * needs quotes"),
        ("node: !!set {a}", (1, 7), "a text that begins with ! needs quotes"),
        ("node: {name: a}\nnode: {name: b}", (2, 1), "found the key a second time, expected it once"),
        ("? [a]\n: b", (1, 3), "expected a plain word as a key"),
        ("node: {<<: {name: a}}", (1, 8), "found <<, expected a plain word as a key"),
        ("node: {name: a}\n---\nnode: {name: b}", (2, 1), "document"),
        (b"node: {name: \xff}", (1, 14), "found the byte 0xff, expected text in UTF-8"),
        (b"# \xc3\xbc\xc3\xbc\n# \xc3\xbc \xff", (2, 5), "found the byte 0xff"),
        (b"node: \x00", (1, 1), "a character that YAML does not allow"),
        ('node: {name: "\\0"}', (1, 14), "expected text without NUL"),
        ('node: {name: "\\ud800"}', (1, 14), "expected text without NUL"),
        ("[" * 5000, (1, 1), "nested"),
        ("a: " + "[" * 70 + "]" * 70, (1, 68), "nested or repeated too much"),
    ],
)
def test_what_is_no_yaml_for_us(
    tmp_path: Path, text: str | bytes, place: tuple[int, int], expected: str
) -> None:
    found = [problem for problem in problems(tmp_path, text) if expected in str(problem)]
    assert [(problem.line, problem.column) for problem in found] == [place], problems(tmp_path, text)


def test_deep_nesting_is_refused_before_it_takes_time(tmp_path: Path) -> None:
    began = time.process_time()
    assert "a deeply nested value" in lines(tmp_path, "a: " + "[" * 500_000)[0]
    assert time.process_time() - began < 2


def test_an_alias_bomb_is_refused(tmp_path: Path) -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert "nested or repeated too much" in lines(tmp_path, "\n".join(levels))[0]


def test_an_alias_of_itself_is_refused(tmp_path: Path) -> None:
    assert "nested or repeated too much" in lines(tmp_path, "node: &n {name: *n}")[0]


def test_an_alias_is_a_repetition(tmp_path: Path) -> None:
    text = "agents:\n  a: &a {backend: bot, language: de}\n  b: *a\n"
    config = load_text(tmp_path, text)
    assert config.agents["a"] == config.agents["b"]


def test_a_file_that_is_too_long(tmp_path: Path) -> None:
    assert f"expected at most {MAX_BYTES}" in lines(tmp_path, "#" * (MAX_BYTES + 1))[0]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "no.yaml")
    message = f"{tmp_path}/no.yaml: found no such file or directory, expected a file that can be read"
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "text",
    [
        "agents: {a: {backend: openai_realtime, api_key: [SECRET]}}",
        "agents: {a: {backend: openai_realtime, api_key: {SECRET: SECRET}}}",
        "agents: {a: {backend: openai_realtime, api_key: *SECRET}}",
        "agents: {a: {backend: openai_realtime, api_key: !SECRET x}}",
        "agents: {a: {backend: openai_realtime, api_key: '${SECRET'}}",
        "agents: {a: {backend: openai_realtime, api_key: 'x${SECRET}'}}",
        "agents: {a: {backend: openai_realtime, url: 'ws://user:SECRET@host/'}}",
        "agents: {a: {backend: openai_realtime, url: '${OPENAI_API_KEY}'}}",
        "agents: {a: {backend: openai_realtime, apikey: SECRET}}",
        "agents: {a: {backend: openai_realtime, api_key: SECRET, api_key: SECRET}}",
        "agents: {a: {backend: '${OPENAI_API_KEY}'}}",
        "sip: {public_address: 'a ${OPENAI_API_KEY}', max_calls: '${OPENAI_API_KEY}'}",
        "sip: {listen: ['${OPENAI_API_KEY}'], rtp_ports: '${OPENAI_API_KEY}'}",
        "http: {listen: '${OPENAI_API_KEY}'}",
    ],
)
def test_no_error_shows_a_secret(tmp_path: Path, text: str) -> None:
    said = "\n".join(lines(tmp_path, text.replace("SECRET", SECRET)))
    assert said
    assert SECRET not in said


def test_references_work_in_every_text_and_number(tmp_path: Path) -> None:
    text = """\
node: {name: "${NODE}-a"}
sip: {max_calls: "${CALLS}", listen: ["udp://${IP}:5060"]}
agents: {a: {backend: openai_realtime, greeting: "$$5 or $6, $${NODE}, ${NODE}", api_key: "${EMPTY}"}}
"""
    config = load_text(tmp_path, text, {"NODE": "n1", "CALLS": "7", "IP": "10.0.0.1", "EMPTY": ""})
    agent = config.agents["a"]
    assert isinstance(agent, OpenAIRealtimeAgent)
    assert (config.node.name, config.sip.max_calls, config.sip.listen[0].address) == ("n1-a", 7, "10.0.0.1")
    assert agent.greeting == "$5 or $6, ${NODE}, n1"
    assert agent.api_key.get_secret_value() == ""


def test_every_unset_variable_is_named_once(tmp_path: Path) -> None:
    text = "node: {name: '${A}'}\nsip: {public_address: '${B} ${A}', max_calls: '${C}'}\n"
    said = lines(tmp_path, text, {})
    assert [line.rpartition(" expected ")[2] for line in said] == [
        f"the environment variable {name} to be set" for name in "ABC"
    ]


def test_absolute_paths_stay_and_relative_ones_start_at_the_file(tmp_path: Path) -> None:
    text = "node: {run_dir: /run/gw}\ndialplans: ../plans\nagents: {b: {backend: bot, dialogue: d.yaml}}\n"
    config = load_text(tmp_path, text)
    agent = config.agents["b"]
    assert isinstance(agent, BotAgent)
    assert config.node.run_dir == Path("/run/gw")
    assert config.dialplans == tmp_path.parent / "plans"
    assert agent.dialogue == tmp_path / "d.yaml"


@pytest.mark.parametrize(("length", "fits"), [(83, True), (84, False)])
def test_run_dir_leaves_room_for_socket_names(tmp_path: Path, length: int, fits: bool) -> None:
    run_dir = "/r".ljust(length, "x")
    text = f"node:\n  run_dir: {run_dir}\n"
    if fits:
        assert load_text(tmp_path, text).node.run_dir == Path(run_dir)
    else:
        (line,) = lines(tmp_path, text)
        assert line.startswith("gw.yaml:2:12: node.run_dir: found a directory of 84 bytes")


def test_run_dir_can_be_read_from_a_file_that_is_otherwise_wrong(tmp_path: Path) -> None:
    path = tmp_path / "gw.yaml"
    path.write_text(DOCUMENTED + "nonsense: [1]\n")
    assert load_run_dir(path, {}) == tmp_path / "run"
    path.write_text("node: {run_dir: '${RUN}'}")
    assert load_run_dir(path, {"RUN": "/x"}) == Path("/x")
    with pytest.raises(ConfigError, match="RUN to be set"):
        load_run_dir(path, {})
    path.write_text("node: {run_dir: [1]}")
    with pytest.raises(ConfigError, match="found a list, expected a path"):
        load_run_dir(path, {})


def test_places_survive_into_later_messages(tmp_path: Path) -> None:
    path = tmp_path / "gw.yaml"
    path.write_text(DOCUMENTED)
    document = load(path, ENVIRONMENT).document
    problem = document.problem(("sip", "listen", 1), found="x", expected="y")
    assert (problem.line, problem.column, problem.key) == (3, 36, "sip.listen[1]")


def _try(document: Document | bytes) -> None:
    """Only the documented error may come out, and it says something."""
    said: str | None = None
    try:
        if isinstance(document, bytes):
            document = parse_document(document, "gw.yaml", ENVIRONMENT)
        validate(GatewayConfig, document)
    except ConfigError as exc:
        said = str(exc)
    assert said is None or said.startswith("gw.yaml:")
    assert said is None or SECRET not in said


@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_nothing_but_config_errors(raw: bytes) -> None:
    _try(raw)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(alphabet="{}[]:,-?*&!|>%@`'\"# \n\t$abn01.~<\\x\ufeff\x85", max_size=60))
def test_arbitrary_yaml_raises_nothing_but_config_errors(text: str) -> None:
    _try(text.encode())


@settings(max_examples=200)
@given(st.data())
def test_a_damaged_file_raises_nothing_but_config_errors(data: st.DataObject) -> None:
    raw = bytearray(DOCUMENTED.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 6))] = data.draw(st.binary(max_size=4))
    _try(bytes(raw))


_keys = st.sampled_from(
    ["node", "sip", "listen", "agents", "backend", "name", "rtp_ports", "a", "[key]", "url"]
)
_leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("bot")
_trees = st.recursive(
    _leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=4)
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(list(GatewayConfig.model_fields)), _trees))
def test_any_tree_of_values_raises_nothing_but_config_errors(tree: dict[str, object]) -> None:
    document = parse_document(b"", "gw.yaml")
    document.data = tree
    _try(document)
