"""What is measured inside a process, each with its preparation: ``python -m benchmarks.jobs JOB FOLDER``.

A job prepares, then runs its work between two looks at the clock, and prints the cost as JSON. Its
torch modules are imported while it prepares.
"""

from __future__ import annotations

import gc
import json
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.configured import CONFIGURED

__all__ = ["FEW", "JOBS", "TOGETHER", "Scale", "main"]

Work = Callable[[], Any]

STACK = 2_000_000_000
"""torchviz calls itself once per node: 100,000 of them need this much stack."""


@dataclass(frozen=True)
class Scale:
    """Sizes of the models: as the limits are written for, or tiny ones to try the benchmarks out."""

    layers: int = 12
    width: int = 768
    heads: int = 12
    vocabulary: int = 50_257
    tokens: int = 64
    chain: int = 100_000
    long_chain: int = 1_000_000
    repeats: int = 15
    steps: int = 1_000
    epochs: int = 5_000


TINY = Scale(2, 16, 2, 50, 8, 300, 2_000, 1, 12, 12)
MIDDLE = Scale(6, 512, 8, 20_000, 128)


def _gpt(scale: Scale) -> tuple[Any, Any]:
    from benchmarks.models import Size, make_gpt

    return make_gpt(Size(scale.layers, scale.width, scale.heads, scale.vocabulary, scale.tokens))


# ---- structure ----------------------------------------------------------------------------


def dot_of_gpt(scale: Scale, folder: Path) -> tuple[Work, ...]:  # noqa: ARG001
    """The graph of an existing loss as DOT in torchviz's style, leaves named; the same from torchviz."""
    from torchviz import make_dot

    from benchmarks.models import gpt_loss

    model, tokens = _gpt(scale)
    loss = gpt_loss(model, tokens)
    names = dict(model.named_parameters())
    return (_our_dot(loss, names), lambda: make_dot(loss, names).source)


def _our_dot(loss: Any, names: dict[str, Any]) -> Work:
    from autograd_tour import trace
    from autograd_tour.drawing import dot
    from autograd_tour.record.trace import Trace
    from autograd_tour.views import registry

    view = registry()["torchviz"]

    def work() -> str:
        graph = trace(loss, backward=False, names=names, keep=0)
        return dot(view.picture(Trace(graph)), "TB")  # type: ignore[arg-type]

    return work


def dot_of_chain(scale: Scale, folder: Path) -> tuple[Work, int]:  # noqa: ARG001
    """A long chain as DOT."""
    from benchmarks.models import chain

    return _our_dot(chain(scale.chain), {}), 1


def torchviz_dot_of_chain(scale: Scale, folder: Path) -> tuple[Work, int]:  # noqa: ARG001
    """The same from torchviz, in a thread with a stack that is deep enough for it."""
    from torchviz import make_dot

    from benchmarks.models import chain

    result = chain(scale.chain)

    def work() -> None:
        sys.setrecursionlimit(10 * scale.chain + 10_000)
        threading.stack_size(STACK)
        thread = threading.Thread(target=lambda: make_dot(result).source)
        thread.start()
        thread.join()

    return work, 1


def long_chain(scale: Scale, folder: Path) -> tuple[Work, int]:
    """A chain of a million nodes: made, traced, folded, drawn, freed."""
    import torch  # noqa: F401

    from autograd_tour import trace
    from autograd_tour.drawing import draw
    from autograd_tour.record.trace import Trace
    from autograd_tour.views import picture_of
    from autograd_tour.views.fold import fold
    from benchmarks.models import chain

    def work() -> None:
        # Nobody holds the result: it is freed when it has been traced.
        graph = fold(trace(chain(scale.long_chain), backward=False, keep=0))
        svg = draw(picture_of(Trace(graph)))
        (folder / "long-chain.svg").write_text(svg, encoding="utf-8")

    return work, 1


def walked_chain(scale: Scale, folder: Path) -> tuple[Work, int]:  # noqa: ARG001
    """What nobody can do without: the same chain is made and walked with a stack and a set, and forgotten."""
    import torch  # noqa: F401

    from benchmarks.models import chain, walked

    def work() -> None:
        walked(chain(scale.long_chain))

    return work, 1


# ---- recording ----------------------------------------------------------------------------


def plain_run(scale: Scale, folder: Path) -> tuple[Work, int]:  # noqa: ARG001
    """Forward and backward, nothing recorded."""
    from benchmarks.models import gpt_loss

    model, tokens = _gpt(scale)

    def work() -> None:
        gpt_loss(model, tokens).backward()  # type: ignore[no-untyped-call]
        model.zero_grad()

    work()
    return work, min(scale.repeats, 3)


