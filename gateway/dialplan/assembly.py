"""From the files of a directory to a `Dialplan`: shape, names, compiled steps and conditions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar
from zoneinfo import ZoneInfo

from gateway.config.document import Document, KeyPath, parse_document
from gateway.config.problems import ConfigError, Problem, show
from gateway.config.validate import nearest, validate, validate_part
from gateway.dialplan.block import Block
from gateway.dialplan.checks.references import check_references
from gateway.dialplan.compiler import Compiler, is_flow_name
from gateway.dialplan.dialplan import MAX_CALL_S, Dialplan, Route, Settings
from gateway.dialplan.index import RouteIndex
from gateway.dialplan.language.hours import DateRule, Hours, parse_dates, parse_days, parse_spans
from gateway.dialplan.language.lists import NumberList, make_list, read_csv
from gateway.dialplan.language.patterns import Pattern, parse_pattern
from gateway.dialplan.match import Conditions, HoursCondition, NumberCondition
from gateway.dialplan.models import Defaults, Entry, HoursEntry, Match, PlanFile, RouteEntry
from gateway.dialplan.parts import Named, Parts
from gateway.dialplan.runtime import Say, Sound
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
        """The plan, to be looked at as a whole; None where parts of it are missing.

        With `problems` it may refer to things that don't exist. Raises `ConfigError`.
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
        lists = {name: self._list(named) for name, named in self._parts.lists.items()}
        hours = {name: self._hours(named, settings.zone) for name, named in self._parts.hours.items()}
        flows = {name: self._block(named) for name, named in self._parts.flows.items()}
        routes = [self._route(named, lists, hours) for named in self._parts.routes]
        for document in self._parts.unread:
            self._compile_unread(document)
        complete = not self.problems
        self.problems += check_references(self._parts, self._sources, self._surroundings)
        if not complete:
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
            return
        try:
            file = validate(PlanFile, document)
        except ConfigError as exc:
            self.problems += exc.problems
            self._parts.unread.append(document)
            return
        self._parts.documents.append(document)
        self._parts.files.append(file)

    def _merge(self) -> None:
        parts = self._parts
        names: dict[str, Named] = {}
        for document, file in zip(parts.documents, parts.files, strict=True):
            self._collect(parts.lists, document, "lists", file.lists)
            self._collect(parts.hours, document, "hours", file.hours)
            self._collect(parts.prompts, document, "prompts", file.prompts)
            self._collect(parts.flows, document, "flows", file.flows)
            if file.defaults is not None:
                named = Named(document, ("defaults",), file.defaults)
                self._only_once({"defaults": parts.defaults} if parts.defaults else {}, "defaults", named)
                parts.defaults = parts.defaults or named
            for index, entry in enumerate(file.routes):
                self._only_once(names, entry.name, Named(document, ("routes", index, "name"), entry))
                parts.routes.append(Named(document, ("routes", index), entry))
        for name, named in parts.flows.items():
            if not is_flow_name(name):
                self._problem(named, found=show(name), expected="a name that is no step's", at_key=True)

    def _collect(
        self, into: dict[str, Named], document: Document, kind: str, entries: Mapping[str, object]
    ) -> None:
        for name, entry in entries.items():
            self._only_once(into, name, Named(document, (kind, name), entry))

    def _only_once(self, into: Mapping[str, Named], name: str, named: Named) -> None:
        before = into.get(name)
        if before is None:
            if isinstance(into, dict):
                into[name] = named
            return
        place = before.document.values[before.path]
        file = before.document.file
        what = "it in one file" if name == "defaults" else "a name of its own"
        expected = f"{what} (first used in {file}:{place.line})"
        self._problem(named, found=show(name), expected=expected, at_key=named.path[0] != "routes")

    def _problem(
        self, named: Named, *, found: str, expected: str, hint: str = "", at_key: bool = False
    ) -> None:
        self.problems.append(
            named.document.problem(named.path, found=found, expected=expected, hint=hint, at_key=at_key)
        )

    def _compile(self, document: Document, raw: object, path: KeyPath) -> Block:
        compiler = Compiler(document, self._parts.names("flows", self._parts.flows))
        block = compiler.action(raw, path)
        self.problems += compiler.problems
        self._parts.blocks.append(block)
        return block

    def _compile_unread(self, document: Document) -> None:
        """The mistakes in the steps of a file whose shape is wrong elsewhere."""
        data = document.data if isinstance(document.data, dict) else {}
        flows, routes = data.get("flows"), data.get("routes")
        for name, raw in (flows if isinstance(flows, dict) else {}).items():
            self._compile(document, raw, ("flows", name))
        for index, route in enumerate(routes if isinstance(routes, list) else ()):
            if isinstance(route, dict) and isinstance(route.get("do"), list):
                self._compile(document, route["do"], ("routes", index, "do"))

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

    def _list(self, named: Named) -> NumberList:
        patterns: list[Pattern] = []
        for index, entry in enumerate(named.entry):
            if entry.kind == "pattern":
                patterns += parse_pattern(entry.word)
            else:
                patterns += self._csv(named, (*named.path, index, "file"), entry.word)
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

    def _hours(self, named: Named, zone: ZoneInfo) -> Hours:
        raw = named.entry
        if not isinstance(raw, dict):
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
            return Hours(zone, {})
        return Hours(
            ZoneInfo(entry.timezone) if entry.timezone else zone,
            {day: parse_spans(text) for days, text in entry.weekly.items() for day in parse_days(days)},
            tuple(_date_rules(entry)),
            entry.holidays or "",
            parse_spans(entry.on_holidays),
        )

    def _route(self, named: Named, lists: Mapping[str, NumberList], hours: Mapping[str, Hours]) -> Route:
        entry: RouteEntry = named.entry
        path = (*named.path, "match")
        reader = _MatchReader(named.document, path, lists, hours)
        conditions = reader.conditions(entry.match, entry.name)
        self.problems += reader.problems
        place = named.document.values[named.path]
        block = self._compile(named.document, entry.do, (*named.path, "do"))
        return Route(entry.name, conditions, entry.split or {}, block, f"{named.document.file}:{place.line}")


