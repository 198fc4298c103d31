"""What holds for the package as a whole."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import autograd_tour

ROOT = Path(autograd_tour.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
NO_NOUNS = {"found", "place", "known", "made", "shown", "said", "told", "one"}
"""Words that say what was done with a value, or nothing, where a name is to say what the value is."""


@pytest.fixture(scope="module")
def trees() -> dict[str, ast.Module]:
    """What stands in each file of the package, by its name."""
    return {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text()) for path in FILES}


def test_importing_the_package_loads_no_torch() -> None:
    script = "import autograd_tour, sys; dir(autograd_tour); sys.exit('torch' in sys.modules or 'msgspec' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], timeout=60, check=False).returncode == 0


def test_formats_load_neither_questions_nor_what_makes_a_pdf_before_they_are_asked() -> None:
    script = (
        "import sys, autograd_tour.formats as formats; formats.registry()\n"
        "late = {'torch', 'typst', 'resvg_py', 'jinja2', 'autograd_tour.questions'}\n"
        "sys.exit(', '.join(late & set(sys.modules)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], timeout=60, check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", autograd_tour.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    thing = getattr(autograd_tour, name)
    assert name in dir(autograd_tour)
    if name != "__version__":
        assert thing.__doc__


def test_type_checkers_see_what_is_loaded_lazily() -> None:
    tree = ast.parse((ROOT / "__init__.py").read_text())
    seen = {
        (node.module, alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("autograd_tour.")
        for alias in node.names
    }
    assert seen == {(f"autograd_tour.{room}", name) for name, room in autograd_tour._HOME.items()}
    assert {name for _, name in seen} | {"__version__"} == set(autograd_tour.__all__)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = autograd_tour.nonsense


def _assigned(tree: ast.Module) -> set[str]:
    """The names that stand at the top of a file."""
    assigned = [target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
    return {target.id for target in assigned if isinstance(target, ast.Name)}


def test_every_file_has_a_docstring(trees: dict[str, ast.Module]) -> None:
    assert len(trees) > 100
    assert [name for name, tree in trees.items() if not ast.get_docstring(tree)] == []


def test_every_file_says_what_is_public(trees: dict[str, ast.Module]) -> None:
    rooms = {name: tree for name, tree in trees.items() if not name.endswith(("__main__.py", "__init__.py"))}
    assert [name for name, tree in rooms.items() if "__all__" not in _assigned(tree)] == []


def test_a_file_is_one_room(trees: dict[str, ast.Module]) -> None:
    lengths = {name: len((ROOT / name).read_text().splitlines()) for name in trees}
    assert {name: length for name, length in lengths.items() if length > 400} == {}


def _bound(tree: ast.AST) -> set[str]:
    """The names of all variables, parameters and attributes that a file binds."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.add(node.attr)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            names.add(node.name)
    return names


def test_every_way_to_bind_a_name_is_seen() -> None:
    program = """
def f(a, *b, c=0, **d):
    e = [g for g in a]
    for h, (i, *j) in a: self.k = h
    with a as l: (m := 1)
    try: n: int = 1
    except ValueError as o: pass
    match a:
        case [p, *q]: pass
lambda r: r
"""
    assert _bound(ast.parse(program)) == set("abcdeghijklmnopqr")


def test_a_name_is_a_noun_that_says_what_it_holds(trees: dict[str, ast.Module]) -> None:
    vague = {name: _bound(tree) & NO_NOUNS for name, tree in trees.items()}
    assert {name: names for name, names in vague.items() if names} == {}


def test_every_module_can_be_imported_and_keeps_its_promises() -> None:
    for info in pkgutil.walk_packages([str(ROOT)], "autograd_tour."):
        if info.name.endswith("__main__"):
            continue
        module = importlib.import_module(info.name)
        for name in getattr(module, "__all__", ()):
            assert hasattr(module, name), f"{info.name}.{name}"
