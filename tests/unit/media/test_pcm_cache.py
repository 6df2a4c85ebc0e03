"""What is kept in memory, and what goes."""

from gateway.media.pcm_cache import PcmCache


def test_the_longest_unused_goes() -> None:
    cache = PcmCache[str](10)
    for key in "abc":
        cache.keep(key, bytes(4))
    assert cache.get("a") is None
    assert cache.get("b") == bytes(4)
    cache.keep("d", bytes(4))
    assert (cache.get("c"), cache.get("b"), cache.held_bytes) == (None, bytes(4), 8)


def test_what_is_kept_twice_counts_once() -> None:
    cache = PcmCache[str](10)
    for _ in range(5):
        cache.keep("a", bytes(4))
    cache.keep("b", bytes(5))
    assert cache.held_bytes == 9
    assert cache.get("a") == bytes(4)


def test_one_that_is_too_large_is_kept_alone() -> None:
    cache = PcmCache[str](10)
    cache.keep("a", bytes(4))
    cache.keep("b", bytes(20))
    assert (cache.get("a"), cache.get("b"), cache.held_bytes) == (None, bytes(20), 20)
