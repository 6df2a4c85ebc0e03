"""`gateway rehearse`: synthetic callers talk to an agent, and what they notice is judged."""

import asyncio
import contextlib
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.errors import LocalError

if TYPE_CHECKING:
    from gateway.bench.callers import Aim
    from gateway.rehearse.clips import Speech
    from gateway.rehearse.own_agent import OwnAgent
    from gateway.rehearse.result import Result
    from gateway.rehearse.run import OnProgress, Plan, Recorded
    from gateway.rehearse.summary import Setting
    from gateway.rehearse.thresholds import Check

EXIT_FAILED = 1

_READY_S = 30.0
_SIP_PORT = 5060
_LOG_TAIL_CHARS = 4000

Text = str | None


@dataclass(frozen=True, slots=True)
class _Options:
    """What was asked for."""

    calls: int
    at_once: int
    rate: float
    target: str | None
    host: str
    script: str
    seed: int
    network: tuple[str, ...]
    """Options of `gateway impair`; empty: none."""
    one_way_ms: float
    """The delay in them."""


def rehearse(
    calls: Annotated[int, typer.Option(min=1, max=500, help="Calls in all.")] = 5,
    at_once: Annotated[int, typer.Option(min=1, max=100, help="Calls at a time.")] = 20,
    rate: Annotated[float, typer.Option(min=0.1, max=50, help="New calls a second.")] = 2.0,
    target: Annotated[
        Text,
        typer.Option(metavar="SIP-URI", help="sip:user@host:port. Default: a gateway with the embedded bot."),
    ] = None,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Our own address, as the target sees it.")
    ] = "127.0.0.1",
    script: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="everyday, brief, interruptions, noisy-interruptions, distractions, or all in turn.",
        ),
    ] = "everyday",
    loss: Annotated[Text, typer.Option(metavar="SHARE", help="Packets lost both ways, as 5%.")] = None,
    burst: Annotated[
        Text, typer.Option(metavar="PACKETS", help="Losses come in spells of this length.")
    ] = None,
    jitter: Annotated[Text, typer.Option(metavar="TIME", help="Further delay, from 0 to this.")] = None,
    delay: Annotated[Text, typer.Option(metavar="TIME", help="Delay of every packet, one way.")] = None,
    seed: Annotated[int, typer.Option(help="Of voices, sounds, times, and lost packets.")] = 1,
    thresholds: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Limits to judge by (YAML).",
            show_default=False,
        ),
    ] = None,
    all_tried: Annotated[
        bool, typer.Option("--all-tried", help="A limit for which no case came up is missed.")
    ] = False,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Takes report.html and report.json.")] = Path(
        "rehearsal"
    ),
) -> None:
    """Let synthetic callers talk to a voice agent, measure what they hear, and judge it.

    Every call speaks, interrupts, nods, makes noise, presses keys and is silent, as its script says.
    All is measured from the phones' audio, so that any SIP target can be rehearsed. G.711 µ-law over UDP.

    \b
    gateway rehearse --calls 20
    gateway rehearse --target sip:+4930123456@192.0.2.10 --host 192.0.2.77 --calls 10
    gateway rehearse --loss 5% --jitter 40ms --delay 80ms --seed 7
    gateway rehearse --thresholds mine.yaml --out monday

    Exit status: 0 all thresholds kept, 1 otherwise, 2 wrong usage, 130 after Ctrl-C.
    """
    from gateway.rehearse.scripts import SCRIPTS
    from gateway.rehearse.thresholds import DEFAULT, checks, load_thresholds

    if script not in (*SCRIPTS, "all"):
        raise typer.BadParameter(f"expected one of {', '.join(SCRIPTS)}, all", param_hint="--script")
    judge = partial(checks, thresholds=load_thresholds(thresholds or DEFAULT), all_must_be_tried=all_tried)
    impairments = {"loss": loss, "burst": burst, "jitter": jitter, "delay": delay}
    network, one_way_ms = _network(impairments, seed)
    _writable(out)
    options = _Options(calls, at_once, rate, target, host, script, seed, network, one_way_ms)
    signal.signal(signal.SIGTERM, _terminated)
    _judge(options, judge, out)


def _judge(options: _Options, judge: "Callable[[Result], list[Check]]", out: Path) -> None:
    """Run, print, write, and turn a missed threshold into the exit status."""
    from rich.console import Console

    from gateway.rehearse.figures import figures_of
    from gateway.rehearse.page import write_page
    from gateway.rehearse.summary import summarise
    from gateway.rehearse.table import report
    from gateway.rehearse.thresholds import passed
    from gateway.rehearse.written import write_json

    recorded, setting, sessions = _run(options)
    figures = [figures_of(trace, options.one_way_ms) for trace in recorded.traces]
    result = summarise(figures, setting, sessions)
    verdicts = judge(result)
    Console().print(report(result, verdicts))
    try:
        write_json(result, verdicts, out / "report.json")
        write_page(result, verdicts, figures, out / "report.html")
    except OSError as exc:
        raise LocalError(f"cannot write to {out}: {exc.strerror}") from exc
    typer.echo(f"{out / 'report.html'}, {out / 'report.json'}")
    if not passed(verdicts):
        raise typer.Exit(EXIT_FAILED)


