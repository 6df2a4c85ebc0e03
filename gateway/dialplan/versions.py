"""Which of the plans that were put into force holds now, and which may come back. Pure.

There is a current plan and perhaps a canary: a new plan for a share of the callers. A new plan replaces
the current one, or becomes the canary; `promote` makes the canary the current plan; `rollback` drops
the canary, or else brings back the plan before the current one. The plans that rollbacks took away are
remembered until another one comes, so that none is loaded again from the unchanged files.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal

from gateway.dialplan.language.share import within
from gateway.errors import LocalError

MAX_KEPT: Final = 20
"""Plans that can be brought back."""
MAX_HISTORY: Final = 100
"""Entries of the history: a plan has several when it was tried out, made everybody's, brought back."""

Action = Literal["started", "reloaded", "canary", "promoted", "rolled_back"]


class VersionsError(LocalError):
    """What was asked for is not possible now; the message says why."""


@dataclass(frozen=True, slots=True)
class Version:
    """A plan that was put into force."""

    digest: str
    """Of its files."""
    at: datetime
    """When; aware, UTC."""
    by: str
    """Who or what did it."""
    action: Action
    """How it came into force."""
    routes: int = 0


@dataclass(frozen=True, slots=True)
class Versions:
    """What holds, and what held before."""

    current: Version
    history: tuple[Version, ...] = ()
    """Everything that was put into force, newest first, the current plan and the canary included."""
    canary: Version | None = None
    canary_percent: float = 0.0
    rejected: tuple[str, ...] | str = ()
    """Digests of the plans that were rolled back since another one came; read it as `rejections`.

    Earlier gateways wrote down one digest, or an empty string.
    """

    @property
    def rejections(self) -> tuple[str, ...]:
        """Digests of the plans that come back only when somebody asks for them."""
        if isinstance(self.rejected, str):
            return (self.rejected,) if self.rejected else ()
        return self.rejected

    @property
    def kept(self) -> tuple[str, ...]:
        """Digests of the plans that must not be forgotten."""
        needed = [self.current.digest, *([self.canary.digest] if self.canary else [])]
        return tuple(dict.fromkeys([*needed, *(version.digest for version in self.history)]))

    def for_caller(self, caller: str) -> Version:
        """The plan of a caller's new call; the same while the canary is the same."""
        if self.canary is not None and within(caller, self.canary.digest, self.canary_percent):
            return self.canary
        return self.current

    def replaced(self, version: Version) -> "Versions":
        """With a new current plan and no canary."""
        return Versions(version, self._with(version))

    def tried(self, version: Version, percent: float) -> "Versions":
        """With a canary for a share of the callers."""
        return replace(
            self,
            history=self._with(version),
            canary=version,
            canary_percent=percent,
            rejected=(),
        )

    def promoted(self, at: datetime, by: str) -> "Versions":
        """With the canary as the current plan. Raises `VersionsError`."""
        if self.canary is None:
            raise VersionsError("there is no canary to promote")
        return self.replaced(replace(self.canary, at=at, by=by, action="promoted"))

    def rolled_back(self, at: datetime, by: str) -> "Versions":
        """Without the canary, or with the plan before the current one. Raises `VersionsError`."""
        if self.canary is not None:
            version = replace(self.current, at=at, by=by, action="rolled_back")
            return Versions(version, self._with(version), rejected=(*self.rejections, self.canary.digest))
        for before in self._older():
            version = replace(before, at=at, by=by, action="rolled_back")
            return Versions(version, self._with(version), rejected=(*self.rejections, self.current.digest))
        raise VersionsError("there is no earlier plan")

    def _older(self) -> tuple[Version, ...]:
        """Plans before the current one, newest first.

        A plan that a rollback brought back counts as of the time when it first came.
        """
        order = list(dict.fromkeys(v.digest for v in reversed(self.history) if v.action != "canary"))
        place = order.index(self.current.digest) if self.current.digest in order else len(order)
        latest = {version.digest: version for version in reversed(self.history)}
        return tuple(latest[digest] for digest in reversed(order[:place]))

    def _with(self, version: Version) -> tuple[Version, ...]:
        """As many entries as name `MAX_KEPT` different plans."""
        kept: list[Version] = []
        digests: set[str] = set()
        for each in (version, *self.history)[:MAX_HISTORY]:
            digests.add(each.digest)
            if len(digests) > MAX_KEPT:
                break
            kept.append(each)
        return tuple(kept)
