"""Straight-through estimators: a tensor with the value of one tensor and the gradient of another.

``x + (torch.round(x) - x).detach()`` is ``round(x)`` to forward and ``x`` to backward. That is sure where the
sums and differences that made it leave just one tensor over, once with what was detached and once without.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from torch import Tensor

from autograd_tour.tracer.assemble.material import Material
from autograd_tour.tracer.assemble.naming import SourceNames
from autograd_tour.tracer.listen.calls import CallRecord, Operand

__all__ = ["straight_through"]

DEEPEST = 6
"""So many sums inside each other are looked at."""

_CUTS = ("detach", "data")
_SIGNS = {"add": (1, 1), "sub": (1, -1)}
_Key = tuple[str, int, int]
"""A leaf, the result of a call, or a constant: its kind, its id or number, and which result."""

_Terms = Counter[_Key]


def straight_through(material: Material, i: int) -> tuple[str, ...]:
    """What a reader has to know of node ``i`` if it is one; nothing if that is not sure."""
    call = material.calls[i]
    if call is None or call.function not in _SIGNS or not call.made_one_node or not _is_cut(material, call):
        return ()
    terms = _Sums(material)
    value, gradient = terms.of_call(call, True, DEEPEST), terms.of_call(call, False, DEEPEST)
    if value == gradient or not _is_one(value) or not _is_one(gradient):
        return ()
    texts = [terms.text(next(iter(side))) for side in (value, gradient)]
    if not all(texts):
        return ()
    return "straight-through estimator", f"value: {texts[0]}", f"gradient: as if that were {texts[1]}"


def _is_cut(material: Material, call: CallRecord) -> bool:
    cuts = (material.constant(item.constant).cut_from for item in call.operands if item.constant >= 0)
    return any(cut is not None and cut[0] in _CUTS for cut in cuts)


def _is_one(terms: _Terms) -> bool:
    return list(terms.values()) == [1]


class _Sums:
    """Sums of tensors as what they are made of, with what was detached or without."""

    def __init__(self, material: Material) -> None:
        self.material = material
        self.objects: dict[_Key, Any] = {}

    def of_call(self, call: CallRecord, detached: bool, depth: int) -> _Terms:
        """The terms of the result of a sum or difference; of anything else that result."""
        signs, shape = _SIGNS.get(call.function), call.outputs[0].shape if len(call.outputs) == 1 else None
        shapes = [self._shape(item) for item in call.operands]
        if not depth or signs is None or shape is None or shapes != [shape, shape]:
            return self._term("call", id(call), call)
        terms: _Terms = Counter()
        for sign, operand in zip(signs, call.operands, strict=True):
            for key, count in self._of_operand(operand, detached, depth - 1).items():
                terms[key] += sign * count
        return Counter({key: count for key, count in terms.items() if count})

    def _of_operand(self, operand: Operand, detached: bool, depth: int) -> _Terms:
        if operand.constant < 0:
            if isinstance(operand.source, CallRecord):
                if len(operand.source.outputs) == 1:
                    return self.of_call(operand.source, detached, depth)
                return self._term("call", id(operand.source), operand.source, operand.position)
            return self._term("leaf", id(operand.source), operand.source)
        cut = self.material.constant(operand.constant).cut_from
        if cut is None or cut[0] not in _CUTS:
            return self._term("constant", operand.constant, operand.constant) if detached else Counter()
        if not detached:
            return Counter()
        _, call, leaf = cut
        if leaf is not None:
            return self._term("leaf", id(leaf), leaf)
        if call is None or len(call.outputs) != 1:
            return self._term("constant", operand.constant, operand.constant)
        return self.of_call(call, detached, depth)

    def _term(self, kind: str, key: int, item: object, position: int = 0) -> _Terms:
        self.objects[kind, key, position] = item
        return Counter({(kind, key, position): 1})

    def _shape(self, operand: Operand) -> tuple[int, ...] | None:
        """``None`` where it is not known, and for a number."""
        if operand.constant >= 0:
            return self.material.constant(operand.constant).facts.shape
        if isinstance(operand.source, CallRecord):
            outputs = operand.source.outputs
            return outputs[operand.position].shape if operand.position < len(outputs) else None
        return tuple(operand.source.shape) if isinstance(operand.source, Tensor) else None

    def text(self, key: _Key) -> str:
        """What the program calls a term: its name, or the expression that made it."""
        return next(filter(None, self._texts(key)), "")

    def _texts(self, key: _Key) -> Iterator[str]:
        item, record, names = self.objects[key], self.material.record, self.material.leaf_names
        if isinstance(item, Tensor):
            yield names.get(id(item), "")
        elif isinstance(item, CallRecord):
            yield item.names[key[2]] if key[2] < len(item.names) else ""
            if record is not None and item.whole and len(item.outputs) == 1:
                source = record.sites.spots.expression(item.site.spot)
                yield source.name() if source is not None else ""
        else:
            constant = self.material.constant(item)
            yield self.material.constant_name(item)
            yield SourceNames(record).tensor(-1 - item, constant.born, constant.facts.shape).name
