"""From a directory of dialplan files to a checked `Plan`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.config.document import Document, KeyPath, parse_document
from gateway.config.loader import read_bytes
from gateway.config.problems import ConfigError, Problem, show
from gateway.config.validate import nearest, validate
from gateway.dialplan.models import PlanFile
from gateway.dialplan.plan import Plan, Route

SUFFIXES = (".yaml", ".yml")


def load_plan(directory: Path | None, agents: Sequence[str]) -> Plan:
    """Read all dialplan files of a directory, in order of their names.

    directory: None for the plan that sends every number to the first agent. agents: names in the
    configuration, the first is the default one; at least one. Raises `ConfigError` with the problems
    of all files.
    """
    if directory is None:
        return Plan((Route("everything", "*", agents[0]),))
    problems: list[Problem] = []
    routes: list[_Placed] = []
    for path in _files(directory):
        try:
            routes += _read(path, agents)
        except ConfigError as exc:
            problems += exc.problems
    problems += _repeated(routes)
    if problems:
        raise ConfigError(problems)
    return Plan(tuple(placed.route for placed in routes))


@dataclass(frozen=True, slots=True)
class _Placed:
    """A route and where it stands."""

    route: Route
    document: Document
    path: KeyPath


def _files(directory: Path) -> list[Path]:
    try:
        files = sorted(path for path in directory.iterdir() if path.suffix in SUFFIXES)
    except OSError as exc:
        reason = (exc.strerror or str(exc)).lower()
        raise ConfigError([Problem(str(directory), 0, 0, "", reason, "a directory of dialplans")]) from exc
    if not files:
        raise ConfigError([Problem(str(directory), 0, 0, "", "no dialplan", "at least one file *.yaml")])
    return files


def _read(path: Path, agents: Sequence[str]) -> list[_Placed]:
    document = parse_document(read_bytes(path), str(path))
    plan = validate(PlanFile, document)
    placed: list[_Placed] = []
    unknown: list[Problem] = []
    for index, entry in enumerate(plan.routes):
        agent = entry.do[0].ai.agent
        if agent is not None and agent not in agents:
            where: KeyPath = ("routes", index, "do", 0, "ai", "agent")
            expected = f"an agent of the configuration ({', '.join(agents)})"
            unknown.append(
                document.problem(where, found=show(agent), expected=expected, hint=nearest(agent, agents))
            )
        route = Route(entry.name, entry.match.to, agent or agents[0])
        placed.append(_Placed(route, document, ("routes", index, "name")))
    if unknown:
        raise ConfigError(unknown)
    return placed


def _repeated(routes: Sequence[_Placed]) -> list[Problem]:
    first: dict[str, _Placed] = {}
    problems = []
    for placed in routes:
        before = first.setdefault(placed.route.name, placed)
        if before is not placed:
            place = before.document.values[before.path]
            problems.append(
                placed.document.problem(
                    placed.path,
                    found=show(placed.route.name),
                    expected=f"a name of its own (first used in {before.document.file}:{place.line})",
                )
            )
    return problems
