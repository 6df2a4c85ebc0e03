"""The files of a plan: which there are, and reading them within limits."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gateway.config.loader import read_bytes
from gateway.config.problems import ConfigError, Problem, show

SUFFIXES: Final = (".yaml", ".yml")
MAX_FILES: Final = 200
"""Plan files in a directory."""
MAX_LIST_BYTES: Final = 16 << 20
"""A CSV file."""


@dataclass(slots=True)
class Sources:
    """A directory's files as they were read once, so that a plan and its digest belong together."""

    directory: Path
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def plan_files(self) -> list[tuple[Path, bytes]]:
        """All plan files in the order of their names. Raises `ConfigError`."""
        name = str(self.directory)
        try:
            paths = sorted(path for path in self.directory.iterdir() if path.suffix in SUFFIXES)
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
                found.append((path, self._noted(path, read_bytes(path))))
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

    def text(self, relative: str) -> str:
        """Content of a file that `exists`. Raises `ConfigError`."""
        path = self.inside(relative)
        assert path is not None
        raw = self._noted(path, read_bytes(path))
        if len(raw) > MAX_LIST_BYTES:
            found, limit = f"a file of {len(raw)} bytes", f"at most {MAX_LIST_BYTES}"
            raise ConfigError([Problem(str(path), 0, 0, "", found, limit)])
        try:
            return raw.decode("utf-8-sig")
        except UnicodeDecodeError as exc:
            line = raw[: exc.start].count(b"\n") + 1
            wrong = f"the byte 0x{raw[exc.start]:02x}"
            raise ConfigError([Problem(str(path), line, 1, "", wrong, "text in UTF-8")]) from exc

    def _noted(self, path: Path, raw: bytes) -> bytes:
        head = f"{path.name}\0{len(raw)}\0".encode("utf-8", "surrogateescape")
        self.digest.update(head + raw)
        return raw
