"""Plans that were in force, on disk: their files, and who put them into force when."""

import base64
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from gateway.dialplan.versions import Versions
from gateway.errors import LocalError

_STATE_NAME: Final = "versions.json"
_KEPT_NAME: Final = re.compile(r"[0-9a-f]{64}\.json")


class ArchiveError(LocalError):
    """The archive cannot be read or written; the message says why."""


@dataclass(frozen=True, slots=True)
class Archive:
    """A directory of kept plans; all calls block for the disk."""

    directory: Path

    def load(self) -> Versions | None:
        """What held when the gateway last ran; None if nothing did. Raises `ArchiveError`."""
        path = self.directory / _STATE_NAME
        try:
            return msgspec.json.decode(path.read_bytes(), type=Versions)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as exc:
            raise ArchiveError(f"{path}: {exc}") from exc

    def files(self, digest: str) -> dict[str, bytes]:
        """The files of a plan. Raises `ArchiveError`."""
        path = self.directory / f"{digest}.json"
        try:
            kept = msgspec.json.decode(path.read_bytes(), type=dict[str, str])
            return {name: base64.b64decode(text, validate=True) for name, text in kept.items()}
        except (OSError, ValueError) as exc:
            raise ArchiveError(f"{path}: {exc}") from exc

    def keep(self, digest: str, files: dict[str, bytes]) -> None:
        """Write the files of a plan down. Raises `ArchiveError`."""
        texts = {name: base64.b64encode(raw).decode() for name, raw in files.items()}
        self._write(f"{digest}.json", msgspec.json.encode(texts))

    def save(self, versions: Versions) -> None:
        """Write down what holds, and forget plans that cannot come back. Raises `ArchiveError`."""
        self._write(_STATE_NAME, msgspec.json.encode(versions))
        needed = {f"{digest}.json" for digest in versions.kept}
        try:
            for path in self.directory.iterdir():
                if _KEPT_NAME.fullmatch(path.name) and path.name not in needed:
                    path.unlink(missing_ok=True)
        except OSError as exc:
            raise ArchiveError(f"{self.directory}: {exc}") from exc

    def _write(self, name: str, raw: bytes) -> None:
        path = self.directory / name
        fresh = path.with_suffix(".new")
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            with fresh.open("wb") as stream:
                stream.write(raw)
                stream.flush()
                os.fsync(stream.fileno())
            fresh.replace(path)
        except OSError as exc:
            raise ArchiveError(f"{path}: {exc}") from exc
