"""`gateway version`."""

import platform

import typer

_PARTS = ("pjsua2-python", "aiohttp", "numpy", "pocketsphinx", "SQLAlchemy", "uvloop")


def version() -> None:
    """Print the versions of the gateway, of Python and of the parts that matter in a bug report."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed_version

    typer.echo(f"gateway {installed_version('voice-gateway')}")
    typer.echo(f"python {platform.python_version()} on {platform.system()} {platform.machine()}")
    for part in _PARTS:
        try:
            typer.echo(f"{part} {installed_version(part)}")
        except PackageNotFoundError:
            typer.echo(f"{part} is not installed")
