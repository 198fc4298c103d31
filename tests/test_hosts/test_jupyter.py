"""The cell magic, in the shell that notebooks run."""

from __future__ import annotations

import pytest

pytest.importorskip("IPython")

from autograd_tour.errors import TourError

CELL = "w = torch.tensor(3.0, requires_grad=True)\nloss = w * w\n"


@pytest.fixture(scope="module")
def shell():
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell()
    shell.run_line_magic("load_ext", "autograd_tour")
    shell.run_cell("import torch")
    return shell


def test_a_cell_is_a_picture_and_its_names_stay(shell):
    result = shell.run_cell_magic("autograd", "--view chain", CELL)
    assert "data:image/svg+xml" in result._repr_html_()
    assert "loss = 9" in repr(result)
    assert shell.user_ns["loss"].item() == 9
    assert shell.user_ns["w"].grad is None


def test_the_page_is_there_on_request(shell):
    result = shell.run_cell_magic("autograd", "--page --height 300", CELL)
    assert "height:300px" in result._repr_html_()


def test_a_loop_is_a_run(shell):
    cell = "w = torch.ones(1, requires_grad=True)\nfor _ in range(2):\n    (w * w).sum().backward()\n"
    assert "2 backward calls" in repr(shell.run_cell_magic("autograd", "--view run", cell))


@pytest.mark.parametrize(
    ("line", "cell", "words"),
    [
        ("", "w = 1\nw / 0", "line 2 of the cell: ZeroDivisionError"),
        ("", "w = (", "not valid Python"),
        ("", "n = 3", "tensor"),
        ("--colour red", CELL, "unrecognized arguments"),
        ("--view 'chain", CELL, "No closing quotation"),
    ],
)
def test_what_is_wrong_is_a_sentence(shell, line, cell, words):
    with pytest.raises(TourError) as caught:
        shell.run_cell_magic("autograd", line, cell)
    assert words in str(caught.value)
    assert {entry.path.name for entry in caught.traceback} <= {
        "test_jupyter.py",
        "interactiveshell.py",
        "jupyter.py",
    }
