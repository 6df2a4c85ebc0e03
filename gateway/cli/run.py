"""`gateway run`: serve calls."""

from pathlib import Path

import typer

from gateway.cli.options import ConfigOption


def run(config: ConfigOption = None) -> None:
    """Serve calls until SIGTERM or Ctrl-C.

    Without --config: SIP on UDP and TCP port 5060 of all interfaces, HTTP on 127.0.0.1:8080, every
    call answered by the embedded bot, files in ./run.

    The log goes to standard error; one line with the event "ready" says that calls can come.
    The first SIGTERM drains: no new calls, running ones may go on up to node.drain_timeout_s.
    A second one stops at once.

    \b
    gateway run --config gateway.yaml
    curl http://127.0.0.1:8080/readyz

    Exit status: 0 after a stop that was asked for, 1 if the gateway could not start or go on
    (a port in use, say), 2 if the configuration is wrong.
    """
    from gateway.config.loader import default_config, load_config
    from gateway.dialplan.live import check_start
    from gateway.dialplan.surroundings import surroundings_of

    settings = default_config(Path.cwd()) if config is None else load_config(config)
    check_start(settings.dialplans, surroundings_of(settings), settings.node.run_dir)

    from gateway.edge.process import main as serve

    raise typer.Exit(serve(settings))
