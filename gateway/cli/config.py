"""`gateway config`: find mistakes before the gateway does."""

import json
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(rich_markup_mode=None, add_completion=False, no_args_is_help=True)


@app.callback()
def config() -> None:
    """Check and explain configuration files."""


@app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Configuration file (YAML).")],
    show: Annotated[
        bool,
        typer.Option("--print", help="Print the effective configuration, defaults included, secrets masked."),
    ] = False,
) -> None:
    """Check a configuration and its dialplans; print every mistake with file, line and column.

    \b
    $ gateway config check gateway.yaml
    gateway.yaml:7:14: sip.max_calls: found "lots", expected a whole number from 1 to 2000

    Exit status: 0 if all is well, 2 if something is wrong.
    """
    from gateway.config.listening import is_loopback
    from gateway.config.loader import load
    from gateway.config.printable import as_yaml
    from gateway.dialplan.loader import load_dialplan
    from gateway.dialplan.surroundings import surroundings_of

    loaded = load(file)
    config = loaded.config
    plan = load_dialplan(config.dialplans, surroundings_of(config))
    if show:
        typer.echo(as_yaml(loaded), nl=False)
        return
    if not is_loopback(config.http.listen.address):
        typer.echo(
            f"{file}: note: http.listen is reachable from other machines; until there is a key "
            "(gateway keys create) the API refuses them, but health and metrics are open to all",
            err=True,
        )
    agents = ", ".join(config.agents)
    typer.echo(f"{file}: ok (agents: {agents}; routes: {len(plan.routes)}; calls: {config.sip.max_calls})")


@app.command()
def schema() -> None:
    """Print the JSON Schema of the configuration file, for editors that complete and mark mistakes."""
    from gateway.config.models import GatewayConfig

    typer.echo(json.dumps(GatewayConfig.model_json_schema(), indent=2))
