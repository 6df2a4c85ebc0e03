"""`gateway demo`: one call from a softphone to the embedded bot, shown and measured; then stay up."""

import asyncio
import json
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from gateway.cli.options import ConfigOption
from gateway.errors import LocalError

if TYPE_CHECKING:
    from gateway.cli.demo_children import GatewayChild
    from gateway.cli.demo_output import DemoOutput
    from gateway.config.models import HttpListen
    from gateway.core.record import CallRecord
    from gateway.softphone.measure import Figures

_SCRIPT: Final = """\
hear 10
interrupt interrupt.wav 1500
silence 5
hear 10
silence 20
say ask_billing.wav
hear 10
silence 20
say yes_please.wav
hear 10
silence 20
say goodbye.wav
hear 10
silence 20
pause 3
hangup
"""
"""The greeting, an interruption, a request, its confirmation and a goodbye."""

_CALLER: Final = "demo-phone"

_CONFIG: Final = """\
node: {{name: demo, run_dir: run/, drain_timeout_s: 3}}
sip: {{listen: ["udp://0.0.0.0:{port}", "tcp://0.0.0.0:{port}"]}}
http: {{listen: 127.0.0.1:{http_port}}}
webrtc:
  listen: 0.0.0.0:{webrtc_port}
  advertise: ["{lan_address}:{webrtc_port}"]
  max_peers: 10
log: {{format: json}}
"""

_DIALPLANS: Final = Path(__file__).parents[2] / "dialplans"
"""The project's own, of which the demo uses the first; an installed package has none and needs none."""

_USUAL_WEBRTC_PORT: Final = 3478
_PAGE: Final = "/phone"

_RECORD_WITHIN_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the demo's gateway lives."""

    config_file: Path
    run_dir: Path
    sip_port: int
    sip_address: str
    """Where the softphone reaches it."""
    phone_page: str
    """Address of the page that calls from a browser; empty without WebRTC."""


