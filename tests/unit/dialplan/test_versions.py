"""Which plans are kept, and for how long the history reaches back."""

from datetime import UTC, datetime

from gateway.dialplan.versions import MAX_HISTORY, MAX_KEPT, Version, Versions

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)


def version(digest: str) -> Version:
    return Version(digest, NOW, "anna", "canary")


def started() -> Versions:
    first = version("first")
    return Versions(first, (first,))


def test_plans_that_were_tried_out_first_are_kept_as_well() -> None:
    versions = started()
    for number in range(MAX_KEPT + 5):
        versions = versions.tried(version(f"plan {number}"), 10.0).promoted(NOW, "anna")
    assert len(set(versions.kept)) == MAX_KEPT
    assert len(versions.history) == 2 * MAX_KEPT
    for _ in range(MAX_KEPT - 1):
        versions = versions.rolled_back(NOW, "ben")
    assert versions.current.digest == "plan 5"


def test_the_history_of_a_few_plans_has_an_end() -> None:
    versions = started()
    for _ in range(MAX_HISTORY):
        versions = versions.tried(version("second"), 10.0).rolled_back(NOW, "ben")
    assert len(versions.history) == MAX_HISTORY
    assert set(versions.kept) == {"first", "second"}
