"""Rules of linear algebra: a formula where it is a line, else words."""

from __future__ import annotations

from collections.abc import Mapping

from autograd_tour.record.rule import Expression, Symbol, Words, apply
from autograd_tour.rules.definition import Definition, G, X, Y, by_slot, define
from autograd_tour.rules.node import NodeView, Shape
from autograd_tour.rules.normalisation import let
from autograd_tour.rules.products import transpose

__all__ = ["LINALG"]

S = Symbol("saved", 0, "s")
"""The solution of a linear system, in the rules that use it twice."""
G1 = Symbol("gradient", 1)


def inverse(x: Expression) -> Expression:
    return apply("inverse", x)


def _over_matrix(node: NodeView, what: Expression) -> Expression | None:
    """A number for each matrix, over the elements of that matrix."""
    shape = node.shape(0)
    return (
        None if shape is None else apply("expand", what, shape=shape, dims=(len(shape) - 2, len(shape) - 1))
    )


def _det(node: NodeView, _: int) -> Expression | None:
    """Cofactors are det·inv(A)ᵀ, and there where the matrix has no inverse."""
    g = _over_matrix(node, G)
    return None if g is None else g * apply("cofactors", node.input(0))


def _slogdet(node: NodeView, _: int) -> Expression | None:
    """Output 0 is the sign, or the phase of a complex determinant; 1 the logarithm of its size."""
    turned = transpose(inverse(node.input(0)))
    if "complex" not in node.operand(0).dtype:
        g = _over_matrix(node, G1)
        return None if g is None else g * turned
    phase = apply("imag", apply("conj", G) * node.result(otherwise="sign"))
    g = _over_matrix(node, G1 - apply("imaginary_unit") * phase)
    return None if g is None else g * apply("conj", turned)


def _fitted(form: Expression, node: NodeView, slot: int, batch: Shape | None) -> Expression:
    """With the sum over the batch to which an operand was broadcast."""
    shape = node.operand(slot).shape
    if shape is None or batch is None or len(shape) < 2 or shape[:-2] == batch:
        return form
    return apply("sum_to", form, shape=shape, count=None)


def _is_vector(node: NodeView) -> bool:
    a, b = node.shape(0) or (), node.operand(1).shape or ()
    return len(b) == 1 or (len(b) == len(a) - 1 and b == a[:-1])


def _solve(node: NodeView, slot: int) -> Expression | None:
    """``A X = B``, or ``X A = B``: solved with the transpose, and of that the product is taken."""
    a, b = node.shape(0), node.operand(1).shape
    left = node.flag("left")
    if slot > 1 or a is None or b is None or left is None:
        return None
    solved, x = apply("solve", transpose(node.input(0)), G, left=left, vector=_is_vector(node)), node.result()
    out = node.output_shape
    if _is_vector(node):
        return solved if slot else let(solved, -apply("outer", S, x), S)
    batch = None if out is None else out[:-2]
    if slot == 1:
        return _fitted(solved, node, 1, batch)
    product = S @ transpose(x) if left else transpose(x) @ S
    return let(solved, _fitted(-product, node, 0, batch), S)


def _solve_triangular(node: NodeView, slot: int) -> Expression | None:
    upper, left, unit = (node.flag(name) for name in ("upper", "left", "unitriangular"))
    out = node.output_shape
    if slot > 1 or upper is None or left is None or out is None:
        return None
    # Only the given triangle counts; its diagonal is 1 if the node was told so.
    edge = (1 if unit else 0) * (1 if upper else -1)
    turned = transpose(_triangle(node.input(0), upper, edge))
    solved = apply("solve_triangular", turned, G, left=left, upper=not upper, unit=bool(unit))
    if slot == 1:
        return _fitted(solved, node, 1, out[:-2])
    x = node.result()
    product = S @ transpose(x) if left else transpose(x) @ S
    return let(solved, _fitted(_triangle(-product, upper, edge), node, 0, out[:-2]), S)


def _triangular_solve(node: NodeView, slot: int) -> Words | None:
    """``A`` counts on one triangle only; ``transpose`` turned it already on the way forward."""
    if slot > 1:
        return None
    turned = "" if node.flag("transpose") else ", transposed"
    solved = f"solved with the {'upper' if node.flag('upper') else 'lower'} triangle of A{turned}"
    edge = ", without the diagonal" if node.flag("unitriangular") else ""
    part = f"−1 times its product with the solution, on that triangle{edge}"
    return Words(solved if slot == 0 else f"{solved}; {part}")


def _triangle(x: Expression, upper: bool, edge: int) -> Expression:
    """The upper or lower triangle of ``x``, from the diagonal ``edge`` on."""
    return apply("upper" if upper else "lower", x, diagonal=edge)


def _cholesky(node: NodeView, _: int) -> Expression | None:
    """``mirrored`` keeps the lower triangle and copies it, transposed, above the diagonal."""
    upper, y = node.flag("upper"), node.result()
    if upper is None:
        return None
    turned = transpose(y)
    if "complex" in node.operand(0).dtype:
        turned = apply("conj", turned)
    if upper:
        g = apply("conj", transpose(G)) if "complex" in node.operand(0).dtype else transpose(G)
        return 0.5 * (inverse(y) @ apply("mirrored", y @ g) @ inverse(turned))
    return 0.5 * (inverse(turned) @ apply("mirrored", turned @ G) @ inverse(y))


def _cholesky_inverse(node: NodeView, _: int) -> Expression | None:
    upper, y, factor = node.flag("upper"), node.result(), node.input(0)
    if upper is None:
        return None
    turned = transpose(G)
    if "complex" in node.operand(0).dtype:
        turned = apply("conj", turned)
    common = y @ (G + turned) @ y
    return -(factor @ common) if upper else -(common @ factor)


