"""Rows and parts of pictures, chosen on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands import answer

SAVED = Path(__file__).parents[2] / "outputs" / "thermometer.json"


def test_rows_and_parts_are_chosen_by_options(tmp_path: Path) -> None:
    rows = (
        "--show",
        "value,grad",
        "--show",
        "line",
        "--hide",
        "constants",
        "--mark",
        "w",
        "--font-size",
        "18",
    )
    words = ("--title", "Why", "--caption", "So", "-f", "svg", "--view", "graph", "-o", "-")
    done = answer("render", str(SAVED), *rows, *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for text in (">Why</text>", ">So</text>", "4517.3", "thermometer.py", 'stroke-width="3.5"'):
        assert text in done.stdout
    for text in (">saved ", "Σ over 11</text>", ">constant</text>"):
        assert text not in done.stdout


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("--title", "t" * 10_000), "Use at most 300"),
        (("--caption", "t" * 10_000), "Use at most 2000"),
        (("--show", "valu"), "Did you mean 'value'? Known: value, shape, grad, rule, line, saved"),
        (("--hide", "leaves"), "Known: constants, cuts, transposes, reshapes, copies"),
        (("--mark", "nobody"), "Some names in it: w, b"),
        (("--view", "torchviz", "--compact"), "animation, chain, graph, steps"),
        (("--font-size", "20", "--fit", "16:9"), "Leave out --font-size"),
    ],
)
def test_a_choice_that_is_none_is_one_line_with_what_there_is(
    tmp_path: Path, words: tuple[str, ...], hint: str
) -> None:
    done = answer("render", str(SAVED), "-f", "svg", *words, cwd=tmp_path)
    assert done.returncode == 2
    error, told = done.stderr.splitlines()
    assert error.startswith("error: ")
    assert hint in told
    assert not list(tmp_path.iterdir())
