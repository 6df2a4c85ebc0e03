"""From the configuration file to a checked `GatewayConfig`."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.config.document import Document, KeyPath, dotted, parse_document
from gateway.config.models import BotAgent, GatewayConfig, NodeConfig
from gateway.config.problems import ConfigError, Problem
from gateway.config.validate import validate

SOCKET_PATH_MAX_BYTES: Final = 107
"""sun_path without its final zero byte (unix(7))."""

SOCKET_NAME_RESERVE_BYTES: Final = 24
"""Kept for the longest socket name inside run_dir, with its slash."""


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A configuration and the document it came from."""

    config: GatewayConfig
    document: Document


def load_config(path: Path, environment: Mapping[str, str] | None = None) -> GatewayConfig:
    """Read, resolve and check a configuration file; all paths in the result are absolute.

    environment: what `${NAME}` refers to; default: the process's. Raises `ConfigError`.
    """
    return load(path, environment).config


def load(path: Path, environment: Mapping[str, str] | None = None) -> LoadedConfig:
    """As `load_config`, with the document for places in later messages. Raises `ConfigError`."""
    raw = read_bytes(path)
    document = parse_document(raw, str(path), os.environ if environment is None else environment)
    return LoadedConfig(
        _resolve(validate(GatewayConfig, document), document, path.resolve().parent), document
    )


def default_config(directory: Path) -> GatewayConfig:
    """The configuration without a file; relative paths start in `directory`. Raises `ConfigError`."""
    return _resolve(GatewayConfig(), Document(""), directory.resolve())


def load_run_dir(path: Path, environment: Mapping[str, str] | None = None) -> Path:
    """Only `node.run_dir` of a file, whatever else is wrong with it or unset. Raises `ConfigError`."""
    document = parse_document(read_bytes(path), str(path), os.environ if environment is None else environment)
    key: KeyPath = ("node", "run_dir")
    node = document.data.get("node") if isinstance(document.data, dict) else None
    value = node.get("run_dir", NodeConfig().run_dir) if isinstance(node, dict) else NodeConfig().run_dir
    wrong = [problem for problem in document.problems if problem.key == dotted(key)]
    if not isinstance(value, str | Path):
        wrong.append(document.problem(key, found=document.found(key, value), expected="a path"))
    if wrong or not isinstance(value, str | Path):
        raise ConfigError(wrong)
    return _absolute(path.resolve().parent, Path(value))


def read_bytes(path: Path) -> bytes:
    """A file's content. Raises `ConfigError` when it cannot be read."""
    try:
        return path.read_bytes()
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
        raise ConfigError([Problem(str(path), 0, 0, "", reason.lower(), "a file that can be read")]) from exc


def _resolve(config: GatewayConfig, document: Document, directory: Path) -> GatewayConfig:
    """Make paths absolute and check what depends on them."""
    run_dir = _absolute(directory, config.node.run_dir)
    room = SOCKET_PATH_MAX_BYTES - SOCKET_NAME_RESERVE_BYTES
    length = len(os.fsencode(run_dir))
    if length > room:
        path: KeyPath = ("node", "run_dir")
        raise ConfigError(
            [
                document.problem(
                    path,
                    found=f"a directory of {length} bytes ({run_dir})",
                    expected=f"at most {room}, because unix sockets live in it",
                )
            ]
        )
    agents = {
        name: agent.model_copy(update={"dialogue": _absolute(directory, agent.dialogue)})
        if isinstance(agent, BotAgent) and agent.dialogue is not None
        else agent
        for name, agent in config.agents.items()
    }
    return config.model_copy(
        update={
            "node": config.node.model_copy(update={"run_dir": run_dir}),
            "dialplans": None if config.dialplans is None else _absolute(directory, config.dialplans),
            "agents": agents,
        }
    )


def _absolute(directory: Path, path: Path) -> Path:
    return Path(os.path.abspath(directory / path))
