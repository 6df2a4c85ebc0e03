"""`gateway calls`: what calls there were, and one of them in detail."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from gateway.cli.duration import parse_duration
from gateway.cli.options import ConfigOption, JsonOption, RunDirOption
from gateway.errors import LocalError

if TYPE_CHECKING:
    from gateway.core.record import CallRecord

_MAX_LISTED: Final = 100_000

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.callback(invoke_without_command=True)
def calls(
    context: typer.Context,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=_MAX_LISTED, help="How many.")] = 20,
    since: Annotated[
        timedelta | None,
        typer.Option(
            "--since",
            metavar="TIME",
            parser=parse_duration,
            help="Only calls that began at most this long ago: 90s, 15m, 2h, 7d.",
            show_default=False,
        ),
    ] = None,
    config: ConfigOption = None,
    run_dir: RunDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the latest calls, newest first; `calls show ID` prints one with its timeline, `calls report ID`
    draws it.

    The calls come from the database in the run_dir of --config, or in --run-dir, or in ./run.
    The gateway may be running meanwhile. The output holds phone numbers and what was said.

    \b
    gateway calls --config gateway.yaml --since 1h
    gateway calls --run-dir run --limit 200 --json
    gateway calls show call_1a2b --config gateway.yaml

    Exit status: 0, also if there are no calls; 1 if there is no database or no such call.
    """
    database = _database(config, run_dir)
    if context.invoked_subcommand is not None:
        context.obj = (database, as_json)
        return
    oldest = None if since is None else datetime.now(UTC) - since
    import asyncio

    from gateway.cli import calls_output
    from gateway.core.record_json import record_as_data

    found = asyncio.run(_list(database, limit, oldest))

    if as_json:
        typer.echo(json.dumps([record_as_data(record) for record in found], indent=2))
    else:
        calls_output.print_list(found)


@app.command()
def show(
    context: typer.Context,
    call_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the call, or its beginning.")],
    config: ConfigOption = None,
    run_dir: RunDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print one call: its record, and its timeline with times in seconds since the call began.

    \b
    gateway calls show call_1a2b3c4d5e6f70819203
    gateway calls show 1a2b --json

    Exit status: 0; 1 if there is no such call or more than one.
    """
    database, json_before = context.obj
    if config is not None or run_dir is not None:
        database = _database(config, run_dir)
    import asyncio

    from gateway.cli import calls_output
    from gateway.core.record_json import record_as_data

    record = asyncio.run(_get(database, call_id))

    if as_json or json_before:
        typer.echo(json.dumps(record_as_data(record, timeline=True), indent=2))
    else:
        calls_output.print_call(record)


@app.command()
def report(
    context: typer.Context,
    call_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the call, or its beginning.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="HTML file to write.")] = Path("report.html"),
    config: ConfigOption = None,
    run_dir: RunDirOption = None,
) -> None:
    """Write a page about one call: loss, codec, quality and turns on one time axis.

    The page is one file and needs nothing from outside. It holds no phone numbers and no words of the call.

    \b
    gateway calls report call_1a2b --config gateway.yaml --out report.html

    Exit status: 0; 1 if there is no such call or more than one, or the file cannot be written.
    """
    database, _ = context.obj
    if config is not None or run_dir is not None:
        database = _database(config, run_dir)
    import asyncio

    from gateway.cli.call_report import render

    page = render(asyncio.run(_get(database, call_id)))
    try:
        out.write_text(page)
    except OSError as exc:
        raise LocalError(f"{out}: {(exc.strerror or str(exc)).lower()}") from exc
    typer.echo(f"wrote {out}")


def _database(config: Path | None, run_dir: Path | None) -> Path:
    from gateway.config.loader import load_run_dir
    from gateway.store.calls import DATABASE_NAME

    if run_dir is None:
        run_dir = load_run_dir(config) if config is not None else Path("run")
    return run_dir / DATABASE_NAME


async def _list(database: Path, limit: int, since: datetime | None) -> "Sequence[CallRecord]":
    from gateway.store.calls import CallStore

    async with await CallStore.open(database, create=False) as store:
        return await store.list_calls(limit=limit, since=since)


async def _get(database: Path, wanted: str) -> "CallRecord":
    from gateway.store.calls import CallStore

    async with await CallStore.open(database, create=False) as store:
        ids = await store.find_ids(wanted) or await store.find_ids(f"call_{wanted}")
        ids = [found for found in ids if found == wanted] or ids
        if not ids:
            raise LocalError(f"there is no call {wanted} in {database}")
        if len(ids) > 1:
            raise LocalError(f"{wanted} is the beginning of more than one call: {', '.join(ids)}")
        record = await store.get(ids[0])
        if record is None:
            raise LocalError(f"call {wanted} has just been deleted from {database}")
        return record
