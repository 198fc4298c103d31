"""What the forward of a module costs: the multiply-adds of its operations, read off the shapes of tensors."""

from __future__ import annotations

import re
from collections.abc import Iterator, Set
from math import prod

from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.memory import ModuleWork
from autograd_tour.tracer.assemble.material import Material
from autograd_tour.tracer.assemble.saved import read_attributes
from autograd_tour.tracer.assemble.values import Values

__all__ = ["Work", "base_of"]

_VIEWS = frozenset(
    f"{name}Backward0"
    for name in (
        "Alias", "AsStrided", "Detach", "Diagonal", "Expand", "Permute", "ReshapeAlias", "Select", "Slice",
        "Split", "SplitWithSizes", "Squeeze", "T", "Transpose", "Unbind", "Unfold", "UnsafeView", "Unsqueeze",
        "View", "ViewAsComplex", "ViewAsReal",
    )
) | {"SqueezeBackward1", "SqueezeBackward2", "TransposeBackward1"}  # fmt: skip
"""Nodes whose result is a look at their input."""
_UNCOUNTED = ("Rnn", "Fused", "Lstm", "Gru", "Trilinear", "Cdist", "Fft", "CompiledFunction")


def base_of(material: Material, i: int, k: int) -> tuple[int, int]:
    """The output that output ``k`` of node ``i`` is a view of, or that output itself."""
    skeleton = material.skeleton
    while skeleton.names[i] in _VIEWS and skeleton.next[i] and skeleton.next[i][0][0] >= 0:
        i, k = skeleton.next[i][0]
    return i, k


class Work:
    """Counts the operations of one graph, module by module."""

    def __init__(self, material: Material, values: Values) -> None:
        self.material, self.values = material, values

    def of_modules(self, kept: Set[tuple[int, int]], bases: Set[tuple[int, int]]) -> tuple[ModuleWork, ...]:
        """The whole, as ``""``, and every module that ran, by path.

        ``kept`` are outputs that something keeps, ``bases`` those behind the views among them.
        """
        counts: dict[str, int] = {"": 0}
        uncounted: set[str] = set()
        unkept: dict[str, dict[tuple[int, int], int]] = {}
        skeleton = self.material.skeleton
        for i, name in enumerate(skeleton.names):
            if name == "AccumulateGrad":
                continue
            group = self.material.group(i)
            count, missing = self._multiply_adds(i), any(word in name for word in _UNCOUNTED)
            for path in _around(group):
                counts[path] = counts.get(path, 0) + count
                if missing:
                    uncounted.add(path)
            for j, k in skeleton.next[i]:
                if j < 0 or self.material.is_leaf(j):
                    continue
                base = base_of(self.material, j, k)
                if base in bases or (j, k) in kept or self.material.is_leaf(base[0]):
                    continue
                made_in = set(_around(self.material.group(j)))
                for path in _around(group):
                    if path not in made_in:
                        unkept.setdefault(path, {})[base] = _bytes(self.values.of(*base))
        return tuple(
            ModuleWork(path, counts[path], path in uncounted, sum(unkept.get(path, {}).values()))
            for path in sorted(counts)
        )

    def _multiply_adds(self, i: int) -> int:
        result = self._size(i, 0)
        name = self.material.skeleton.names[i].rstrip("0123456789").removesuffix("Backward")
        if name in ("Mm", "Addmm"):
            sizes = dict(read_attributes(self.material.skeleton.fns[i]))
            inner = sizes.get("mat1_sym_sizes" if name == "Addmm" else "self_sym_sizes")
            return prod(result) * int(inner[-1]) if isinstance(inner, tuple) and inner else 0  # type: ignore[arg-type]
        if name in ("Bmm", "Baddbmm", "Mv", "Addmv", "Dot"):
            operands = self._operands(i)
            return prod(result) * max((shape[-1] for shape in operands[:1] if shape), default=0)
        if name == "Convolution":
            return self._convolution(i, result)
        if name.startswith("ScaledDotProduct"):
            q, k, v = (self._saved(i, item) for item in ("query", "key", "value"))
            return prod(q) * k[-2] + prod(q[:-1]) * k[-2] * v[-1] if q and len(k) > 1 and v else 0
        return 0

    def _convolution(self, i: int, result: tuple[int, ...]) -> int:
        weight = self._saved(i, "weight") or self._size(*self.material.skeleton.next[i][1])
        given = self._saved(i, "input") or self._size(*self.material.skeleton.next[i][0])
        transposed = dict(read_attributes(self.material.skeleton.fns[i])).get("transposed")
        moved = given if transposed else result
        return prod(moved) * prod(weight[1:]) if weight else 0

    def _operands(self, i: int) -> list[tuple[int, ...]]:
        """The shape of the first factor; that of the second tells the same from its other side."""
        name = self.material.skeleton.names[i]
        first, second, slot = ("batch1", "batch2", 1) if name.startswith("Baddbmm") else ("self", "mat2", 0)
        shape = self._saved(i, first)
        if not shape and len(self.material.skeleton.next[i]) > slot:
            shape = self._size(*self.material.skeleton.next[i][slot])
        if not shape and len(other := self._saved(i, second)) > 1:
            shape = (other[-2],)
        return [shape or self._saved(i, "vec")]

    def _saved(self, i: int, name: str) -> tuple[int, ...]:
        raw = getattr(self.material.skeleton.fns[i], f"_raw_saved_{name}", None)
        if raw is None or raw.unpack_hook is not None:
            return ()
        data = raw.data
        return tuple(data.shape) if data is not None else ()

    def _size(self, i: int, k: int) -> tuple[int, ...]:
        facts = self.values.of(i, k)
        return facts.shape if facts is not None else ()


def _around(path: str) -> Iterator[str]:
    """The path, those of all modules around it, and ``""``, the whole."""
    while path:
        yield path
        path = path.rpartition(".")[0]
    yield ""


def _bytes(facts: TensorFacts | None) -> int:
    if facts is None:
        return 0
    bits = re.search(r"\d+", facts.dtype)  # float32, bfloat16, complex64, float8_e4m3fn; bool has none
    return facts.numel * (max(int(bits[0]) // 8, 1) if bits else 1)
