"""`gateway dialplan`: find mistakes in dialplans, see what they do, and put them into force."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from gateway.cli.duration import parse_duration
from gateway.cli.options import ConfigOption, JsonOption, RunDirOption
from gateway.errors import LocalError

if TYPE_CHECKING:
    from gateway.config.models import GatewayConfig
    from gateway.core.record import CallRecord
    from gateway.dialplan.dialplan import Dialplan

_MAX_REPLAYED: Final = 1_000_000

app = typer.Typer(rich_markup_mode=None, add_completion=False, no_args_is_help=True)

DirectoryArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="[DIR]",
        help="Directory of dialplan files; default: `dialplans` of the configuration, else ./dialplans.",
        show_default=False,
    ),
]


@app.callback()
def dialplan() -> None:
    """Check, explain, replay and reload dialplans.

    \b
    gateway dialplan check --config gateway.yaml
    gateway dialplan explain --to +4930555010 --at "2026-12-24 11:00"
    gateway dialplan replay --since 7d new-dialplans/ --config gateway.yaml
    gateway dialplan reload --canary 10% --config gateway.yaml
    """


@app.command()
def check(directory: DirectoryArgument = None, config: ConfigOption = None) -> None:
    """Check dialplans and run their cases; print every mistake with file, line and column.

    Without --config the names of agents, trunks and people are not checked.

    \b
    $ gateway dialplan check
    dialplans/main.yaml:12:20: routes[0].do[1].play: found "welcom", expected a prompt (welcome); did you …

    Exit status: 0 if all is well, 1 if something is wrong with the dialplans, 2 with the configuration.
    """
    from gateway.config.problems import ConfigError

    directory, loaded = _place(directory, config)
    try:
        plan = _load(directory, loaded)
    except ConfigError as exc:
        typer.echo(str(exc), err=True)
        raise typer.Exit(1) from exc
    note = "" if loaded is not None else "; agents, trunks and people not checked: no --config"
    counts = f"routes: {len(plan.routes)}; flows: {len(plan.flows)}; cases: {plan.cases}"
    typer.echo(f"{directory}: ok ({counts}; {plan.digest[:12]}{note})")


@app.command()
def schema() -> None:
    """Print the JSON Schema of dialplan files, for editors that complete and mark mistakes.

    \b
    gateway dialplan schema > dialplans/dialplan.schema.json
    """
    from gateway.dialplan.schema import json_schema

    typer.echo(json.dumps(json_schema(), indent=2))


@app.command()
def explain(
    to: Annotated[str, typer.Option("--to", metavar="NUMBER", help="The dialled number.")],
    directory: DirectoryArgument = None,
    from_: Annotated[str, typer.Option("--from", metavar="NUMBER", help="The caller's number.")] = "",
    at: Annotated[
        str,
        typer.Option("--at", metavar="TIME", help='Local time, "2026-12-24 11:00"; default: now.'),
    ] = "",
    trunk: Annotated[
        str | None, typer.Option("--trunk", metavar="NAME", help="Trunk that the call comes by.")
    ] = None,
    header: Annotated[
        list[str] | None, typer.Option("--header", metavar="K=V", help="Header of the request; repeatable.")
    ] = None,
    kind: Annotated[
        Literal["sip", "webrtc", "outbound"] | None, typer.Option("--kind", help="What kind of call.")
    ] = None,
    var: Annotated[
        list[str] | None, typer.Option("--var", metavar="K=V", help="Variable of the call; repeatable.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Say which route takes a call, why each earlier one does not, and which steps would run.

    Conditions on the trunk, the kind and headers that are not given here count as met, as in cases.

    \b
    gateway dialplan explain --to +49305550107 --from +491701234567 --at "2026-12-24 11:00"

    Exit status: 0 if a route takes the call, 1 if none does.
    """
    from gateway.dialplan.checks.cases import make_call, parse_time
    from gateway.dialplan.explain import explain as explained

    plan = _load(*_place(directory, config))
    moment = parse_time(at, plan.settings.zone) if at else datetime.now(UTC)
    if moment is None:
        raise typer.BadParameter(f'{at!r} is no time such as "2026-12-24 11:00"', param_hint="--at")
    call = make_call(
        to=to,
        from_=from_,
        trunk=trunk,
        headers=_pairs(header, "--header") if header else None,
        kind=kind,
        variables=_pairs(var or [], "--var"),
    )
    decision = plan.decide(call.facts, moment, call.assumed)
    typer.echo("\n".join(explained(decision)))
    if not decision.taken:
        raise typer.Exit(1)


