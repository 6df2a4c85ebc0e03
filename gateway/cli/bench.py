"""`gateway bench`: load a gateway with real SIP and RTP and measure what callers notice."""

import contextlib
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import RenderableType

    from gateway.bench.callers import Aim
    from gateway.bench.calls import OnProgress
    from gateway.bench.measure import Limit
    from gateway.bench.own_gateway import BackendBehaviour
    from gateway.bench.result import CallsResult, ChurnResult

EXIT_FAILED = 1
SPARE_CALLS = 8
"""Room of the bench's own gateway beyond the calls placed: a slot is free again a moment after its BYE."""

_LOG_TAIL_CHARS = 4000
_READY_S = 30.0

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    help="Load a gateway with real SIP and RTP calls and measure what callers notice.",
)

TargetOption = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT",
        help="SIP over UDP target. Default: a gateway of its own with an echoing backend.",
    ),
]
ToOption = Annotated[str, typer.Option(metavar="NUMBER", help="Number to dial.")]
HostOption = Annotated[str, typer.Option(metavar="ADDRESS", help="Our own address, as the target sees it.")]
TreeOption = Annotated[
    int | None,
    typer.Option(metavar="PID", help="With --target: process whose whole tree is accounted."),
]
JsonOption = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", dir_okay=False, help="Write the figures as JSON.")
]
MaxOption = Annotated[
    float | None, typer.Option(min=0, metavar="NUMBER", help="Limit: exit status 1 if it is exceeded.")
]


@app.command("calls")
def calls_command(
    calls: Annotated[int, typer.Option(min=1, max=2000, help="Calls at once.")] = 20,
    rate: Annotated[float, typer.Option(min=0.1, max=200, help="New calls a second.")] = 5.0,
    seconds: Annotated[float, typer.Option(min=2, help="How long all calls are measured.")] = 20.0,
    target: TargetOption = None,
    to: ToOption = "1000",
    host: HostOption = "127.0.0.1",
    tree: TreeOption = None,
    json_file: JsonOption = None,
    max_setup_p95_ms: MaxOption = None,
    max_first_rtp_p95_ms: MaxOption = None,
    max_click_p50_ms: MaxOption = None,
    max_click_p99_ms: MaxOption = None,
    max_gap_p99_ms: MaxOption = None,
    max_lost_percent: MaxOption = None,
    max_cpu_per_call: MaxOption = None,
    max_pss_mib: MaxOption = None,
) -> None:
    """Hold N calls at once; measure set-up, audio round trip, gaps, loss, CPU and memory.

    Every call is a plain G.711 µ-law phone that sends one click a second; the backend echoes it.

    \b
    gateway bench calls --calls 100
    gateway bench calls --calls 100 --max-cpu-per-call 0.8 --max-click-p50-ms 60 --json bench.json
    gateway bench calls --target 192.0.2.10:5060 --to +4930123456 --calls 20

    Exit status: 0 all calls fine and all limits kept, 1 otherwise, 2 wrong usage.
    """
    from gateway.bench.calls import CallsPlan, run_calls
    from gateway.bench.measure import limits
    from gateway.bench.own_gateway import BackendBehaviour
    from gateway.bench.report import calls_report

    with _measured(target, tree, host, to, calls, BackendBehaviour()) as (aim, on_progress):
        result = run_calls(CallsPlan(calls, rate, seconds, aim), on_progress)
    total = result.total
    asked = limits(
        (
            ("set-up p95, ms", max_setup_p95_ms, result.setup.p95_ms),
            ("answer to first RTP p95, ms", max_first_rtp_p95_ms, result.first_rtp.p95_ms),
            ("click round trip p50, ms", max_click_p50_ms, result.click_round_trip.p50_ms),
            ("click round trip p99, ms", max_click_p99_ms, result.click_round_trip.p99_ms),
            ("gap between packets p99, ms", max_gap_p99_ms, result.packet_gap.p99_ms),
            ("packets lost, percent", max_lost_percent, result.lost_percent),
            (
                "CPU per call, percent of a core",
                max_cpu_per_call,
                total.cpu_percent_per_call if total else None,
            ),
            ("PSS of all processes, MiB", max_pss_mib, total.pss_mib if total else None),
        )
    )
    _finish(result, calls_report(result, asked), asked, json_file)


