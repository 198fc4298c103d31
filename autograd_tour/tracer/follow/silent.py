"""What tensors of before hold when nobody listens any more: ``.data`` is written to without a trace."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set

import torch
from torch import Tensor

from autograd_tour.tracer.references import TensorRef

__all__ = ["Silent"]

MOST_COPIED = 1_000_000
"""Elements of a tensor that is copied; of a larger one only the sum of its bits is kept."""

MOST_IN_ALL = 16_000_000

_WORDS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


class Silent:
    """Copies of small tensors, and of large ones a sum that changes when they do."""

    def __init__(self, tensors: Iterable[Tensor]) -> None:
        self.copied: set[int] = set()
        """``id`` of the tensors that are put back whatever happens to them."""
        self._copies: list[tuple[TensorRef, Tensor, Tensor]] = []
        self._sums: list[tuple[TensorRef, Tensor, Tensor]] = []
        left = MOST_IN_ALL
        for tensor in tensors:
            if not _is_plain(tensor):
                continue
            if tensor.numel() <= min(MOST_COPIED, left):
                left -= tensor.numel()
                self.copied.add(id(tensor))
                self._copies.append((TensorRef(tensor), tensor.data, tensor.detach().clone()))
            else:
                self._sums.append((TensorRef(tensor), tensor.data, _sum_of(tensor)))

    def restore(
        self, unheard: list[Tensor], done: Set[int], restored: Callable[[Tensor], None]
    ) -> list[Tensor]:
        """Put back what was copied, but for those ``done`` elsewhere; ``restored`` is called with each.

        Gives those of ``unheard`` that are not put back here, and the large ones that were changed.
        """
        copied: set[int] = set()
        for reference, data, content in self._copies:
            tensor = reference()
            if tensor is None or id(tensor) in done:
                continue
            _lay_back(tensor, data)
            if not torch.equal(_words(tensor), _words(content)):
                tensor.data.copy_(content)
            restored(tensor)
            copied.add(id(tensor))
        left = [tensor for tensor in unheard if id(tensor) not in copied]
        reported = {*done, *map(id, left)}
        for reference, data, content in self._sums:
            tensor = reference()
            if tensor is None or id(tensor) in reported:
                continue
            _lay_back(tensor, data)
            if not torch.equal(_sum_of(tensor), content):
                left.append(tensor)
        return left


def _lay_back(tensor: Tensor, data: Tensor) -> None:
    """Let ``tensor`` have the memory that it had."""
    if data.dtype != tensor.dtype or not data.is_set_to(tensor):
        tensor.data = data


def _is_plain(tensor: Tensor) -> bool:
    """Whether its elements lie one after the other in memory that can be read."""
    if type(tensor).__torch_dispatch__ is not torch._C._disabled_torch_dispatch_impl:
        return False
    if tensor.is_nested or tensor.layout is not torch.strided or tensor.device.type == "meta":
        return False
    return not tensor.is_quantized and tensor.numel() > 0 and tensor.is_contiguous()


def _words(tensor: Tensor) -> Tensor:
    """Its bits as integers: NaN is equal to itself."""
    flat = tensor.detach().resolve_conj().resolve_neg().reshape(-1)
    flat = torch.view_as_real(flat) if flat.is_complex() else flat
    return flat.view(_WORDS[flat.element_size()])


def _sum_of(tensor: Tensor) -> Tensor:
    return _words(tensor).sum(dtype=torch.int64)