@app.command()
def replay(
    directory: DirectoryArgument = None,
    since: Annotated[
        timedelta,
        typer.Option(
            "--since",
            metavar="TIME",
            parser=parse_duration,
            help="Calls that began at most this long ago: 90s, 15m, 2h, 7d.",
        ),
    ] = "7d",  # type: ignore[assignment]
    config: ConfigOption = None,
    run_dir: RunDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send the recorded calls through a plan: how many would take another route than they did.

    Records hold the trunk and the headers that the plan of their time had conditions on. Conditions on
    other headers count as met; the output says how often. It holds phone numbers.

    \b
    gateway dialplan replay --since 7d new-dialplans/ --config gateway.yaml
    """
    import asyncio

    from gateway.cli.dialplan_output import print_replay, replay_as_data
    from gateway.config.loader import load_run_dir
    from gateway.dialplan.replay import replay as replayed
    from gateway.store.calls import DATABASE_NAME

    if run_dir is None:
        run_dir = load_run_dir(config) if config is not None else Path("run")
    plan = _load(*_place(directory, config))
    records = asyncio.run(_records(run_dir / DATABASE_NAME, datetime.now(UTC) - since))
    outcome = replayed(plan, records)
    if as_json:
        typer.echo(json.dumps(replay_as_data(outcome), indent=2))
    else:
        print_replay(outcome, plan.settings.zone)


KeyOption = Annotated[
    str,
    typer.Option(
        "--key",
        envvar="GATEWAY_API_KEY",
        help="Key with the role admin, where the API wants one.",
        metavar="KEY",
    ),
]


@app.command()
def reload(
    canary: Annotated[
        str,
        typer.Option("--canary", metavar="PERCENT", help="Only for this share of the callers, such as 10%."),
    ] = "",
    config: ConfigOption = None,
    key: KeyOption = "",
) -> None:
    """Let the running gateway read its dialplans again; calls in progress keep their plan.

    Files with mistakes change nothing. With --canary a share of the callers gets the new plan, always
    the same ones, until `promote` or `rollback`; it needs `dialplans_reload: on_command` in the
    configuration, because a changed file is otherwise in force for all at once.

    \b
    gateway dialplan reload --config gateway.yaml
    gateway dialplan reload --canary 10% --config gateway.yaml

    Exit status: 0; 1 if the gateway refused, and says why.
    """
    body = {"canary_percent": _percent(canary)} if canary else {}
    _ask_gateway("POST", "/reload", config, key, body)


@app.command()
def promote(config: ConfigOption = None, key: KeyOption = "") -> None:
    """Make the canary the plan of all callers."""
    _ask_gateway("POST", "/promote", config, key, {})


@app.command()
def rollback(config: ConfigOption = None, key: KeyOption = "") -> None:
    """Drop the canary or, without one, bring back the plan before the current one."""
    _ask_gateway("POST", "/rollback", config, key, {})


@app.command()
def history(config: ConfigOption = None, key: KeyOption = "", as_json: JsonOption = False) -> None:
    """Show which plan is in force, and the plans before it: when, by whom, how."""
    _ask_gateway("GET", "", config, key, None, as_json=as_json)


def _ask_gateway(
    method: str,
    path: str,
    config: Path | None,
    key: str,
    body: dict[str, float] | None,
    *,
    as_json: bool = False,
) -> None:
    import asyncio

    from gateway.cli.dialplan_output import print_state
    from gateway.cli.running import ask
    from gateway.config.loader import default_config, load_config

    loaded = default_config(Path()) if config is None else load_config(config)
    answer = asyncio.run(ask(loaded.http.listen, method, f"/v1/dialplan{path}", key, body))
    if as_json:
        typer.echo(json.dumps(answer, indent=2))
    else:
        print_state(answer)


def _percent(text: str) -> float:
    try:
        percent = float(text.removesuffix("%"))
    except ValueError:
        percent = 0.0
    if not 0 < percent < 100:
        raise typer.BadParameter(f"{text!r} is no share such as 10%", param_hint="--canary")
    return percent


def _place(directory: Path | None, config: Path | None) -> "tuple[Path, GatewayConfig | None]":
    from gateway.config.loader import load_config

    loaded = None if config is None else load_config(config)
    if directory is None:
        directory = loaded.dialplans if loaded is not None else Path("dialplans")
    if directory is None:
        raise LocalError(f"{config} names no dialplans; say which directory")
    return directory, loaded


def _load(directory: Path, config: "GatewayConfig | None") -> "Dialplan":
    from gateway.dialplan.loader import load_dialplan
    from gateway.dialplan.surroundings import UNKNOWN, surroundings_of

    return load_dialplan(directory, UNKNOWN if config is None else surroundings_of(config))


def _pairs(texts: Sequence[str], option: str) -> dict[str, str]:
    pairs = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise typer.BadParameter(f"{text!r} is not NAME=VALUE", param_hint=option)
        pairs[name.strip()] = value.strip()
    return pairs


async def _records(database: Path, since: datetime) -> "Sequence[CallRecord]":
    from gateway.store.calls import CallStore

    async with await CallStore.open(database, create=False) as store:
        return await store.list_calls(limit=_MAX_REPLAYED, since=since)
