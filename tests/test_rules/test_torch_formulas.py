"""torch's own formulas: the arguments of each node class, and the file they are kept in."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from autograd_tour.rules import make_formulas
from autograd_tour.rules.formulas import argument_names, formulas, torch_version


def seeded(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(shape, generator=generator, dtype=torch.float64).requires_grad_()


# ---- names of arguments -----------------------------------------------------------------------

ORDERS: list[tuple[Callable[..., Tensor], list[tuple[int, ...]], list[str]]] = [
    (torch.mul, [(3,), (3,)], ["self", "other"]),
    (torch.sub, [(3,), (3,)], ["self", "other"]),
    (torch.addmm, [(4, 5), (4, 3), (3, 5)], ["self", "mat1", "mat2"]),
    (torch.baddbmm, [(2, 3, 5), (2, 3, 4), (2, 4, 5)], ["self", "batch1", "batch2"]),
    (torch.lerp, [(3,), (3,), (3,)], ["self", "end", "weight"]),
    (F.mse_loss, [(3,), (3,)], ["self", "target"]),
    (lambda x, w, b: F.layer_norm(x, (3,), w, b), [(4, 3), (3,), (3,)], ["input", "weight", "bias"]),
    (F.conv2d, [(1, 2, 5, 5), (3, 2, 3, 3), (3,)], ["input", "weight", "bias"]),
    (torch.clamp, [(3,), (3,), (3,)], ["self", "min", "max"]),
    (lambda *t: torch.cat(t), [(2,), (3,), (4,)], ["tensors[0]", "tensors[1]", "tensors[2]"]),
    (lambda *t: torch.stack(t), [(2,), (2,)], ["tensors[0]", "tensors[1]"]),
    (
        lambda a, b, c, d: torch._foreach_pow([a, b], [c, d])[1],
        [(2,)] * 4,
        ["self[0]", "self[1]", "exponent[0]", "exponent[1]"],
    ),
    (
        F.scaled_dot_product_attention,
        [(1, 2, 4, 8), (1, 2, 4, 8), (1, 2, 4, 8)],
        ["query", "key", "value"],
    ),
]


@pytest.mark.parametrize("number", range(len(ORDERS)))
def test_slots_are_in_the_order_of_the_argument_names(number: int) -> None:
    program, shapes, names = ORDERS[number]
    inputs = [seeded(*shape, seed=i) for i, shape in enumerate(shapes)]
    node = program(*inputs).grad_fn
    assert node is not None
    assert list(argument_names(node.name(), len(node.next_functions))) == names
    for position, tensor in enumerate(inputs):
        frozen = [other.detach().requires_grad_(i != position) for i, other in enumerate(inputs)]
        stubs = program(*frozen).grad_fn.next_functions  # type: ignore[union-attr]
        assert [i for i, (before, _) in enumerate(stubs) if before is None] == [position], tensor.shape


# ---- the file ---------------------------------------------------------------------------------


def test_the_file_is_whole() -> None:
    table = json.loads(make_formulas.FORMULAS_FILE.read_text(encoding="utf-8"))
    assert len(table["nodes"]) >= 640
    assert table["torch"] == torch_version()
    assert formulas("PowBackward0", 1) == ("pow_backward(grad, self, exponent)",)
    assert all(len(node["args"]) == len(node["formulas"]) for node in table["nodes"].values())
    assert table["nodes"]["CatBackward0"]["lists"] == [0]


@pytest.mark.slow
def test_the_file_is_what_the_script_makes() -> None:
    pytest.importorskip("yaml")
    if torch.__version__.partition("+")[0] != torch_version():
        pytest.skip("another torch than the one the file was made from")
    assert make_formulas.main(["--check"]) == 0


def test_a_missing_reader_of_yaml_is_named() -> None:
    code = (
        "import sys; sys.modules['yaml'] = None\n"
        "from autograd_tour.rules import make_formulas\nmake_formulas.main(['--check'])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "pip install PyYAML" in run.stderr


def test_unknown_names_say_nothing() -> None:
    assert formulas("NoSuchBackward0", 2) == ("", "")
    assert argument_names("NoSuchBackward0", 2) == ()
    assert argument_names("MulBackward0", 5) == ()
