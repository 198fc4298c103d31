"""Rules of Fourier transforms: the transform back, with what the normalisation and halved spectra ask for."""

from __future__ import annotations

import math
from collections.abc import Mapping

from autograd_tour.record.rule import Expression, apply
from autograd_tour.rules.definition import Definition, G, by_slot
from autograd_tour.rules.node import NodeView, Shape

__all__ = ["SPECTRAL"]


def _dims(node: NodeView) -> Shape | None:
    shape, dims = node.shape(0), node.integers("dim")
    return None if shape is None or dims is None else tuple(dim % len(shape) for dim in dims)


def _scale(normalization: int, count: int) -> float:
    """What a transform is multiplied by: nothing, 1/√n or 1/n."""
    return {0: 1.0, 1: 1 / math.sqrt(count), 2: 1 / count}[normalization]


def _complex(node: NodeView, _: int) -> Expression | None:
    """The adjoint turns the sign in the exponent; ``ifft`` has a factor 1/n that has to be made good."""
    dims, shape, normalization = _dims(node), node.shape(0), node.integer("normalization")
    forward = node.flag("forward")
    if dims is None or shape is None or normalization is None or forward is None:
        return None
    count = math.prod(shape[dim] for dim in dims)
    scale = _scale(normalization, count)
    if forward:
        return _times(scale * count, apply("ifft", G, dims=dims))
    return _times(scale, apply("fft", G, dims=dims))


def _times(number: float, x: Expression) -> Expression:
    whole = round(number)
    return number * x if abs(number - whole) > 1e-9 * max(number, 1) else x if whole == 1 else whole * x


def _from_real(node: NodeView, _: int) -> Expression | None:
    """Of a real signal half of the spectrum was kept: the other half gets no gradient."""
    dims, shape, normalization = _dims(node), node.shape(0), node.integer("normalization")
    if not dims or shape is None or normalization is None:
        return None
    count, size = math.prod(shape[dim] for dim in dims), shape[dims[-1]]
    g = apply("zeros_behind", G, dim=dims[-1], size=size) if node.flag("onesided") else G
    return apply("real", _times(_scale(normalization, count) * count, apply("ifft", g, dims=dims)))


def _to_real(node: NodeView, _: int) -> Expression | None:
    """All frequencies but the first, and the last of an even size, stood for two."""
    dims, shape, normalization = _dims(node), node.output_shape, node.integer("normalization")
    if not dims or shape is None or normalization is None:
        return None
    count, size = math.prod(shape[dim] for dim in dims), shape[dims[-1]]
    inside = size - (size // 2 + 1)
    back = apply("rfft", G, dims=dims)
    doubled = apply("inner_doubled", back, dim=dims[-1], count=inside) if inside > 0 else back
    return _times(_scale(normalization, count), doubled)


SPECTRAL: Mapping[str, Definition] = {
    "FftC2CBackward0": by_slot(_complex, any_numbers=True),
    "FftR2CBackward0": by_slot(_from_real, any_numbers=True),
    "FftC2RBackward0": by_slot(_to_real, any_numbers=True),
}
"""The rules of Fourier transforms, by the name of the grad_fn."""
