"""`python -m gateway.softphone sip:demo@HOST:PORT --script FILE`: one scripted call, told as JSON lines."""

import argparse
import dataclasses
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Final, NoReturn

import msgspec

from gateway.cards.sip.contract import EndpointSettings, PjsipError
from gateway.core.audio import PcmFormat
from gateway.errors import LocalError
from gateway.observe.log import configure_logging
from gateway.observe.priority import be_realtime
from gateway.softphone import script
from gateway.softphone.conductor import Conductor
from gateway.softphone.measure import CallLog
from gateway.softphone.phone import CODECS, Outcome, Phone
from gateway.softphone.recording import RecordingError, read_wav

SPEECH_DIR: Final = Path(__file__).parent / "speech"
"""Recordings that come with the phone; a script names them without a path."""

_PCM: Final = PcmFormat(8000)


class JsonLines:
    """Writes one JSON object per event on standard output."""

    def __init__(self) -> None:
        self._start_s = time.monotonic()

    def __call__(self, event: str, fields: dict[str, object]) -> None:
        """One line; `at_ms` counts from the start of the phone."""
        at_ms = round((time.monotonic() - self._start_s) * 1000, 1)
        line = msgspec.json.encode({"event": event, "at_ms": at_ms, **fields})
        sys.stdout.buffer.write(line + b"\n")
        sys.stdout.buffer.flush()


class Feed:
    """Adds steps to a conductor, from a text at once or from standard input line by line."""

    def __init__(self, conductor: Conductor, recordings: dict[str, bytes]) -> None:
        self._conductor, self._recordings = conductor, recordings
        self._line, self._rest, self._open = 0, b"", True

    def add(self, line: str) -> None:
        """One line. Raises `ScriptError` or `RecordingError`."""
        self._line += 1
        step = script.parse_step(line, self._line)
        if step is None:
            return
        if isinstance(step, script.Say | script.Interrupt) and step.recording not in self._recordings:
            self._recordings[step.recording] = read_wav(_locate(step.recording), _PCM)
        self._conductor.add(step)

    def add_all(self, text: str) -> None:
        """A whole script."""
        for line in text.splitlines():
            self.add(line)
        self._conductor.close()

    def poll(self) -> None:
        """Take what has arrived on standard input; its end is the end of the script."""
        while self._open:
            try:
                data = os.read(sys.stdin.fileno(), 65536)
            except BlockingIOError:
                return
            *complete, self._rest = (self._rest + data).split(b"\n")
            if not data:
                complete.append(self._rest)
                self._open = False
            for line in complete:
                self.add(line.decode(errors="replace"))
            if not self._open:
                self._conductor.close()


def _locate(name: str) -> Path:
    path = Path(name)
    return path if path.parent != Path() or path.exists() else SPEECH_DIR / name


def _local_address(uri: str) -> str:
    """Our address on the network that leads to a SIP URI's host. Raises `LocalError`."""
    host, _, port = uri.rpartition("@")[2].partition(";")[0].removeprefix("sip:").partition(":")
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((host, int(port or 5060)))
            return str(probe.getsockname()[0])
    except (OSError, ValueError) as exc:
        raise LocalError(f"{uri}: {exc}") from exc


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m gateway.softphone",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Place one scripted SIP call and tell as JSON lines what happened and was measured.",
        epilog=f"{script.__doc__}\nExit status: 0 the script came to its end, 1 it did not, 2 bad arguments.",
    )
    parser.add_argument("uri", help="whom to call, e.g. sip:demo@127.0.0.1:5060")
    parser.add_argument(
        "--script", default="-", help="file with the steps; - (default): from standard input, as they come"
    )
    parser.add_argument("--from", dest="identity", default="phone", help="user part of the From address")
    parser.add_argument("--codec", action="append", choices=[c.partition("/")[0] for c in CODECS])
    parser.add_argument("--record", type=Path, help="WAV to write: far end left, phone right")
    parser.add_argument("--answer-within", type=float, default=30.0, metavar="SECONDS")
    return parser.parse_args()


def _settings(arguments: argparse.Namespace) -> EndpointSettings:
    names = arguments.codec
    codecs = CODECS if not names else tuple(c for n in names for c in CODECS if c.startswith(n + "/"))
    address = _local_address(arguments.uri)
    return EndpointSettings(
        codecs=codecs,
        sample_rate_hz=_PCM.sample_rate_hz,
        sip_address=address,
        rtp_address=address,
        rtp_advertise=address,
        user_agent="gateway-softphone",
        identity=arguments.identity,
        srtp=False,
    )


def _run(arguments: argparse.Namespace, emit: JsonLines) -> Outcome:
    log, recordings = CallLog(), dict[str, bytes]()
    conductor = Conductor(_PCM, recordings, log)
    feed = Feed(conductor, recordings)
    streamed = arguments.script == "-"
    if streamed:
        os.set_blocking(sys.stdin.fileno(), False)
    else:
        feed.add_all(Path(arguments.script).read_text())
    record = arguments.record is not None
    phone = Phone(
        _settings(arguments),
        conductor,
        log,
        emit,
        record=record,
        poll=feed.poll if streamed else lambda: None,
    )
    signal.signal(signal.SIGTERM, lambda _number, _frame: phone.give_up())
    outcome = phone.call(arguments.uri, answer_within_s=arguments.answer_within)
    if phone.recorder is not None:
        phone.recorder.write(arguments.record)
    figures = log.figures()
    summary = dataclasses.asdict(figures)
    for name in ("barge_in_stop_ms", "response_delay_ms"):
        summary[name] = getattr(figures, name)
    emit("summary", {"worked": outcome.worked, "problem": outcome.problem, **summary})
    return outcome


def main() -> NoReturn:
    """Leave by `os._exit`: PJSIP must not be torn down by the interpreter."""
    arguments = _arguments()
    configure_logging("softphone", level="warning", format="json")
    be_realtime()  # a phone's clock does not wait for whatever else this machine does
    try:
        status = 0 if _run(arguments, JsonLines()).worked else 1
    except (script.ScriptError, RecordingError) as exc:
        sys.stderr.write(f"softphone: {exc}\n")
        status = 2
    except (LocalError, PjsipError, OSError) as exc:
        sys.stderr.write(f"softphone: {exc}\n")
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
