"""One thing that is wrong in a good plan: nothing else is blamed for it."""

import shutil
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from gateway.config.document import KeyPath, dotted, parse_document
from gateway.config.problems import ConfigError
from gateway.dialplan.loader import load_dialplan
from gateway.dialplan.surroundings import UNKNOWN

SHIPPED = sorted((Path(__file__).parents[3] / "dialplans").glob("*/main.yaml"))
WRONG: dict[str, Any] = {"7 wrong": [{"?": 7}]}
"""Fits nowhere but in steps that take names and values of the author's choice."""

EVERY = 9
"""Each place takes a load of the plan; every one of them was tried once."""


def places(data: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Every place below the top of a file."""
    below = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in below:
        yield (*path, key)
        yield from places(value, (*path, key))


def damaged(data: Any, path: KeyPath) -> Any:
    """The same with something wrong in one place."""
    copy = deepcopy(data)
    part = copy
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = WRONG
    return copy


def read(path: Path) -> Any:
    """As the gateway reads it."""
    return parse_document(path.read_bytes(), path.name).data


@pytest.mark.parametrize("plan", SHIPPED, ids=lambda path: path.parent.name)
def test_nothing_else_is_blamed(plan: Path, tmp_path: Path) -> None:
    shutil.copytree(plan.parent, tmp_path, dirs_exist_ok=True)
    data = read(plan)
    # Other defaults are well-formed: what they lack is really not there.
    damage = [path for path in places(data) if path not in (("version",), ("defaults",))]
    blamed = []
    for path in (*damage[::EVERY], *((section,) for section in data if (section,) in damage)):
        with (tmp_path / "main.yaml").open("w") as file:
            YAML(typ="safe", pure=True).dump(damaged(data, path), file)
        try:
            load_dialplan(tmp_path, UNKNOWN)
        except ConfigError as exc:
            where = dotted(path)
            blamed += [f"{where}: {p}" for p in exc.problems if not p.key.startswith(where[: len(p.key)])]
    assert blamed == []