def recorded_run(scale: Scale, folder: Path) -> tuple[Work, int]:  # noqa: ARG001
    """Forward and backward with everything recorded. One plain run first, as for its peer."""
    from autograd_tour import trace
    from benchmarks.models import gpt_loss

    model, tokens = _gpt(scale)
    gpt_loss(model, tokens).backward()  # type: ignore[no-untyped-call]
    model.zero_grad()
    return lambda: trace(gpt_loss, model, tokens), min(scale.repeats, 3)


def first_recorded_run(scale: Scale, folder: Path) -> tuple[Work, int]:
    """The same, once: what the first call of a process costs."""
    return recorded_run(scale, folder)[0], 1


def torchlens_run(scale: Scale, folder: Path) -> tuple[Work, int]:  # noqa: ARG001
    """Forward and backward with torchlens, gradients recorded: what its ``draw_backward`` draws."""
    import torch
    import torchlens  # type: ignore[import-not-found, unused-ignore]

    from benchmarks.models import gpt_loss

    model, tokens = _gpt(scale)

    class WithLoss(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            return gpt_loss(self.model, tokens)

    program = WithLoss()
    program(tokens).backward()
    model.zero_grad()

    def work() -> None:
        trace = torchlens.trace(program, tokens, capture=torchlens.options.CaptureOptions(save_grads="all"))
        trace.log_backward(trace[trace.output_layers[0]].out)

    return work, 1


def recorded_step(scale: Scale, folder: Path) -> tuple[Work, ...]:  # noqa: ARG001
    """A step of a transformer of middle size with everything recorded; the same step alone."""
    from autograd_tour import trace
    from benchmarks.models import gpt_loss

    model, tokens = _gpt(scale if scale == TINY else MIDDLE)

    def plain() -> None:
        gpt_loss(model, tokens).backward()  # type: ignore[no-untyped-call]
        model.zero_grad()

    return lambda: trace(gpt_loss, model, tokens), plain


def recorded_gpt(scale: Scale, folder: Path) -> tuple[Work, ...]:
    """The large transformer with everything recorded; the same alone."""
    return recorded_run(scale, folder)[0], plain_run(scale, folder)[0]


def recorded_model(key: str, scale: Scale, folder: Path) -> tuple[Work, ...]:  # noqa: ARG001
    """A model built from its configuration with everything recorded; the same alone. One plain run first."""
    from autograd_tour import trace

    model, loss = CONFIGURED[key].make(scale == TINY)

    def plain() -> None:
        loss(model).backward()  # type: ignore[no-untyped-call]
        model.zero_grad()

    plain()
    return lambda: trace(loss, model), plain


def explained_run(scale: Scale, folder: Path) -> tuple[Work, int]:  # noqa: ARG001
    """Forward and backward with all that an explanation needs. One plain run first, as for its peer."""
    from autograd_tour import explain
    from benchmarks.models import gpt_loss

    model, tokens = _gpt(scale)
    gpt_loss(model, tokens).backward()  # type: ignore[no-untyped-call]
    model.zero_grad()
    return lambda: explain(gpt_loss, model, tokens), min(scale.repeats, 3)


def watched_steps(scale: Scale, folder: Path) -> tuple[Work, ...]:  # noqa: ARG001
    """Steps of training, watched; the same steps alone."""
    import torch

    from autograd_tour import watch
    from benchmarks.models import gpt_loss

    model, tokens = _gpt(scale)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)

    def plain() -> None:
        optimizer.zero_grad()
        gpt_loss(model, tokens).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    def watched() -> None:
        with watch(model, optimizer):
            plain()

    plain()
    return watched, plain


def followed_steps(scale: Scale, folder: Path) -> tuple[Work, ...]:  # noqa: ARG001
    """A small network trained with SGD while it is followed; the same loop alone."""
    from autograd_tour import follow
    from benchmarks.models import train_network

    return lambda: follow(train_network, scale.steps), lambda: train_network(scale.steps)


def followed_epochs(scale: Scale, folder: Path) -> tuple[Work, ...]:  # noqa: ARG001
    """The thermometer's loop by hand while it is followed; the same loop alone."""
    from autograd_tour import follow
    from benchmarks.models import train_by_hand

    return lambda: follow(train_by_hand, scale.epochs), lambda: train_by_hand(scale.epochs)


# ---- pictures -----------------------------------------------------------------------------