def _eigh(node: NodeView, _: int) -> Expression:
    """Output 0 are the eigenvalues, 1 the eigenvectors: those mix by the gaps between the eigenvalues."""
    vectors = node.result(1, "eigenvectors")
    turned = transpose(vectors)
    if "complex" in node.operand(0).dtype:
        turned = apply("conj", turned)
    inner: Expression = apply("as_diagonal", G)
    mixed = apply("inverse_gaps", node.result()) * apply("skew", turned @ G1)
    if 0 in node.unused:
        inner = mixed
    elif 1 not in node.unused:
        inner = inner + mixed
    return vectors @ inner @ turned


def _svd(node: NodeView, _: int) -> Words:
    """Outputs are U, S and Vᵀ: only those that something was made of hand a gradient back."""
    if node.unused >= {0, 2}:
        return Words("U·diag({g})·Vᵀ")
    return Words("U(…)Vᵀ: {g} of S on the diagonal, of U and V over the gaps of S² beside it")


def _eig(node: NodeView, _: int) -> Words:
    if 1 in node.unused:
        return Words("V⁻ᴴ·diag({g})·Vᴴ")
    return Words("V⁻ᴴ(…)Vᴴ: {g} of λ on the diagonal, {g} of V over the gaps of λ beside it")


def _cross(node: NodeView, slot: int) -> Expression | None:
    shape, dim = node.output_shape, node.integer("dim")
    if shape is None or dim is None or slot > 1:
        return None
    sides = (node.input(1), G) if slot == 0 else (G, node.input(0))
    return apply("cross", *sides, dim=dim % len(shape) - len(shape))


def _block(node: NodeView, slot: int) -> Expression | None:
    """A block on the diagonal: rows and columns behind those of the blocks before."""
    shapes = [operand.shape for operand in node.inputs[: slot + 1]]
    full = [(1,) * (2 - len(shape)) + shape for shape in shapes if shape is not None]
    if len(full) != slot + 1:
        return None
    (top, start), (rows, columns) = (sum(s[i] for s in full[:-1]) for i in (0, 1)), full[-1]
    inside = f"{top}:{top + rows}, {start}:{start + columns}"
    return apply(
        "block", G, rows=(top, top + rows), columns=(start, start + columns), inside=inside, shape=shapes[-1]
    )


def _words(*texts: str) -> Definition:
    return define(*map(Words, texts))


_INVERSE = Definition((-(transpose(Y) @ G @ transpose(Y)),), holomorphic=True)

LINALG: Mapping[str, Definition] = {
    "LinalgDetBackward0": by_slot(_det, holomorphic=True),
    "LinalgSlogdetBackward0": by_slot(_slogdet, any_numbers=True),
    "LinalgInvExBackward0": _INVERSE,
    "LinalgSolveExBackward0": by_slot(_solve, holomorphic=True),
    "LinalgSolveTriangularBackward0": by_slot(_solve_triangular, holomorphic=True),
    "LinalgCholeskyExBackward0": by_slot(_cholesky, any_numbers=True),
    "CholeskyBackward0": by_slot(_cholesky, any_numbers=True),
    "LinalgEighBackward0": by_slot(_eigh, any_numbers=True),
    "LinalgMatrixExpBackward0": Definition((apply("exp_block", transpose(X), G),), holomorphic=True),
    "LinalgCrossBackward0": Definition((_cross, _cross), pointwise=True, holomorphic=True),
    "BlockDiagBackward0": by_slot(_block),
    "LinalgSvdBackward0": by_slot(_svd, any_numbers=True),
    "LinalgQrBackward0": _words("solved with Rᵀ, from {g} of Q and R"),
    "LinalgEigBackward0": by_slot(_eig, any_numbers=True),
    "LinalgLuBackward0": _words("solved with Lᵀ and Uᵀ, from {g} of L and U"),
    "LinalgLuFactorExBackward0": _words("solved with Lᵀ and Uᵀ, from the triangles of {g}"),
    "LuUnpackBackward0": _words("{g} of L below the diagonal, {g} of U on and above it"),
    "LinalgLuSolveBackward0": _words(
        "solved with the transposed system, @ Xᵀ", "solved with the transposed system"
    ),
    "LinalgLstsqBackward0": _words(
        "through the pseudo-inverse and the residual", "through the transposed pseudo-inverse"
    ),
    "LinalgPinvBackward0": _words("−yᵀ @ {g} @ yᵀ, y the result, and what is outside the range of the input"),
    "CholeskySolveBackward0": _words(
        "solved as on the way forward", "both triangles, from the solution and the solved {g}"
    ),
    "CholeskyInverseBackward0": by_slot(_cholesky_inverse, any_numbers=True),
    "TriangularSolveBackward0": by_slot(_triangular_solve),
    "LinalgHouseholderProductBackward0": _words(
        "through each reflection, from the last to the first",
        "through each reflection, from the last to the first",
    ),
    "OrmqrBackward0": _words(
        "through each reflection, from the last to the first",
        "through each reflection, from the last to the first",
        "multiplied by Qᵀ instead of Q",
    ),
    "TrilinearBackward0": by_slot(
        lambda _node, _slot: Words("× the other two, summed over their dimensions")
    ),
    "SparseSampledAddmmBackward0": by_slot(
        lambda _node, slot: (
            Words(
                (
                    "× beta, at the stored elements",
                    "@ the other factor, transposed",
                    "the other factor, transposed @",
                )[slot]
            )
            if slot < 3
            else None
        )
    ),
}
"""The rules of linear algebra, by the name of the grad_fn."""