def demo(
    once: Annotated[bool, typer.Option("--once", help="End after the call.")] = False,
    port: Annotated[int, typer.Option(min=1, max=65535, help="SIP port, UDP and TCP.")] = 5060,
    http_port: Annotated[int, typer.Option(min=1, max=65535, help="HTTP port on 127.0.0.1.")] = 8080,
    webrtc_port: Annotated[
        int | None,
        typer.Option(
            min=1, max=65535, help="Port of browsers' audio; default 3478, or any if that is taken."
        ),
    ] = None,
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Start the gateway, let a softphone call it, and show what was said and measured.

    The softphone listens to the greeting of the embedded bot, interrupts it, asks for billing and
    says goodbye. Then the gateway stays up for your own calls until Ctrl-C: from softphones, and
    from a page in a browser on this machine. With --config the gateway runs with that file instead
    of the demo's own (its ports, its agents).

    \b
    gateway demo                         SIP on port 5060 of all interfaces
    gateway demo --once                  end after the call
    gateway demo --port 5070 --http-port 8081

    Exit status with --once: 0 if the conversation worked (the greeting was heard, the interruption
    stopped the bot, the request was understood and answered), else 1. Without: 0 after Ctrl-C, 1 if
    the gateway could not start or ended by itself.
    """
    from gateway.cli.demo_output import DemoOutput

    with _place(config, port, http_port, webrtc_port) as place:
        worked = asyncio.run(_run(place, DemoOutput(as_json=as_json), once=once))
    raise typer.Exit(0 if worked else 1)


@contextmanager
def _place(config: Path | None, port: int, http_port: int, webrtc_port: int | None) -> Iterator[_Place]:
    if config is not None:
        from gateway.config.loader import load_config

        settings = load_config(config)
        listen = next((a for a in settings.sip.listen if a.transport == "udp"), None)
        if listen is None:
            raise LocalError(f"{config}: the demo's softphone needs a udp:// address in sip.listen")
        address = "127.0.0.1" if listen.address == "0.0.0.0" else listen.address
        page = _page(settings.http.listen) if settings.webrtc else ""
        yield _Place(config.resolve(), settings.node.run_dir, listen.port, address, page)
        return
    _require_free(socket.SOCK_DGRAM, "0.0.0.0", port, "--port")
    _require_free(socket.SOCK_STREAM, "0.0.0.0", port, "--port")
    _require_free(socket.SOCK_STREAM, "127.0.0.1", http_port, "--http-port")
    webrtc_port = _webrtc_port(webrtc_port)
    directory = Path(tempfile.mkdtemp(prefix="gateway-demo-"))
    try:
        file = directory / "gateway.yaml"
        text = _CONFIG.format(
            port=port, http_port=http_port, webrtc_port=webrtc_port, lan_address=_lan_address()
        )
        if (_DIALPLANS / "demo.yaml").is_file():
            text += f"dialplans: {json.dumps(str(_DIALPLANS))}\n"
        file.write_text(text)
        yield _Place(file, directory / "run", port, "127.0.0.1", f"http://127.0.0.1:{http_port}{_PAGE}")
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _page(listen: "HttpListen") -> str:
    """Where the phone page is. A browser gives the microphone to pages of its own machine, or by HTTPS."""
    address = "127.0.0.1" if listen.address in ("0.0.0.0", "::") else listen.address
    return f"http://{address}:{listen.port}{_PAGE}"


def _webrtc_port(wanted: int | None) -> int:
    """A port for browsers' audio, UDP and TCP. Raises `LocalError` if a certain one is wanted but taken."""
    if wanted is not None:
        _require_free(socket.SOCK_DGRAM, "0.0.0.0", wanted, "--webrtc-port")
        _require_free(socket.SOCK_STREAM, "0.0.0.0", wanted, "--webrtc-port")
        return wanted
    for port in (_USUAL_WEBRTC_PORT, *[0] * 10):
        with (
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        ):
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                tcp.bind(("0.0.0.0", port))
                udp.bind(tcp.getsockname())
                return int(tcp.getsockname()[1])
    raise LocalError("no port is free for browsers' audio; choose one with --webrtc-port")


def _require_free(kind: socket.SocketKind, address: str, port: int, option: str) -> None:
    with socket.socket(socket.AF_INET, kind) as probe:
        if kind is socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as exc:
            name = "UDP" if kind is socket.SOCK_DGRAM else "TCP"
            why = (exc.strerror or str(exc)).lower()
            raise LocalError(f"{name} port {port}: {why}; choose another with {option}") from exc


async def _run(place: _Place, output: "DemoOutput", *, once: bool) -> bool:
    """The demo from start to end; Ctrl-C and SIGTERM end it early. True if the conversation worked."""
    loop = asyncio.get_running_loop()
    work = asyncio.create_task(_show(place, output, once=once), name="demo")
    asked_to_stop = False

    def stop() -> None:
        nonlocal asked_to_stop
        if not asked_to_stop:
            asked_to_stop = True
            work.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        return await work
    except asyncio.CancelledError:
        if not asked_to_stop:
            raise
        output.step("stopped")
        return not once


async def _show(place: _Place, output: "DemoOutput", *, once: bool) -> bool:
    from gateway.cli.demo_children import GatewayChild
    from gateway.cli.demo_output import LOG_NAME
    from gateway.cli.demo_verdict import measured, missing

    place.run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    output.step("starting the gateway")
    async with GatewayChild.started(place.config_file, place.run_dir / LOG_NAME) as gateway:
        output.step("the softphone calls")
        began_at = datetime.now(UTC)
        figures, problem = await _call(place, output)
        record = await _record(place.run_dir, began_at) if figures.setup_ms is not None else None
        problems = missing(figures, problem, record)
        output.result(problems, measured(figures, record), record)
        if problems:
            for line in gateway.complaints():
                output.step(f"gateway: {line}")
        if not once:
            if place.phone_page:
                output.how_to_call_from_a_browser(place.phone_page)
            output.how_to_dial_in(f"sip:demo@{_lan_address()}:{place.sip_port}", record, place.run_dir)
            await _stay(gateway)
        return not problems


async def _call(place: _Place, output: "DemoOutput") -> "tuple[Figures, str]":
    """Let the softphone follow the script; what it measured and what went wrong."""
    import msgspec

    from gateway.cli.demo_children import softphone
    from gateway.softphone.measure import Figures

    figures, problem = Figures(), "the softphone did not finish"
    uri = f"sip:demo@{place.sip_address}:{place.sip_port}"
    async with softphone(uri, _SCRIPT, caller=_CALLER) as entries:
        async for entry in entries:
            output.phone_event(entry)
            if entry.get("event") == "summary":
                known = {name: entry[name] for name in ("setup_ms", "first_utterance_ms", "turns")}
                figures, problem = msgspec.convert(known, Figures), str(entry["problem"])
            elif entry.get("text"):
                problem = str(entry["text"])
    return figures, problem


async def _record(run_dir: Path, since: datetime) -> "CallRecord | None":
    """The record of our call, which has just ended; the gateway writes it within moments."""
    from tenacity import AsyncRetrying, retry_if_result, stop_after_delay, wait_fixed

    from gateway.store.calls import DATABASE_NAME, CallStore

    async def newest() -> "CallRecord | None":
        async with await CallStore.open(run_dir / DATABASE_NAME, create=False) as store:
            found = [call for call in await store.list_calls(since=since) if call.from_number == _CALLER]
            return await store.get(found[0].id) if found else None

    retrying = AsyncRetrying(
        stop=stop_after_delay(_RECORD_WITHIN_S),
        wait=wait_fixed(0.1),
        retry=retry_if_result(lambda record: record is None),
        retry_error_callback=lambda _state: None,
    )
    record: CallRecord | None = await retrying(newest)
    return record


async def _stay(gateway: "GatewayChild") -> None:
    """Until Ctrl-C, unless the gateway ends before."""
    status = await gateway.ended()
    raise LocalError(
        f"the gateway ended by itself with status {status}: {(gateway.complaints() or ['?'])[-1]}"
    )


def _lan_address() -> str:
    """Our address on the network with the default route; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"
