"""`gateway impair`: a bad network between a client and a server."""

import asyncio
import contextlib
import signal
import socket
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from gateway.cli.options import JsonOption

if TYPE_CHECKING:
    from gateway.impair.forwarder import Forwarder, Way
    from gateway.impair.impairment import Impairment
    from gateway.impair.model import LineCounters

EXIT_NOTHING_CAME = 1

_WAYS: Final[tuple["Way", "Way"]] = ("up", "down")

Text = str | None


def impair(
    to: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where packets go on to.")],
    listen: Annotated[
        str, typer.Option(metavar="ADDR:PORT", help="Where clients send to; port 0: any free one.")
    ] = "127.0.0.1:0",
    loss: Annotated[Text, typer.Option(metavar="SHARE", help="Packets lost, 5% or 0.05.")] = None,
    burst: Annotated[
        Text,
        typer.Option(metavar="PACKETS", help="Losses come in spells of this mean length (Gilbert-Elliott)."),
    ] = None,
    loss_in_burst: Annotated[
        Text, typer.Option(metavar="SHARE", help="Packets lost within a spell; --loss stays the average.")
    ] = None,
    delay: Annotated[Text, typer.Option(metavar="TIME", help="Delay of every packet, one way.")] = None,
    jitter: Annotated[
        Text, typer.Option(metavar="TIME", help="Further delay: for each packet anything from 0 to this.")
    ] = None,
    reorder: Annotated[
        bool, typer.Option("--reorder", help="Let jitter change the order of packets.")
    ] = False,
    rate: Annotated[
        Text, typer.Option(metavar="RATE", help="Limit per client, 64kbit, IP and UDP headers included.")
    ] = None,
    queue: Annotated[
        Text, typer.Option(metavar="TIME", help="How much may wait for --rate before it is lost (200ms).")
    ] = None,
    duplicate: Annotated[Text, typer.Option(metavar="SHARE", help="Packets that arrive twice.")] = None,
    stall: Annotated[
        Text, typer.Option(metavar="LEN@EVERY", help="Freeze, then deliver late: 2s@10s, 2 s of every 10 s.")
    ] = None,
    up: Annotated[
        Text,
        typer.Option(
            metavar="LIST", help="Only towards --to: these on top, as loss=10%,jitter=60ms,reorder."
        ),
    ] = None,
    down: Annotated[Text, typer.Option(metavar="LIST", help="Only back to the clients.")] = None,
    sip: Annotated[
        bool, typer.Option("--sip", help="SIP over UDP: leave signalling alone and impair the calls' RTP.")
    ] = False,
    seed: Annotated[int, typer.Option(help="The same seed loses the same packets again.")] = 1,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="End by itself.", show_default=False)] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only the figures at the end.")] = False,
    json_output: JsonOption = False,
) -> None:
    """Put a bad network between UDP clients and a server: loss, delay, jitter, little bandwidth.

    Clients send to --listen instead of --to; each client (with --sip each call) gets a path of
    its own. What no option is given for is left as it is. Prints a line for every second with
    traffic, and the totals after Ctrl-C, SIGTERM or --seconds.

    \b
    gateway impair --to 127.0.0.1:5004 --loss 5% --burst 3 --delay 80ms --jitter 40ms
    gateway impair --to 127.0.0.1:5004 --rate 64kbit --down loss=10%,reorder --seed 7
    gateway impair --listen 127.0.0.1:5070 --to 127.0.0.1:5060 --sip --loss 5%

    Exit status: 0 packets came, 1 none came or the port cannot be had, 2 wrong usage.
    """
    from gateway.impair.impairment import Impairment
    from gateway.impair.sip import SipImpairer
    from gateway.impair.udp import Impairer

    texts = {
        "loss": loss,
        "burst": burst,
        "loss-in-burst": loss_in_burst,
        "delay": delay,
        "jitter": jitter,
        "reorder": "yes" if reorder else None,
        "rate": rate,
        "queue": queue,
        "duplicate": duplicate,
        "stall": stall,
    }
    both = Impairment()
    for key, text in texts.items():
        if text is not None:
            both = _parsed(f"{key}={text}", both, f"--{key}")
    impairer = (SipImpairer if sip else Impairer)(
        _address(listen, "--listen", lowest_port=0),
        _address(to, "--to", lowest_port=1),
        up=_parsed(up or "", both, "--up"),
        down=_parsed(down or "", both, "--down"),
        seed=seed,
    )
    asyncio.run(_serve(impairer, seconds, quiet=quiet or json_output))
    _print_totals(impairer, json_output)
    if not impairer.counters("up").packets:
        raise typer.Exit(EXIT_NOTHING_CAME)


def _parsed(text: str, base: "Impairment", option: str) -> "Impairment":
    from gateway.impair.impairment import ImpairmentError
    from gateway.impair.quantities import parse_impairment

    try:
        return parse_impairment(text, base)
    except ImpairmentError as exc:
        raise typer.BadParameter(str(exc), param_hint=option) from exc


def _address(text: str, option: str, *, lowest_port: int) -> tuple[str, int]:
    """HOST:PORT with the host resolved to an IPv4 address."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not lowest_port <= int(port) < 65536:
        raise typer.BadParameter(f"expected HOST:PORT, not {text!r}", param_hint=option)
    try:
        return socket.gethostbyname(host), int(port)
    except OSError as exc:
        raise typer.BadParameter(f"{host} does not resolve: {exc}", param_hint=option) from exc


async def _serve(impairer: "Forwarder", seconds: float | None, *, quiet: bool) -> None:
    """Until the time is over or a signal asks to stop."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with impairer:
        if not quiet:
            host, port = impairer.address
            typer.echo(f"listening on {host}:{port}")
            for way in _WAYS:
                typer.echo(f"{way}: {impairer.impairment(way).describe()}")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await _tell_each_second(impairer, stop, quiet=quiet)


async def _tell_each_second(impairer: "Forwarder", stop: asyncio.Event, *, quiet: bool) -> None:
    before = {way: impairer.counters(way) for way in _WAYS}
    begin_s = asyncio.get_running_loop().time()
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await stop.wait()
        now = {way: impairer.counters(way) for way in _WAYS}
        if now != before and not quiet:
            elapsed_s = asyncio.get_running_loop().time() - begin_s
            parts = (f"{way} {_second(before[way], now[way])}" for way in _WAYS)
            typer.echo(f"{elapsed_s:6.0f} s   {'   '.join(parts)}")
        before = now


def _second(before: "LineCounters", now: "LineCounters") -> str:
    came, dropped = now.packets - before.packets, now.dropped - before.dropped
    kbit = (now.payload_bytes - before.payload_bytes) * 8 / 1000
    return f"{came:5d} packets {kbit:7.1f} kbit {dropped:4d} lost"


def _print_totals(impairer: "Forwarder", as_json: bool) -> None:
    totals: dict[str, Any] = {way: asdict(impairer.counters(way)) for way in _WAYS}
    totals |= {"paths": impairer.paths, "undelivered": impairer.undelivered}
    if as_json:
        import json

        typer.echo(json.dumps(totals))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE, caption=f"{impairer.paths} paths, {impairer.undelivered} not delivered")
    table.add_column("packets")
    for way in _WAYS:
        table.add_column(way, justify="right")
    for name in totals["up"]:
        if name != "payload_bytes":
            label = "came" if name == "packets" else name.replace("_", " ")
            table.add_row(label, *(str(totals[way][name]) for way in _WAYS))
    Console().print(table)
