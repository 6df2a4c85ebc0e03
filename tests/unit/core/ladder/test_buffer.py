"""The depth of the jitter buffer."""

from gateway.core.ladder.buffer import BufferDepth
from gateway.core.ladder.trouble import Verdict

JITTER, GOOD = Verdict("jittery", jitter_ms=35.0), Verdict("good")


def depths(*story: tuple[Verdict, int]) -> list[int]:
    buffer, now, wanted = BufferDepth(), 0.0, []
    for verdict, seconds in story:
        for _ in range(seconds):
            now += 1.0
            wanted += [command.least_ms for command in buffer.handle(verdict, now)]
    return wanted


def test_jitter_deepens_it_once_and_calm_gives_it_back() -> None:
    assert depths((GOOD, 60), (JITTER, 60), (GOOD, 20)) == [120]
    assert depths((GOOD, 60), (JITTER, 60), (GOOD, 22)) == [120, 0]
    assert depths((JITTER, 1), (GOOD, 15), (Verdict("fair"), 1), (GOOD, 15)) == [120]


def test_more_jitter_deepens_it_further_up_to_a_limit_and_less_does_not_flatten_it() -> None:
    worse, terrible = Verdict("jittery", jitter_ms=50.0), Verdict("jittery", jitter_ms=500.0)
    assert depths((JITTER, 3), (worse, 3), (JITTER, 3), (terrible, 3)) == [120, 160, 200]


def test_late_packets_without_measured_jitter_get_the_least_depth() -> None:
    assert depths((Verdict("jittery", jitter_ms=1.0), 5)) == [40]


def test_loss_is_no_reason() -> None:
    assert depths((Verdict("lossy", loss=0.1), 60), (Verdict("thin"), 60)) == []
