"""The files of a plan: which there are, and reading them within limits."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gateway.config.loader import read_bytes
from gateway.config.problems import ConfigError, Problem, show
from gateway.media.sounds import wav_fault

SUFFIXES: Final = (".yaml", ".yml")
MAX_FILES: Final = 200
"""Plan files in a directory."""
MAX_LIST_BYTES: Final = 16 << 20
"""A CSV file."""


def is_plan_file(name: str) -> bool:
    """Whether a file is part of the plan: hidden ones are those of editors and version control."""
    return name.endswith(SUFFIXES) and not name.startswith(".")


@dataclass(slots=True)
class Sources:
    """A directory's files as they were read once, so that a plan and its digest belong together."""

    directory: Path
    read: dict[str, bytes] = field(default_factory=dict)
    """Content of all files read so far, by path below the directory."""

    @property
    def digest(self) -> str:
        """SHA-256 over names and content of the files read so far."""
        digest = hashlib.sha256()
        for name, raw in sorted(self.read.items()):
            digest.update(f"{name}\0{len(raw)}\0".encode("utf-8", "surrogateescape") + raw)
        return digest.hexdigest()

    def plan_files(self) -> list[tuple[Path, bytes]]:
        """All plan files in the order of their names. Raises `ConfigError`."""
        name = str(self.directory)
        try:
            paths = sorted(path for path in self.directory.iterdir() if is_plan_file(path.name))
        except (OSError, ValueError) as exc:
            reason = (exc.strerror if isinstance(exc, OSError) else None) or str(exc)
            raise ConfigError([Problem(name, 0, 0, "", reason.lower(), "a directory of dialplans")]) from exc
        if not paths:
            raise ConfigError([Problem(name, 0, 0, "", "no dialplan", "at least one file *.yaml")])
        if len(paths) > MAX_FILES:
            raise ConfigError([Problem(name, 0, 0, "", f"{len(paths)} files", f"at most {MAX_FILES}")])
        problems: list[Problem] = []
        found = []
        for path in paths:
            try:
                found.append((path, self._noted(path.name, read_bytes(path))))
            except ConfigError as exc:
                problems += exc.problems
        if problems:
            raise ConfigError(problems)
        return found

    def inside(self, relative: str) -> Path | None:
        """The path of a file named in the plan; None when it would leave the directory."""
        try:
            path = (self.directory / relative).resolve()
            return path if path.is_relative_to(self.directory.resolve()) else None
        except (OSError, ValueError):
            return None

    def exists(self, relative: str) -> str:
        """What is wrong with a file named in the plan; empty: it is there."""
        path = self.inside(relative)
        if path is None:
            return f"{show(relative)}, which is outside the directory of the dialplan"
        try:
            there = path.is_file()
        except (OSError, ValueError):
            there = False
        return "" if there else f"{show(relative)}, and there is no such file"

    def unplayable(self, relative: str) -> str:
        """What is wrong with a sound named in the plan; empty: it can be played."""
        if wrong := Sources.exists(self, relative):
            return wrong
        fault = wav_fault(self.directory / relative)
        return f"{show(relative)}, {fault}" if fault else ""

    def text(self, relative: str) -> str:
        """Content of a file that `exists`. Raises `ConfigError`."""
        path = self.directory / relative
        raw = self._noted(relative, read_bytes(path))
        if len(raw) > MAX_LIST_BYTES:
            found, limit = f"a file of {len(raw)} bytes", f"at most {MAX_LIST_BYTES}"
            raise ConfigError([Problem(str(path), 0, 0, "", found, limit)])
        try:
            return raw.decode("utf-8-sig")
        except UnicodeDecodeError as exc:
            line = raw[: exc.start].count(b"\n") + 1
            wrong = f"the byte 0x{raw[exc.start]:02x}"
            raise ConfigError([Problem(str(path), line, 1, "", wrong, "text in UTF-8")]) from exc

    def _noted(self, name: str, raw: bytes) -> bytes:
        self.read[name] = raw
        return raw


class KeptSources(Sources):
    """Files of a plan as they were once read; sound files are still those of the directory."""

    def __init__(self, directory: Path, kept: Mapping[str, bytes]) -> None:
        super().__init__(directory)
        self._kept = dict(kept)

    def plan_files(self) -> list[tuple[Path, bytes]]:
        """As they were."""
        names = sorted(name for name in self._kept if is_plan_file(name) and "/" not in name)
        return [(self.directory / name, self._noted(name, self._kept[name])) for name in names]

    def exists(self, relative: str) -> str:
        """As in `Sources`; kept files are there."""
        return "" if relative in self._kept else Sources.exists(self, relative)

    def unplayable(self, _relative: str) -> str:
        """Never: a plan that was in force comes back; a sound spoilt since then fails when it is played."""
        return ""

    def text(self, relative: str) -> str:
        """As it was. Raises `ConfigError`."""
        if relative not in self._kept:
            return Sources.text(self, relative)
        return self._noted(relative, self._kept[relative]).decode("utf-8-sig")
