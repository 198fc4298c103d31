"""What a record costs at least: its structure, and one bare reading of all numbers that it tells of.

``python -m benchmarks.floor`` prints a table. Beside *plain* forward and backward stand, as ratios,

- *structure*: a trace with ``keep=0``, hooks and building, no number is read;
- *norms*, *norms and extremes*: the tensors that a full record reads, each passed once to ``torch.dot``, and
  to ``torch.aminmax`` too, by a bare loop with nothing else in it;
- *least*: structure and norms together: a record with a norm of each tensor does not cost less in this way;
- *record*: the full one.

CPU time on one thread, medians of rounds in turn.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.configured import CONFIGURED
from benchmarks.jobs import MIDDLE, Scale

if TYPE_CHECKING:
    from torch import Tensor

ROUNDS = 5


def _programs() -> dict[str, Callable[[], tuple[Any, Callable[[Any], Tensor]]]]:
    from benchmarks.models import Size, gpt_loss, make_gpt

    def made(scale: Scale) -> tuple[Any, Callable[[Any], Tensor]]:
        size = Size(scale.layers, scale.width, scale.heads, scale.vocabulary, scale.tokens)
        model, tokens = make_gpt(size)
        return model, lambda module: gpt_loss(module, tokens)

    programs: dict[str, Callable[[], tuple[Any, Callable[[Any], Tensor]]]] = {
        "transformer of the size of GPT-2": partial(made, Scale()),
        "transformer of 6 layers, 128 tokens": partial(made, MIDDLE),
    }
    return programs | {item.name: partial(item.make, False) for item in CONFIGURED.values()}


def read_by_a_record(record: Callable[[], Any]) -> list[Tensor]:
    """All tensors whose elements a full record reads, each once."""
    from autograd_tour.tracer import measure

    tensors: list[Tensor] = []
    space: Any = vars(measure)
    real = space["stats_of_tensor"]

    def noting(tensor: Tensor, *words: Any) -> Any:
        tensors.append(tensor.detach())
        return real(tensor, *words)

    space["stats_of_tensor"] = noting
    try:
        record()
    finally:
        space["stats_of_tensor"] = real
    return [tensor.reshape(-1) for tensor in tensors if tensor.is_floating_point() and tensor.numel()]


def costs(model: Any, loss: Callable[[Any], Tensor]) -> dict[str, float]:
    """Seconds of each piece of work."""
    import torch

    from autograd_tour import trace

    def plain() -> None:
        loss(model).backward()  # type: ignore[no-untyped-call]
        model.zero_grad()

    plain()
    flat = read_by_a_record(lambda: trace(loss, model))

    def norms() -> None:
        for tensor in flat:
            torch.dot(tensor, tensor).item()

    def extremes() -> None:
        for tensor in flat:
            least, most = torch.aminmax(tensor)
            least.item(), most.item()

    works: dict[str, Callable[[], Any]] = {
        "plain": plain,
        "structure": lambda: trace(loss, model, keep=0),
        "record": lambda: trace(loss, model),
        "norms": norms,
        "extremes": extremes,
    }
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(ROUNDS):
        for name, work in works.items():
            start = time.process_time()
            work()
            times[name].append(time.process_time() - start)
    middle = {name: median(values) for name, values in times.items()}
    return middle | {"megabytes": sum(tensor.numel() * tensor.element_size() for tensor in flat) / 1e6}


def main() -> None:
    """Print the table."""
    import torch

    torch.set_num_threads(1)
    names = sys.argv[1:]
    print("| what | plain | structure | MB read | norms | norms and extremes | least | record |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    for name, make in _programs().items():
        if names and not any(part.lower() in name.lower() for part in names):
            continue
        seconds = costs(*make())
        plain = seconds["plain"]
        norms, extremes = seconds["norms"] / plain, seconds["extremes"] / plain
        structure = seconds["structure"] / plain
        print(
            f"| {name} | {plain:.3g} s | {structure:.2f} | {seconds['megabytes']:,.0f} | {norms:.2f} "
            f"| {norms + extremes:.2f} | {structure + norms:.2f} | {seconds['record'] / plain:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
