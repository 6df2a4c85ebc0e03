"""From a directory of dialplan files to a checked `Dialplan`."""

from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from gateway.config.document import parse_document
from gateway.config.problems import ConfigError
from gateway.dialplan.assembly import Assembly, agent_blocks
from gateway.dialplan.checks.everything import check
from gateway.dialplan.compiler import Compiler
from gateway.dialplan.dialplan import Dialplan, Route, Settings
from gateway.dialplan.index import RouteIndex
from gateway.dialplan.language.patterns import parse_pattern
from gateway.dialplan.match import Conditions, NumberCondition
from gateway.dialplan.sources import Sources
from gateway.dialplan.surroundings import Surroundings

_EVERYTHING: Final = b"do: [ai]\n"


def load_dialplan(directory: Path | None, surroundings: Surroundings) -> Dialplan:
    """Read, check and try out all dialplan files of a directory, in order of their names.

    directory: None for the plan that sends every call to the first agent. Its cases are run too.
    Raises `ConfigError` with everything that is wrong in all files.
    """
    if directory is None:
        return everything_to_the_first_agent(surroundings)
    return load_sources(Sources(directory), surroundings)


def load_sources(sources: Sources, surroundings: Surroundings) -> Dialplan:
    """As `load_dialplan`, from files that are kept or of which the content is wanted afterwards."""
    assembly = Assembly(sources, surroundings)
    assembled = assembly.run()
    problems = assembly.problems
    if assembled is not None:
        problems = [*problems, *check(assembled)]
    if problems or assembled is None:
        raise ConfigError(problems)
    return assembled.plan


def everything_to_the_first_agent(surroundings: Surroundings) -> Dialplan:
    """The plan of a gateway without dialplans."""
    document = parse_document(_EVERYTHING, "(no dialplan)")
    conditions = Conditions(to=NumberCondition(parse_pattern("*")))
    block = Compiler(document).action(["ai"], ("do",))
    return Dialplan(
        routes=(Route("everything", conditions, {}, block, "(no dialplan)"),),
        flows={},
        prompts={},
        settings=Settings(ZoneInfo("UTC")),
        surroundings=surroundings,
        directory=None,
        digest="",
        index=RouteIndex([conditions]),
        agent_blocks=agent_blocks(surroundings.agents),
    )