class _MatchReader:
    """Compiles the conditions of one route."""

    def __init__(
        self,
        document: Document,
        path: KeyPath,
        lists: Mapping[str, NumberList],
        hours: Mapping[str, Hours],
    ) -> None:
        self._document = document
        self._path = path
        self._lists = lists
        self._hours = hours
        self.problems: list[Problem] = []

    def conditions(self, match: Match, purpose: str) -> Conditions:
        """Everything that the route asks for."""
        headers = match.header
        return Conditions(
            to=self._numbers(match.to, "to"),
            from_=self._numbers(match.from_, "from"),
            trunks=None if match.trunk is None else tuple(match.trunk),
            headers=None if headers is None else {k.lower(): _one(v) for k, v in headers.items()},
            hours=self._hours_condition(match.hours),
            sources=None if match.kind is None else tuple(match.kind),
            percent=match.percent,
            variables=None
            if match.variables is None
            else {name: _one(text) for name, text in match.variables.items()},
            purpose=purpose,
        )

    def _numbers(self, entries: list[Entry] | None, key: str) -> NumberCondition | None:
        if entries is None:
            return None
        patterns: list[Pattern] = []
        lists: dict[str, NumberList] = {}
        excluded: dict[str, NumberList] = {}
        for index, entry in enumerate(entries):
            if entry.kind == "pattern":
                patterns += parse_pattern(entry.word)
                continue
            path = (*self._path, key, index, entry.kind)
            if path not in self._document.values:
                path = (*self._path, key, entry.kind)
            found = self._known(self._lists, entry.word, path, "list")
            if found is not None:
                (lists if entry.kind == "in" else excluded)[entry.word] = found
        return NumberCondition(tuple(patterns), lists, excluded)

    def _hours_condition(self, text: str | None) -> HoursCondition | None:
        if text is None:
            return None
        negated = text.startswith("not ")
        name = text.removeprefix("not ").strip()
        found = self._known(self._hours, name, (*self._path, "hours"), "set of hours")
        return None if found is None else HoursCondition(name, found, negated)

    def _known(self, among: Mapping[str, T], name: str, path: KeyPath, what: str) -> T | None:
        if name in among:
            return among[name]
        known = ", ".join(among) or "there is none"
        self.problems.append(
            self._document.problem(
                path, found=show(name), expected=f"a {what} ({known})", hint=nearest(name, among)
            )
        )
        return None


def _one(text: str) -> Pattern:
    """A pattern for a text; a range has no place there, so it counts as what it says."""
    return parse_pattern(text)[0]


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
