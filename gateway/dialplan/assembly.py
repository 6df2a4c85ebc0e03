"""From the files of a directory to a `Dialplan`: shape, names, compiled steps and conditions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar
from zoneinfo import ZoneInfo

from gateway.config.document import Document, KeyPath, parse_document
from gateway.config.problems import ConfigError, Problem, show
from gateway.config.validate import validate, validate_part
from gateway.dialplan.block import Block
from gateway.dialplan.checks.references import check_references
from gateway.dialplan.compiler import Compiler, is_flow_name
from gateway.dialplan.conditions import MatchReader
from gateway.dialplan.dialplan import MAX_CALL_S, Dialplan, Route, Settings
from gateway.dialplan.index import RouteIndex
from gateway.dialplan.language.hours import DateRule, Hours, parse_dates, parse_days, parse_spans
from gateway.dialplan.language.lists import NumberList, make_list, read_csv
from gateway.dialplan.language.patterns import Pattern, parse_pattern
from gateway.dialplan.match import Conditions
from gateway.dialplan.models import Defaults, HoursEntry, PlanFile, RouteEntry
from gateway.dialplan.parts import Named, Parts
from gateway.dialplan.runtime import Say, Sound
from gateway.dialplan.salvage import Salvaged, salvage
from gateway.dialplan.sources import Sources
from gateway.dialplan.surroundings import Surroundings

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Assembled:
    """A plan with what the checks need of its files."""

    plan: Dialplan
    parts: Parts


class Assembly:
    """Puts a plan together; `problems` holds everything that is wrong so far."""

    def __init__(self, sources: Sources, surroundings: Surroundings) -> None:
        self._sources = sources
        self._surroundings = surroundings
        self._parts = Parts()
        self.problems: list[Problem] = []

    def run(self) -> Assembled | None:
        """The plan, to be looked at as a whole; None where there is nothing of it.

        With `problems` it may refer to things that don't exist, and lack what its `parts` tell. Raises
        `ConfigError`.
        """
        for path, raw in self._sources.plan_files():
            self._read(raw, str(path))
        self._merge()
        if not self._parts.routes and not self.problems:
            self.problems.append(
                self._parts.documents[0].problem(
                    ("routes",), found="nothing", expected="a list with at least one entry"
                )
            )
        settings = self._settings()
        lists = {name: self._list(name, named) for name, named in self._parts.lists.items()}
        hours = {name: self._hours(name, named, settings.zone) for name, named in self._parts.hours.items()}
        flows = {name: self._block(named) for name, named in self._parts.flows.items()}
        routes = [self._route(number, named, lists, hours) for number, named in enumerate(self._parts.routes)]
        self.problems += check_references(self._parts, self._sources, self._surroundings)
        if not routes:
            return None
        plan = Dialplan(
            routes=tuple(routes),
            flows=flows,
            prompts={name: self._prompt(named, settings) for name, named in self._parts.prompts.items()},
            settings=settings,
            surroundings=self._surroundings,
            directory=self._sources.directory,
            digest=self._sources.digest,
            index=RouteIndex([route.conditions for route in routes]),
            agent_blocks=agent_blocks(self._surroundings.agents),
            cases=sum(len(file.cases) for file in self._parts.files),
            headers=frozenset(name for route in routes for name in route.conditions.headers or ()),
        )
        return Assembled(plan, self._parts)

    # ---- files and names -------------------------------------------------------------------------

    def _read(self, raw: bytes, name: str) -> None:
        try:
            document = parse_document(raw, name)
        except ConfigError as exc:
            self.problems += exc.problems
            self._parts.lose_file(raw)
            return
        try:
            salvaged: Salvaged | None = Salvaged(validate(PlanFile, document))
        except ConfigError as exc:
            self.problems += exc.problems
            salvaged = salvage(document)
        if salvaged is None:
            self._parts.lose_file(raw)
        else:
            self._parts.add_file(document, salvaged)

    def _merge(self) -> None:
        parts, doubts = self._parts, self._parts.doubts
        for document, file in zip(parts.documents, parts.files, strict=True):
            doubts.lists |= self._collect(parts.lists, document, "lists", file.lists)
            doubts.hours |= self._collect(parts.hours, document, "hours", file.hours)
            self._collect(parts.prompts, document, "prompts", file.prompts)
            doubts.steps |= bool(self._collect(parts.flows, document, "flows", file.flows))
            if file.defaults is not None:
                named = Named(document, ("defaults",), file.defaults)
                first = {"defaults": parts.defaults} if parts.defaults else {}
                doubts.defaults |= not self._only_once(first, "defaults", named)
                parts.defaults = parts.defaults or named
        doubts.defaults |= parts.defaults is None and parts.lost_files > 0
        names: dict[str, Named] = {}
        for number, route in enumerate(parts.routes):
            named = Named(route.document, (*route.path, "name"), route.entry)
            if not self._only_once(names, route.entry.name, named):
                doubts.routes.add(number)
        for name, named in parts.flows.items():
            if not is_flow_name(name):
                self._problem(named, found=show(name), expected="a name that is no step's", at_key=True)

    def _collect(
        self, into: dict[str, Named], document: Document, kind: str, entries: Mapping[str, object]
    ) -> set[str]:
        """Names that were there before."""
        given = {name: Named(document, (kind, name), entry) for name, entry in entries.items()}
        return {name for name, named in given.items() if not self._only_once(into, name, named)}

    def _only_once(self, into: Mapping[str, Named], name: str, named: Named) -> bool:
        """Whether this is the first of its name."""
        before = into.get(name)
        if before is None:
            if isinstance(into, dict):
                into[name] = named
            return True
        place = before.document.values[before.path]
        file = before.document.file
        what = "it in one file" if name == "defaults" else "a name of its own"
        expected = f"{what} (first used in {file}:{place.line})"
        self._problem(named, found=show(name), expected=expected, at_key=named.path[0] != "routes")
        return False

    def _problem(
        self, named: Named, *, found: str, expected: str, hint: str = "", at_key: bool = False
    ) -> None:
        self.problems.append(
            named.document.problem(named.path, found=found, expected=expected, hint=hint, at_key=at_key)
        )

    def _compile(self, document: Document, raw: object, path: KeyPath) -> Block:
        compiler = Compiler(document, self._parts)
        block = compiler.action(raw, path)
        self.problems += compiler.problems
        self._parts.doubts.steps |= bool(compiler.problems)
        self._parts.blocks.append(block)
        return block

    # ---- what is in them -------------------------------------------------------------------------

    def _settings(self) -> Settings:
        named = self._parts.defaults
        if named is None:
            return Settings(ZoneInfo("UTC"))
        defaults: Defaults = named.entry
        failure: Block = ()
        if defaults.on_failure is not None:
            failure = self._compile(named.document, defaults.on_failure, ("defaults", "on_failure"))
        return Settings(
            ZoneInfo(defaults.timezone or "UTC"),
            defaults.language or "en",
            defaults.region or "",
            defaults.max_call or MAX_CALL_S,
            failure,
        )

    def _prompt(self, named: Named, settings: Settings) -> Say | Sound:
        entry = named.entry
        if entry.file:
            return Sound(self._sources.directory / entry.file)
        return Say(entry.say, entry.language or settings.language)

    def _block(self, named: Named) -> Block:
        return self._compile(named.document, named.entry, named.path)

    def _list(self, name: str, named: Named) -> NumberList:
        patterns: list[Pattern] = []
        before = len(self.problems)
        for index, entry in enumerate(named.entry):
            if entry.kind == "pattern":
                patterns += parse_pattern(entry.word)
            else:
                patterns += self._csv(named, (*named.path, index, "file"), entry.word)
        if len(self.problems) > before:
            self._parts.doubts.lists.add(name)
        return make_list(patterns)

    def _csv(self, named: Named, path: KeyPath, relative: str) -> list[Pattern]:
        if wrong := self._sources.exists(relative):
            self.problems.append(named.document.problem(path, found=wrong, expected="a CSV file"))
            return []
        try:
            text = self._sources.text(relative)
        except ConfigError as exc:
            self.problems += exc.problems
            return []
        found, problems = read_csv(text, str(self._sources.directory / relative))
        self.problems += problems
        return found

    def _hours(self, name: str, named: Named, zone: ZoneInfo) -> Hours:
        raw = named.entry
        if not isinstance(raw, dict):
            self._parts.doubts.hours.add(name)
            self._problem(
                named, found=show(raw), expected='a mapping such as {mon-fri: "08:30-18:00", sat: closed}'
            )
            return Hours(zone, {})
        fixed = {key: value for key, value in raw.items() if key in HoursEntry.keys}
        weekly = {key: value for key, value in raw.items() if key not in HoursEntry.keys}
        entry, problems = validate_part(
            HoursEntry, named.document, named.path, {"weekly": weekly, **fixed}, wrapped="weekly"
        )
        self.problems += problems
        if entry is None:
            self._parts.doubts.hours.add(name)
            return Hours(zone, {})
        return Hours(
            ZoneInfo(entry.timezone) if entry.timezone else zone,
            {day: parse_spans(text) for days, text in entry.weekly.items() for day in parse_days(days)},
            tuple(_date_rules(entry)),
            entry.holidays or "",
            parse_spans(entry.on_holidays),
        )

    def _route(
        self, number: int, named: Named, lists: Mapping[str, NumberList], hours: Mapping[str, Hours]
    ) -> Route:
        entry: RouteEntry = named.entry
        path = (*named.path, "match")
        reader = MatchReader(named.document, path, lists, hours, self._parts.doubts)
        conditions = reader.conditions(entry.match, entry.name)
        self.problems += reader.problems
        if reader.doubtful or self._rests_on_doubts(conditions):
            self._parts.doubts.routes.add(number)
        place = named.document.values[named.path]
        block = self._compile(named.document, entry.do, (*named.path, "do"))
        return Route(entry.name, conditions, entry.split or {}, block, f"{named.document.file}:{place.line}")

    def _rests_on_doubts(self, conditions: Conditions) -> bool:
        doubts, hours = self._parts.doubts, conditions.hours
        numbers = [each for each in (conditions.to, conditions.from_) if each is not None]
        named = [name for each in numbers for name in (*each.lists, *each.excluded)]
        return not doubts.lists.isdisjoint(named) or (hours is not None and hours.name in doubts.hours)


def _date_rules(entry: HoursEntry) -> Iterator[DateRule]:
    for text, spans in entry.except_.items():
        yield parse_dates(text, parse_spans(spans))


def agent_blocks(agents: tuple[str, ...]) -> dict[str, Block]:
    """For each agent a block that connects the caller with it."""
    blocks = {}
    for agent in agents:
        document = parse_document(f"ai: {{agent: {agent}}}\n".encode(), "(asked for by name)")
        blocks[agent] = Compiler(document).action(document.data, ())
    return blocks