def _run(options: _Options) -> "tuple[Recorded, Setting, list[Any]]":
    from gateway.bench.summary import this_machine
    from gateway.rehearse.clips import synthesise
    from gateway.rehearse.summary import Setting

    begin_s = time.monotonic()
    with _progress_bar() as on_progress, tempfile.TemporaryDirectory(prefix="gwreh") as directory:
        on_progress("voices", 0.0)
        speech = asyncio.run(synthesise())
        on_progress("starting", 0.0)
        with _target(options, Path(directory)) as (aim, own), _bad_network(options, aim) as (aim, tick):

            def progress(doing: str, share: float) -> None:
                tick()
                on_progress(doing, share)

            recorded = _recorded(_plan(options, aim, speech), progress, own)
        sessions = own.notes() if own is not None else []
    setting = Setting(
        this_machine(),
        options.target or "own gateway with the embedded bot",
        " ".join(options.network).replace("--", "") or "clean network",
        options.script,
        options.seed,
        speech.voices,
        time.monotonic() - begin_s,
        recorded.instrument,
    )
    return recorded, setting, sessions


def _recorded(plan: "Plan", on_progress: "OnProgress", own: "OwnAgent | None") -> "Recorded":
    from gateway.errors import GatewayError
    from gateway.rehearse.run import run_calls

    try:
        return run_calls(plan, on_progress)
    except GatewayError:
        if own is not None:
            typer.echo(own.gateway.log.read_text(errors="replace")[-_LOG_TAIL_CHARS:], err=True)
        raise


def _plan(options: _Options, aim: "Aim", speech: "Speech") -> "Plan":
    from gateway.rehearse.clips import Wardrobe
    from gateway.rehearse.run import Plan
    from gateway.rehearse.scripts import SCRIPTS

    makers = list(SCRIPTS.values()) if options.script == "all" else [SCRIPTS[options.script]]
    scripts = tuple(
        makers[number % len(makers)](Wardrobe(speech, options.seed, number))
        for number in range(options.calls)
    )
    return Plan(scripts, options.rate, aim, options.at_once)


@contextlib.contextmanager
def _target(options: _Options, directory: Path) -> "Iterator[tuple[Aim, OwnAgent | None]]":
    """Whom to call; without a target a gateway of our own, which is ended afterwards."""
    from gateway.bench.callers import Aim
    from gateway.rehearse.own_agent import own_agent

    if options.target is not None:
        user, address = _parse_target(options.target)
        yield Aim(address, options.host, user, None, ready_limit_s=0, seed=options.seed), None
        return
    with own_agent(min(options.calls, options.at_once), directory) as own:
        running = own.gateway
        yield (
            Aim(running.target, "127.0.0.1", "1000", running.pid, _READY_S, running.alive, options.seed),
            own,
        )


@contextlib.contextmanager
def _bad_network(options: _Options, aim: "Aim") -> "Iterator[tuple[Aim, Any]]":
    """The target behind the network that was asked for, and what has to be called now and then."""
    from dataclasses import replace

    from gateway.rehearse.network import bad_network

    if not options.network:
        yield aim, lambda: None
        return
    with bad_network(aim.target, aim.host, options.network) as network:
        yield replace(aim, target=network.address), network.drain


def _network(given: dict[str, str | None], seed: int) -> tuple[tuple[str, ...], float]:
    """Options for the impairer, checked, and the one-way delay in them."""
    from gateway.impair.impairment import Impairment, ImpairmentError
    from gateway.impair.quantities import parse_impairment

    found, checked = [], Impairment()
    for name, text in given.items():
        if text is not None:
            try:
                checked = parse_impairment(f"{name}={text}", checked)
            except ImpairmentError as exc:
                raise typer.BadParameter(str(exc), param_hint=f"--{name}") from exc
            found += [f"--{name}", text]
    return (*found, "--seed", str(seed)) if found else (), checked.delay_ms


def _parse_target(text: str) -> tuple[str, tuple[str, int]]:
    """User and address of sip:user@host:port; the scheme, the user and the port may be missing."""
    user, at, place = text.removeprefix("sip:").partition(";")[0].rpartition("@")
    host, _, port = place.partition(":")
    if not host or (port and (not port.isdecimal() or not 0 < int(port) < 65536)) or (at and not user):
        raise typer.BadParameter(f"expected sip:user@host:port, not {text!r}", param_hint="--target")
    try:
        return user or "1000", (socket.gethostbyname(host), int(port or _SIP_PORT))
    except OSError as exc:
        raise typer.BadParameter(f"{host} does not resolve: {exc}", param_hint="--target") from exc


def _writable(out: Path) -> None:
    """Fail before the calls, not after them."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise typer.BadParameter(f"{out}: {exc.strerror}", param_hint="--out") from exc


def _terminated(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


@contextlib.contextmanager
def _progress_bar() -> "Iterator[OnProgress]":
    """A bar on standard error, redrawn only when told: a drawing thread would disturb the callers."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:<14}"), BarColumn(), TimeElapsedColumn())
    bar = Progress(*columns, console=Console(stderr=True), auto_refresh=False, transient=True)
    with bar:
        task = bar.add_task("starting", total=1.0)

        def on_progress(doing: str, share: float) -> None:
            bar.update(task, description=doing, completed=share, refresh=True)

        yield on_progress
