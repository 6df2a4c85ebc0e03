"""`report.json`."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import msgspec

from gateway.rehearse.result import Result
from gateway.rehearse.thresholds import Check, passed


def write_json(result: Result, verdicts: Sequence[Check], path: Path) -> None:
    """The result with its verdicts, indented. Raises OSError."""
    whole = {
        "passed": passed(list(verdicts)),
        "checks": [asdict(check) for check in verdicts],
        **msgspec.to_builtins(result),
    }
    path.write_bytes(msgspec.json.format(msgspec.json.encode(whole), indent=2) + b"\n")
