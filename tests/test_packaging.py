"""What is uploaded: addresses that lead somewhere or none, and a first screen that shows what this is."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from autograd_tour.drawing.room import room_for
from autograd_tour.formats import Settings
from autograd_tour.lessons import registry
from benchmarks.install import Environment, page

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ADDRESS = "https://example.org/somebody/autograd-tour"


def metadata():
    core = pytest.importorskip("hatchling.metadata.core")
    from hatchling.plugin.manager import PluginManager

    return core.ProjectMetadata(str(ROOT), PluginManager()).core


def test_without_an_address_none_is_told(monkeypatch):
    monkeypatch.delenv("AUTOGRAD_TOUR_REPOSITORY", raising=False)
    told = metadata()
    assert not told.urls
    assert told.readme == README


def test_with_an_address_all_of_readme_is_absolute(monkeypatch):
    monkeypatch.setenv("AUTOGRAD_TOUR_REPOSITORY", f"{ADDRESS}/")
    told = metadata()
    assert set(told.urls) == {"Repository", "Documentation", "Changelog", "Issues"}
    assert all(url.startswith(ADDRESS) for url in told.urls.values())
    addresses = re.findall(r'(?:\]\(|(?:src|srcset)=")([^)"\s]+)', told.readme)
    assert len(addresses) > 20
    assert [item for item in addresses if not item.startswith("https://")] == []
    assert f'srcset="{ADDRESS}/raw/main/docs/pictures/thermometer-dark.svg"' in told.readme
    assert f"]({ADDRESS}/blob/main/docs/quick-start.md)" in told.readme


def test_what_the_package_says_of_itself():
    versions = [f"Programming Language :: Python :: 3.{minor}" for minor in (11, 12, 13, 14)]
    assert set(versions) <= set(PROJECT["classifiers"])
    assert {"sphinx", "markdown", "jupyter", "docs"} <= set(PROJECT["optional-dependencies"])
    version = re.search(
        r'^__version__ = "(.*)"$', (ROOT / "autograd_tour/__init__.py").read_text(), re.MULTILINE
    )[1]
    assert f"\n## [{version}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_first_screen_is_picture_sentence_command_and_five_lines(monkeypatch, tmp_path):
    screen = README.partition("\n## ")[0]
    assert screen.index("<picture>") < screen.index("```console") < screen.index("```python")
    (commands,) = re.findall(r"```console\n(.*?)```", screen, re.DOTALL)
    (lines,) = re.findall(r"```python\n(.*?)```", screen, re.DOTALL)
    assert len(commands.splitlines()) == 1
    assert len(lines.splitlines()) == 5
    monkeypatch.chdir(tmp_path)
    exec(lines, {})
    assert (tmp_path / "thermometer.svg").stat().st_size


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_pictures_of_the_first_screen_are_what_render_writes(theme):
    room = room_for("840x430", min_text=9)
    settings = Settings(formats=("svg",), views=("graph",), theme=theme, room=room)
    (text,) = registry()["thermometer"].files(settings).values()
    assert (ROOT / f"docs/pictures/thermometer-{theme}.svg").read_text(encoding="utf-8") == text


def test_the_page_of_installations_says_what_was_not_tried():
    text = page(
        [Environment("3.12.1", "2.13.0", 2.1, 700.0, 90.0, 14, 0.0041, 1.2)], {"a.wheel": 1_200_000}, ["3.14"]
    )
    assert "| 3.12.1 | 2.13.0 | 2.1 MB | 700 MB | 90 MB in 14 packages | 4.1 ms | 1.20 s |" in text
    assert "wheel 1.20 MB" in text
    assert "Not on this machine, and so not tried: Python 3.14." in text
