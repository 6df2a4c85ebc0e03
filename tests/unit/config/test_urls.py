"""URLs of services: where the API may play sounds from."""

from pathlib import Path

import pytest

from tests.unit.config.files import lines, load_text


def test_nothing_is_played_from_the_network_by_default(tmp_path: Path) -> None:
    assert load_text(tmp_path, "").http.play_from == []


def test_several_may_be_named(tmp_path: Path) -> None:
    text = "http: {play_from: ['https://cdn.example/sounds', 'http://10.0.0.7:8000/']}\n"
    assert load_text(tmp_path, text).http.play_from == ["https://cdn.example/sounds", "http://10.0.0.7:8000/"]


@pytest.mark.parametrize(
    "url", ["http://cdn.example/", "file:///srv/sounds", "https://me:pw@cdn.example/", ""]
)
def test_urls_that_are_not_safe(tmp_path: Path, url: str) -> None:
    (line,) = lines(tmp_path, f"http: {{play_from: ['{url}']}}\n")
    assert "http.play_from[0]" in line
    assert "expected https://HOST/PATH" in line
    assert "pw@" not in line
