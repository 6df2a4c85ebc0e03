"""The plan in force: given to new calls, replaced without a gap, brought back when it was wrong.

A call keeps the `Dialplan` that it was given; plans are immutable. Everything that replaces a plan
happens in a thread and one after the other; the swap itself is one assignment.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, Self

from gateway.config.problems import ConfigError
from gateway.dialplan.archive import Archive, ArchiveError
from gateway.dialplan.dialplan import Dialplan
from gateway.dialplan.language.numbers import forms
from gateway.dialplan.language.share import share_key
from gateway.dialplan.loader import everything_to_the_first_agent, load_dialplan, load_sources
from gateway.dialplan.sources import KeptSources, Sources
from gateway.dialplan.surroundings import Surroundings
from gateway.dialplan.versions import Action, Version, Versions, VersionsError
from gateway.errors import LocalError
from gateway.observe.log import get_logger

ARCHIVE_NAME: Final = "dialplans"
"""Directory in run_dir."""

log = get_logger()


def check_start(directory: Path | None, surroundings: Surroundings, run_dir: Path) -> None:
    """Whether `LivePlan.open` will find a plan: that of the files or, if they are wrong, the one before.

    Raises `ConfigError` with what is wrong with the files when there is neither.
    """
    try:
        load_dialplan(directory, surroundings)
    except ConfigError:
        if directory is None or not _can_resume(directory, surroundings, Archive(run_dir / ARCHIVE_NAME)):
            raise


def _can_resume(directory: Path, surroundings: Surroundings, archive: Archive) -> bool:
    """Whether the plans that held when the gateway last ran are still there, and still fit."""
    try:
        before = archive.load()
        if before is None:
            return False
        for version in filter(None, (before.current, before.canary)):
            load_sources(KeptSources(directory, archive.files(version.digest)), surroundings)
    except (ArchiveError, ConfigError):
        return False
    return True


@dataclass(frozen=True, slots=True)
class PlanStatus:
    """What `gateway status` and the API show."""

    current: Version
    canary: Version | None
    canary_percent: float
    history: tuple[Version, ...]
    """Newest first."""
    error: str
    """Why the last plan was refused, all mistakes in lines; empty after one that was not."""
    error_at: datetime | None


@dataclass(slots=True)
class _Held:
    """What `LivePlan` swaps in one assignment."""

    versions: Versions
    plans: dict[str, Dialplan] = field(default_factory=dict)
    """By digest: the current plan and the canary."""


class LivePlan:
    """Owner of the plans in force."""

    def __init__(
        self,
        directory: Path | None,
        surroundings: Surroundings,
        archive: Archive,
        now: Callable[[], datetime],
    ) -> None:
        """For `open`."""
        self.directory = directory
        self._surroundings = surroundings
        self._archive = archive
        self._now = now
        self._lock = asyncio.Lock()
        self._held: _Held | None = None
        self._error = ""
        self._error_at: datetime | None = None

    @classmethod
    async def open(
        cls,
        directory: Path | None,
        surroundings: Surroundings,
        run_dir: Path,
        now: Callable[[], datetime],
    ) -> Self:
        """Load the plan to begin with.

        directory: of the dialplan files; None: every call goes to the first agent. now: wall clock, UTC.
        A plan that was rolled back stays so while its files are unchanged, a canary stays a canary, and
        when the files have mistakes the plan goes on that was in force last. Raises `ConfigError` when
        there was none.
        """
        live = cls(directory, surroundings, Archive(run_dir / ARCHIVE_NAME), now)
        live._held = await asyncio.to_thread(live._start)
        return live

    @property
    def current(self) -> Dialplan:
        """The plan of most callers."""
        held = self._holding
        return held.plans[held.versions.current.digest]

    def for_caller(self, caller: str, trunk: str = "", call_id: str = "") -> Dialplan:
        """The plan of a caller's new call: the current one, or the canary for its share of callers.

        A caller is the same however the trunk writes the number; one without a number goes by `call_id`.
        """
        held = self._holding
        region = self._surroundings.region(trunk) or held.plans[held.versions.current.digest].settings.region
        key = share_key(forms(caller, region)[-1], call_id)
        return held.plans[held.versions.for_caller(key).digest]

    def status(self) -> PlanStatus:
        """What holds, what held, and what is wrong with the files."""
        versions = self._holding.versions
        return PlanStatus(
            versions.current,
            versions.canary,
            versions.canary_percent,
            versions.history,
            self._error,
            self._error_at,
        )

    @property
    def _holding(self) -> _Held:
        assert self._held is not None, "opened by LivePlan.open"
        return self._held

    # ---- changes ---------------------------------------------------------------------------------

    async def reload(self, by: str, canary_percent: float | None = None) -> PlanStatus:
        """Read the files again and put the plan into force, for all callers or for a share of them.

        Nothing changes when the files are those in force. Raises `ConfigError` with everything that is
        wrong, `VersionsError` without a directory; nothing has changed then.
        """
        async with self._lock:
            return await self._load_again(by, canary_percent, asked=True)

    async def _load_again(self, by: str, canary_percent: float | None, *, asked: bool) -> PlanStatus:
        """With the lock held."""
        try:
            held = await asyncio.to_thread(self._reloaded, by, canary_percent, asked)
        except ConfigError as exc:
            self._refused(str(exc))
            raise
        return self._swap(held)

    async def follow_files(self, by: str = "file change") -> PlanStatus:
        """As `reload`; while there is a canary, the changed files become the canary.

        Files that are those of a plan that was rolled back change nothing: nobody has edited them since.
        """
        async with self._lock:
            versions = self._holding.versions
            percent = versions.canary_percent if versions.canary else None
            return await self._load_again(by, percent, asked=False)

    async def promote(self, by: str) -> PlanStatus:
        """Make the canary the plan of all callers. Raises `VersionsError`."""
        async with self._lock:
            versions = self._holding.versions.promoted(self._now(), by)
            return self._swap(await asyncio.to_thread(self._with_plans, versions))

    async def rollback(self, by: str) -> PlanStatus:
        """Drop the canary, or bring back the plan before.

        Raises `VersionsError` when there is none, `ArchiveError` or `ConfigError` when it cannot be read.
        """
        async with self._lock:
            versions = self._holding.versions.rolled_back(self._now(), by)
            return self._swap(await asyncio.to_thread(self._with_plans, versions))

    async def watch(self, changes: AsyncIterator[object]) -> None:
        """Reload at every change, until there are no more. changes: such as `watchfiles.awatch` gives."""
        try:
            async for _ in changes:
                await _or_say_why_not(self.follow_files())
        except OSError as exc:
            # The directory is gone, or the system watches no more files.
            log.error("changes of dialplans are not seen any more", error=str(exc))

    async def reload_when(self, asked: asyncio.Event, by: str) -> None:
        """Reload whenever the event is set, without end."""
        while True:
            await asked.wait()
            asked.clear()
            await _or_say_why_not(self.reload(by))

    def _swap(self, held: _Held) -> PlanStatus:
        before, self._held = self._held, held
        self._error, self._error_at = "", None
        if before is None or before.versions != held.versions:
            version = held.versions.canary or held.versions.current
            log.info(
                "dialplan put into force",
                action=version.action,
                digest=version.digest[:12],
                by=version.by,
                routes=version.routes,
                canary_percent=held.versions.canary_percent,
            )
        return self.status()

    def _refused(self, error: str) -> None:
        self._error, self._error_at = error, self._now()
        log.error("dialplan refused, the one in force goes on", mistakes=error)

    # ---- in a thread -----------------------------------------------------------------------------

    def _start(self) -> _Held:
        if self.directory is None:
            plan = everything_to_the_first_agent(self._surroundings)
            version = Version(plan.digest, self._now(), "start", "started", len(plan.routes))
            return _Held(Versions(version, (version,)), {plan.digest: plan})
        before = self._remembered()
        sources = Sources(self.directory)
        try:
            plan = load_sources(sources, self._surroundings)
        except ConfigError as exc:
            held = None if before is None else self._resumed(before)
            if held is None:
                raise
            self._refused(str(exc))
            return held
        if before is not None and plan.digest in self._settled(before):
            held = self._resumed(before, plan)
            if held is not None:
                return held
        version = Version(plan.digest, self._now(), "start", "started", len(plan.routes))
        versions = before.replaced(version) if before is not None else Versions(version, (version,))
        return self._kept(versions, plan, sources)

    def _remembered(self) -> Versions | None:
        try:
            return self._archive.load()
        except ArchiveError as exc:
            log.error("the history of dialplans is lost", error=str(exc))
            return None

    def _resumed(self, versions: Versions, *loaded: Dialplan) -> _Held | None:
        """What held when the gateway last ran; None where that is not possible any more."""
        try:
            return self._with_plans(versions, *loaded)
        except (ArchiveError, ConfigError) as exc:
            log.error("the dialplan that was in force is lost", error=str(exc))
            return None

    @staticmethod
    def _settled(versions: Versions) -> set[str]:
        """Digests of files about which something was decided already."""
        canary = versions.canary.digest if versions.canary else ""
        return {versions.current.digest, canary, *versions.rejections} - {""}

    def _reloaded(self, by: str, canary_percent: float | None, asked: bool) -> _Held:
        if self.directory is None:
            raise VersionsError("the configuration names no dialplans")
        held = self._holding
        sources = Sources(self.directory)
        plan = load_sources(sources, self._surroundings)
        versions = held.versions
        in_force = versions.canary if canary_percent is not None else versions.current
        same_share = canary_percent is None or canary_percent == versions.canary_percent
        if in_force is not None and in_force.digest == plan.digest and same_share:
            return held
        if not asked and plan.digest in versions.rejections:
            return held
        if canary_percent is not None and plan.digest == versions.current.digest:
            raise VersionsError(
                "the files are those of the plan in force; there is nothing to try out (changed files wait "
                "for this command only with dialplans_reload: on_command in the configuration)"
            )
        action: Action = "reloaded" if canary_percent is None else "canary"
        version = Version(plan.digest, self._now(), by, action, len(plan.routes))
        changed = (
            versions.replaced(version) if canary_percent is None else versions.tried(version, canary_percent)
        )
        return self._kept(changed, plan, sources)

    def _kept(self, versions: Versions, plan: Dialplan, sources: Sources) -> _Held:
        """With the plan's files in the archive."""
        try:
            self._archive.keep(plan.digest, sources.read)
        except ArchiveError as exc:
            log.error("the dialplan cannot be kept for a rollback", error=str(exc))
        return self._with_plans(versions, plan)

    def _with_plans(self, versions: Versions, *loaded: Dialplan) -> _Held:
        """With the plans that these versions need, from memory or from the archive."""
        known = {} if self._held is None else dict(self._held.plans)
        known.update({plan.digest: plan for plan in loaded})
        needed = [versions.current, *([versions.canary] if versions.canary else [])]
        plans = {version.digest: known.get(version.digest) or self._old(version.digest) for version in needed}
        try:
            self._archive.save(versions)
        except ArchiveError as exc:
            log.error("the history of dialplans cannot be written", error=str(exc))
        return _Held(versions, plans)

    def _old(self, digest: str) -> Dialplan:
        assert self.directory is not None
        return load_sources(KeptSources(self.directory, self._archive.files(digest)), self._surroundings)


async def _or_say_why_not(reload: Awaitable[PlanStatus]) -> None:
    try:
        await reload
    except ConfigError:
        return  # said in the log and by `gateway status`
    except LocalError as exc:
        log.warning("changed dialplans are not put into force", reason=str(exc))
