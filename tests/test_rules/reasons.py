"""Where a rule is told in words, and where nothing is said: each with its reason."""

from __future__ import annotations

__all__ = ["SILENT", "WORDS"]

_LAYER = "a whole layer: its formula would be the layer written out backwards"
_LINEAR = "linear: backward of its backward is the operation itself, with all its options"
_FACTORS = "several factors that depend on each other: the formula does not fit a line"
_MET = "looks at how many, or which, elements met at one place"
_STORED = "concerns how elements are stored, not what they are"

WORDS: dict[str, str] = {
    "AdaptiveAvgPool2DBackwardBackward0": _LINEAR,
    "AdaptiveAvgPool3DBackwardBackward0": _LINEAR,
    "AsStridedBackward0": "any layout of memory: no rule by dimensions",
    "AsStridedScatterBackward0": "any layout of memory: no rule by dimensions",
    "AvgPool2DBackwardBackward0": _LINEAR,
    "AvgPool3DBackwardBackward0": _LINEAR,
    "CdistBackward0": "norms other than 1 and 2 have a product of powers for every pair",
    "CholeskySolveBackward0": _FACTORS,
    "ConvolutionBackwardBackward0": "three gradients come in, each through another convolution",
    "CopySlices": "the rule is that of the operation that wrote to the view",
    "CtcLossBackward0": "sums over all alignments",
    "CtcLossBackward1": "sums over all alignments",
    "EmbeddingBagBackward0": "bags of any size, reduced in three ways",
    "GeluBackwardBackward0": "the second derivative of the approximation takes three lines",
    "AffineGridGeneratorBackward0": "the places are made inside, by size and align_corners",
    "GridSampler2DBackward0": "the neighbours and their weights differ for every point",
    "GridSampler2DCpuFallbackBackward0": "the neighbours and their weights differ for every point",
    "GridSampler3DBackward0": "the neighbours and their weights differ for every point",
    "GroupedMmBackward0": "offsets cut one side into groups",
    "IndexReduceBackward0": _MET,
    "LinalgEigBackward0": _FACTORS,
    "LinalgHouseholderProductBackward0": _FACTORS,
    "LinalgLstsqBackward0": _FACTORS,
    "LinalgLuBackward0": _FACTORS,
    "LinalgLuFactorExBackward0": _FACTORS,
    "LinalgLuSolveBackward0": _FACTORS,
    "LinalgPinvBackward0": _FACTORS,
    "LinalgQrBackward0": _FACTORS,
    "LinalgSvdBackward0": _FACTORS,
    "LuUnpackBackward0": _FACTORS,
    "MkldnnRnnLayerBackward0": _LAYER,
    "MultiMarginLossBackward0": "counts the classes that come too near",
    "MultilabelMarginLossBackward0": "counts the classes that come too near",
    "OrmqrBackward0": _FACTORS,
    "PdistBackward0": "every pair of rows once, in one long vector",
    "ReflectionPad1DBackwardBackward0": _LINEAR,
    "ReflectionPad2DBackwardBackward0": _LINEAR,
    "ReflectionPad3DBackwardBackward0": _LINEAR,
    "RenormBackward0": "two rules, by the norm of each row",
    "ReplicationPad1DBackwardBackward0": _LINEAR,
    "ReplicationPad2DBackwardBackward0": _LINEAR,
    "ReplicationPad3DBackwardBackward0": _LINEAR,
    "ScatterReduceBackward0": _MET,
    "SegmentReduceBackward0": _MET,
    "SparseMmReduceImplBackward0": _STORED,
    "SparseSampledAddmmBackward0": _STORED,
    "ToSparseBackward0": _STORED,
    "ToSparseBackward1": _STORED,
    "TriangularSolveBackward0": "deprecated: solve_triangular has the formula",
    "TrilinearBackward0": "three operands, any of whose dimensions may be summed",
    "UnsafeMaskedIndexBackward0": "made inside torch only",
    "UnsafeMaskedIndexPutAccumulateBackward0": "made inside torch only",
    "UpsampleBicubic2DAaBackward0": "the filter's width and weights follow from the size",
    "UpsampleBilinear2DAaBackward0": "the filter's width and weights follow from the size",
    "UpsampleLanczos2DAaBackward0": "the filter's width and weights follow from the size",
    **{
        f"Upsample{kind}BackwardBackward0": _LINEAR
        for kind in (
            *("Nearest1D", "Nearest2D", "Nearest3D", "Linear1D", "Bilinear2D", "Trilinear3D", "Bicubic2D"),
            *("NearestExact1D", "NearestExact2D", "NearestExact3D", "Bilinear2DAa", "Bicubic2DAa"),
        )
    },
}
"""Nodes with an edge that is told in words, and why it has no formula."""

SILENT: dict[str, tuple[int, ...]] = {"CopyBackwards": (0,)}
"""Edges on which nothing is said: torch makes this node inside an operation, where no type is heard."""