def prepare(scale: Scale, folder: Path) -> tuple[Work, int]:
    """Write what the pictures are drawn from: our trace, and torchviz's DOT of the same loss."""
    from torchviz import make_dot

    from autograd_tour import trace
    from autograd_tour.record.codec import dumps
    from benchmarks.models import gpt_loss

    def work() -> None:
        model, tokens = _gpt(scale)
        (folder / "gpt.json").write_bytes(dumps(trace(gpt_loss, model, tokens)).encode())
        names = dict(model.named_parameters())
        for file, more in (("gpt", False), ("gpt-saved", True)):
            dot = make_dot(gpt_loss(model, tokens), names, show_attrs=more, show_saved=more).source
            (folder / f"{file}.dot").write_text(dot, encoding="utf-8")

    return work, 1


def folded_picture(scale: Scale, folder: Path) -> tuple[Work, int]:
    """The picture a reader gets by default."""
    return _picture(folder, True), min(scale.repeats, 3)


def slide_picture(scale: Scale, folder: Path) -> tuple[Work, int]:
    """A saved trace made to fit a slide: folded, chosen, drawn, on the way that ``--fit`` takes."""
    from autograd_tour import loads
    from autograd_tour.drawing import draw
    from autograd_tour.drawing.room import room_for
    from autograd_tour.formats.base import Settings, chosen_views

    trace, room = loads((folder / "gpt.json").read_bytes()), room_for("1280x720")

    def work() -> str:
        ((_, picture),) = chosen_views(trace, Settings(views=("graph",), room=room))
        return draw(picture, room=room)

    return work, min(scale.repeats, 3)


def whole_picture(scale: Scale, folder: Path) -> tuple[Work, int]:  # noqa: ARG001
    """Every operation as a card of its own."""
    return _picture(folder, False), 1


def _picture(folder: Path, folded: bool) -> Work:
    from autograd_tour.drawing import draw
    from autograd_tour.record.codec import loads
    from autograd_tour.record.trace import Trace
    from autograd_tour.views import picture_of
    from autograd_tour.views.fold import fold

    graph = loads((folder / "gpt.json").read_bytes()).graph
    return lambda: draw(picture_of(Trace(fold(graph) if folded else graph)), timeout=600)


def dot_picture(scale: Scale, folder: Path) -> tuple[Work, int]:  # noqa: ARG001
    """The DOT of torchviz through Graphviz, as torchviz's own ``render`` does."""
    return _through_dot(folder, "gpt")


def dot_picture_with_saved(scale: Scale, folder: Path) -> tuple[Work, int]:  # noqa: ARG001
    """The same with what torchviz can show of attributes and saved tensors, as our cards do."""
    return _through_dot(folder, "gpt-saved")


def _through_dot(folder: Path, name: str) -> tuple[Work, int]:
    from benchmarks.peers import dot_program

    command = [dot_program(), "-Tsvg", f"{name}.dot", "-o", f"{name}.svg"]
    return lambda: subprocess.run(command, cwd=folder, check=True), 1


JOBS: dict[str, Callable[[Scale, Path], tuple[Work, int]]] = {
    function.__name__: function
    for function in (
        dot_of_chain,
        torchviz_dot_of_chain,
        long_chain,
        walked_chain,
        plain_run,
        recorded_run,
        explained_run,
        first_recorded_run,
        torchlens_run,
        prepare,
        folded_picture,
        slide_picture,
        whole_picture,
        dot_picture,
        dot_picture_with_saved,
    )
}


TOGETHER: dict[str, Callable[[Scale, Path], tuple[Work, ...]]] = {
    function.__name__: function
    for function in (dot_of_gpt, recorded_step, watched_steps, followed_steps, followed_epochs)
}
"""Jobs of a second at most: ours and the peer's in one process, in turn, many times over."""

FEW: dict[str, Callable[[Scale, Path], tuple[Work, ...]]] = {
    "recorded_gpt": recorded_gpt,
    **{f"recorded_{key}": partial(recorded_model, key) for key in CONFIGURED},
}
"""Longer ones, in turn as well, but not as often."""


def _cpu() -> float:
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def main(arguments: list[str]) -> None:
    """Run one job and print its cost, or two of them."""
    name, folder, *options = arguments
    scale = TINY if "--tiny" in options else Scale()
    if name in TOGETHER or name in FEW:
        works = (TOGETHER | FEW)[name](scale, Path(folder))
        repeats = scale.repeats if name in TOGETHER else min(scale.repeats, 5)
    else:
        work, repeats = JOBS[name](scale, Path(folder))
        works = (work,)
    costs: list[list[tuple[float, float]]] = [[] for _ in works]
    for _ in range(repeats):
        for work, found in zip(works, costs, strict=True):
            gc.collect()
            begun, spent = time.monotonic(), _cpu()
            work()
            found.append((_cpu() - spent, time.monotonic() - begun))
    middles = [
        {"cpu": median(c for c, _ in found), "elapsed": median(e for _, e in found)} for found in costs
    ]
    print(json.dumps(middles))


if __name__ == "__main__":
    main(sys.argv[1:])
