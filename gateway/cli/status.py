"""`gateway status`: how the running gateway is."""

import json
from typing import Annotated, Any

import typer

from gateway.cli.options import ConfigOption, JsonOption


def status(
    config: ConfigOption = None,
    key: Annotated[
        str,
        typer.Option(
            "--key", envvar="GATEWAY_API_KEY", help="Key of the API, where it wants one.", metavar="KEY"
        ),
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Say whether the running gateway takes calls, and which dialplan is in force.

    Mistakes in changed dialplan files, which keep them out of force, are shown.

    \b
    gateway status --config gateway.yaml

    Exit status: 0 if it takes calls and nothing is wrong, 1 otherwise.
    """
    import asyncio
    from pathlib import Path

    from gateway.cli.dialplan_output import print_state
    from gateway.config.loader import default_config, load_config
    from gateway.config.models import HttpListen

    loaded = default_config(Path()) if config is None else load_config(config)

    async def look(listen: HttpListen) -> tuple[dict[str, Any], dict[str, Any]]:
        from gateway.cli.running import ask

        ready = await ask(listen, "GET", "/readyz", key, None, also=(503,))
        return ready, await ask(listen, "GET", "/v1/dialplan", key, None)

    ready, plan = asyncio.run(look(loaded.http.listen))
    if as_json:
        typer.echo(json.dumps({**ready, "dialplan": plan}, indent=2))
    else:
        reason = ready.get("reason")
        typer.echo(f"{ready['status']}: {reason}" if reason else ready["status"])
        print_state(plan, history=False)
    raise typer.Exit(0 if ready["status"] == "ready" and not plan["error"] else 1)
