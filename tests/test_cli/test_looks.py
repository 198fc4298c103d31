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


def test_what_is_not_folded_cannot_be_opened(tmp_path: Path) -> None:
    for words, error, hint in (
        (("--open", "cell[2]"), "nothing that is folded is called 'cell[2]'", "Nothing is folded in it"),
        (("--open", "w", "--no-fold"), "--open opens what is folded", "Leave one of them out"),
        (("--open", "w", "--focus", "w"), "--focus shows one part", "Leave one of them out"),
    ):
        done = answer("render", str(SAVED), *words, "-f", "svg", cwd=tmp_path)
        assert done.returncode == 2
        assert f"error: {error}" in done.stderr
        assert f"hint: {hint}" in done.stderr
        assert not list(tmp_path.iterdir())


def test_a_call_of_a_function_is_opened_by_an_option(tmp_path: Path) -> None:
    program = tmp_path / "net.py"
    program.write_text(
        "import torch\n"
        "def cell(h, w):\n"
        "    return torch.tanh(h * w + w.exp()).sigmoid() * h.sin()\n"
        "def loss():\n"
        "    w, h = torch.ones(2, requires_grad=True), torch.ones(2)\n"
        "    for _ in range(9):\n"
        "        h = cell(h, w)\n"
        "    return h.sum()\n"
    )
    words = ("-f", "svg", "--view", "graph", "-o", "-")
    folded = answer("render", f"{program}:loss", *words, cwd=tmp_path)
    assert ">cell × 9</text>" in folded.stdout
    done = answer("render", f"{program}:loss", "--open", "cell[4]", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(">cell × 4</text>") == 2
    assert ">cell[4]</text>" in done.stdout
