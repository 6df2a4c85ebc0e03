"""The command `gateway`: one module per command, loaded when it is asked for.

Exit statuses of every command: 0 it worked · 1 it did not · 2 the command line or a configuration
file is wrong · 130 interrupted with Ctrl-C.
"""

import importlib
import os
import sys
from collections.abc import Callable
from io import TextIOWrapper
from typing import Any, Final

import typer
from typer.core import TyperGroup

from gateway.config.problems import ConfigError
from gateway.errors import GatewayError

_COMMANDS: Final = {
    "run": "gateway.cli.run:run",
    "demo": "gateway.cli.demo:demo",
    "config": "gateway.cli.config:app",
    "calls": "gateway.cli.calls:app",
    "dialplan": "gateway.cli.dialplan:app",
    "status": "gateway.cli.status:status",
    "keys": "gateway.cli.keys:app",
    "rehearse": "gateway.cli.rehearse:rehearse",
    "bench": "gateway.cli.bench:app",
    "impair": "gateway.cli.impair:impair",
    "version": "gateway.cli.version:version",
}
"""Name → module and attribute: a function is a command, a `typer.Typer` a group of commands."""


class _LazyCommands(TyperGroup):
    """Imports a command's module when the command is used, so that start-up stays fast."""

    def list_commands(self, _ctx: Any) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in _COMMANDS and cmd_name not in self.commands:
            self.add_command(_load(cmd_name), cmd_name)
        return super().get_command(ctx, cmd_name)


def _load(name: str) -> Any:
    module, _, attribute = _COMMANDS[name].partition(":")
    found: typer.Typer | Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    if isinstance(found, typer.Typer):
        return typer.main.get_command(found)
    single = typer.Typer(rich_markup_mode=None, add_completion=False)
    single.command(name)(found)
    return typer.main.get_command(single)


app = typer.Typer(
    cls=_LazyCommands,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
)


@app.callback()
def gateway() -> None:
    """Connect phone calls (SIP) to AI voice backends.

    \b
    gateway demo                          make one call to the embedded bot, then stay up
    gateway config check gateway.yaml     find everything that is wrong with a configuration
    gateway run --config gateway.yaml     serve calls until SIGTERM
    gateway status --config gateway.yaml  whether it takes calls, and by which dialplan
    gateway dialplan check                find everything that is wrong with dialplans
    gateway calls                         what calls there were
    gateway calls show call_1a2b…         one call, second by second
    gateway keys create NAME              let somebody use the HTTP API
    gateway rehearse                      let synthetic callers talk to the agent, and judge it
    gateway impair --to HOST:PORT         put a bad network in front of something

    Exit status: 0 it worked, 1 it did not, 2 the command line or a configuration file is wrong.
    """


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; `arguments` without the program's name. Returns the exit status."""
    if isinstance(sys.stdout, TextIOWrapper):
        # A terminal that cannot show a character gets its number, not a traceback.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app(arguments, prog_name="gateway")
    except SystemExit as exc:
        return exc.code if isinstance(exc.code, int) else int(exc.code is not None)
    except ConfigError as exc:
        sys.stderr.write(f"{exc}\n")
        return 2
    except GatewayError as exc:
        sys.stderr.write(f"gateway: {exc}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader (head, less) has gone; keep the interpreter from complaining about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return 0