@app.command("churn")
def churn_command(
    calls: Annotated[int, typer.Option(min=1, help="Calls in all.")] = 1000,
    concurrent: Annotated[int, typer.Option(min=1, max=500, help="Calls at a time.")] = 20,
    talk_seconds: Annotated[float, typer.Option(min=0.1, help="Length of a call.")] = 1.0,
    target: TargetOption = None,
    to: ToOption = "1000",
    host: HostOption = "127.0.0.1",
    tree: TreeOption = None,
    json_file: JsonOption = None,
    max_growth_mib: Annotated[float, typer.Option(help="PSS the tree may gain.")] = 10.0,
    max_growth_fds: Annotated[int, typer.Option(help="Descriptors the tree may gain.")] = 10,
    max_growth_processes: Annotated[int, typer.Option(help="Processes the tree may gain.")] = 1,
    max_setup_p95_ms: MaxOption = None,
) -> None:
    """Place many short calls; check that memory, descriptors and processes do not grow.

    With its own gateway half of the calls are ended by the far end. What the tree of processes holds is
    compared between the end of a warm-up and the end of the run.

    \b
    gateway bench churn --calls 1000
    gateway bench churn --target 127.0.0.1:5060 --tree $(cat run/gateway.pid) --calls 200

    Exit status: 0 all calls fine and nothing grew beyond its limit, 1 otherwise, 2 wrong usage.
    """
    from gateway.bench.churn import ChurnPlan, Tolerance, run_churn
    from gateway.bench.measure import limits
    from gateway.bench.own_gateway import BackendBehaviour
    from gateway.bench.report import churn_report

    tolerance = Tolerance(round(max_growth_mib * 1024), max_growth_fds, max_growth_processes)
    behaviour = BackendBehaviour(hangup_every=2, hangup_after_ms=round(talk_seconds * 1000))
    with _measured(target, tree, host, to, concurrent, behaviour) as (aim, on_progress):
        plan = ChurnPlan(calls, concurrent, talk_seconds, target is None, tolerance, aim)
        result = run_churn(plan, on_progress)
    asked = limits((("set-up p95, ms", max_setup_p95_ms, result.setup.p95_ms),))
    if result.growth:
        gained = result.growth[-1].gained
        asked += limits(
            (
                ("growth of PSS, MiB", max_growth_mib, round(gained.pss_kib / 1024, 1)),
                ("growth in descriptors", max_growth_fds, gained.fds),
                ("growth in processes", max_growth_processes, gained.processes),
            )
        )
    _finish(result, churn_report(result, asked), asked, json_file)


@contextlib.contextmanager
def _measured(
    target: str | None, tree: int | None, host: str, to: str, calls: int, behaviour: "BackendBehaviour"
) -> "Iterator[tuple[Aim, OnProgress]]":
    """What is measured (the bench's own gateway without a target), and a progress bar."""
    from gateway.bench.callers import Aim
    from gateway.bench.own_gateway import own_gateway
    from gateway.errors import GatewayError

    if target is not None:
        with _progress_bar() as on_progress:
            yield Aim(_parse_target(target), host, to, tree, ready_limit_s=0), on_progress
        return
    if tree is not None:
        raise typer.BadParameter("goes with --target only", param_hint="--tree")
    with own_gateway(calls + SPARE_CALLS, behaviour) as running, _progress_bar() as on_progress:
        try:
            yield Aim(running.target, host, to, running.pid, _READY_S, running.alive), on_progress
        except GatewayError:
            typer.echo(running.log.read_text(errors="replace")[-_LOG_TAIL_CHARS:], err=True)
            raise


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


def _parse_target(text: str) -> tuple[str, int]:
    """HOST:PORT with the host resolved to an IPv4 address."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise typer.BadParameter(f"expected HOST:PORT, not {text!r}", param_hint="--target")
    try:
        return socket.gethostbyname(host), int(port)
    except OSError as exc:
        raise typer.BadParameter(f"{host} does not resolve: {exc}", param_hint="--target") from exc


def _finish(
    result: "CallsResult | ChurnResult",
    report: "RenderableType",
    asked: "Sequence[Limit]",
    json_file: Path | None,
) -> None:
    """Print the tables, write the JSON, and turn a failed call or a missed limit into the exit status."""
    from rich.console import Console

    from gateway.bench.result import write_json
    from gateway.errors import LocalError

    Console().print(report)
    if json_file is not None:
        try:
            write_json(result, json_file)
        except OSError as exc:
            raise LocalError(f"cannot write {json_file}: {exc.strerror}") from exc
    if result.failures or not all(limit.kept for limit in asked):
        raise typer.Exit(EXIT_FAILED)
