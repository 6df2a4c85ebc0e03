"""`gateway keys`: who may use the HTTP API."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from gateway.cli.options import ConfigOption, JsonOption, RunDirOption
from gateway.errors import LocalError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.store.keys import ApiKey

app = typer.Typer(rich_markup_mode=None, add_completion=False, no_args_is_help=True)

RoleName = Literal["read", "operate", "admin"]


@app.callback()
def keys() -> None:
    """Create, list and revoke keys of the HTTP API.

    Without any key in force the API serves programs on this machine alone. The keys are in the
    database in the run_dir of --config, or in --run-dir, or in ./run; a running gateway notices
    every change at once.
    """


@app.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the key is for, to tell it from others.")],
    role: Annotated[
        RoleName,
        typer.Option(
            "--role",
            help="read: see calls; operate: make and end them too; admin: everything.",
        ),
    ] = "operate",
    config: ConfigOption = None,
    run_dir: RunDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Create a key and print it; it cannot be shown again.

    \b
    gateway keys create "web shop" --role operate --config gateway.yaml
    curl -H "Authorization: Bearer gw_…" http://127.0.0.1:8080/v1/calls
    """
    if not name.strip() or len(name) > 63 or not name.isprintable():
        raise typer.BadParameter("a name has 1 to 63 printable characters")
    import asyncio

    key, text = asyncio.run(_create(_database(config, run_dir), name.strip(), role))
    if as_json:
        typer.echo(json.dumps({"id": key.id, "name": key.name, "role": key.role, "key": text}))
    else:
        typer.echo(text)
        typer.echo(f"{key.id} may {key.role}. This is the only time the key is shown.", err=True)


@app.command("list")
def list_keys(config: ConfigOption = None, run_dir: RunDirOption = None, as_json: JsonOption = False) -> None:
    """List all keys, revoked ones included; never the keys themselves."""
    import asyncio

    found = asyncio.run(_list(_database(config, run_dir)))
    if as_json:
        typer.echo(json.dumps([_as_data(key) for key in found], indent=2))
    elif found:
        _print_table(found)
    else:
        typer.echo("No keys: the API serves programs on this machine alone.")


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the key (gateway keys list).")],
    config: ConfigOption = None,
    run_dir: RunDirOption = None,
) -> None:
    """End a key at once, and the client secrets made with it; running calls go on.

    Exit status: 0; 1 if there is no such key in force.
    """
    import asyncio

    if not asyncio.run(_revoke(_database(config, run_dir), key_id)):
        raise LocalError(f"there is no key {key_id} in force")
    typer.echo(f"{key_id} is revoked.")


def _database(config: Path | None, run_dir: Path | None) -> Path:
    from gateway.config.loader import load_run_dir
    from gateway.store.database import DATABASE_NAME

    if run_dir is None:
        run_dir = load_run_dir(config) if config is not None else Path("run")
    return run_dir / DATABASE_NAME


async def _create(path: Path, name: str, role: RoleName) -> "tuple[ApiKey, str]":
    from gateway.store.database import Database
    from gateway.store.keys import KeyStore

    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise LocalError(f"{path.parent}: {(exc.strerror or str(exc)).lower()}") from exc
    database = await Database.open(path)
    try:
        return await KeyStore(database).create_key(name, role, datetime.now(UTC))
    finally:
        await database.close()


async def _list(path: Path) -> "Sequence[ApiKey]":
    from gateway.store.database import Database
    from gateway.store.keys import KeyStore

    database = await Database.open(path, create=False)
    try:
        return await KeyStore(database).list_keys()
    finally:
        await database.close()


async def _revoke(path: Path, key_id: str) -> bool:
    from gateway.store.database import Database
    from gateway.store.keys import KeyStore

    database = await Database.open(path, create=False)
    try:
        return await KeyStore(database).revoke_key(key_id, datetime.now(UTC))
    finally:
        await database.close()


def _as_data(key: "ApiKey") -> dict[str, str | None]:
    return {
        "id": key.id,
        "name": key.name,
        "role": key.role,
        "created_at": key.created_at.isoformat(),
        "revoked_at": None if key.revoked_at is None else key.revoked_at.isoformat(),
    }


def _print_table(found: "Sequence[ApiKey]") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(show_edge=False)
    for column in ("id", "name", "role", "created", "state"):
        table.add_column(column)
    for key in found:
        state = "in force" if key.revoked_at is None else f"revoked {key.revoked_at:%Y-%m-%d %H:%M}"
        table.add_row(key.id, key.name, key.role, f"{key.created_at:%Y-%m-%d %H:%M}", state)
    Console(highlight=False, markup=False).print(table)
