"""How large text is on a slide and in a column: from left to right and scaled down, and made to fit.

``python -m benchmarks.fitting`` prints a table of programs of the documentation, the lessons and the tests.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from autograd_tour import TourError, Trace, trace
from autograd_tour.drawing import arrange
from autograd_tour.drawing.room import room_for
from autograd_tour.formats.base import Settings, chosen_views
from autograd_tour.lessons.thermometer import PROGRAMS

__all__ = ["table"]

ROOT = Path(__file__).parent.parent
FILES = {
    "docs/programs/gpt.py": ("loss",),
    "docs/programs/cube.py": ("loss",),
    "docs/programs/detach.py": ("attached",),
    "tests/programs/basics.py": (
        "square_by_product",
        "broadcast",
        "views",
        "several_outputs",
        "fan_out",
        "lists",
    ),
    "tests/programs/hooks.py": ("custom_function", "tensor_hook"),
    "tests/programs/models.py": ("resnet", "gpt_by_hand", "lstm", "unet", "tied", "convolution_stack"),
    "tests/programs/operators.py": ("self_attention", "gru", "einsum", "weight_norm"),
}
ROOMS = {"1280×720": {"fit": "1280x720"}, "736 px": {"width": 736.0}}


def programs() -> Iterator[tuple[str, Callable[[], object]]]:
    """What is drawn, by name."""
    yield from PROGRAMS.items()
    for path, names in FILES.items():
        spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for name in names:
            yield f"{Path(path).stem}:{name}", getattr(module, name)


def table() -> Iterator[str]:
    """Lines of Markdown: px of text, bold where it is as large as it is to be."""
    columns = [f"{name}, {when}" for name in ROOMS for when in ("scaled", "made to fit")]
    yield f"| program | {' | '.join(columns)} | seconds |"
    yield "|---|" + "--:|" * (len(columns) + 1)
    for name, program in programs():
        try:
            record = Trace(trace(program))
        except TourError as error:
            yield f"| {name} | {error.message} |"
            continue
        start, cells = time.perf_counter(), []
        for words in ROOMS.values():
            room = room_for(**words)  # type: ignore[arg-type]
            assert room is not None
            (_, picture), *_ = chosen_views(record, Settings(views=("graph",)))
            before = room.text(arrange(picture, "LR").size)  # type: ignore[arg-type]
            (_, picture), *_ = chosen_views(record, Settings(views=("graph",), room=room))
            now = room.text(arrange(picture, room=room).size)  # type: ignore[arg-type]
            cells += [f"{before:.1f}", f"**{now:.1f}**" if now >= room.least - 0.05 else f"{now:.1f}"]
        yield f"| {name} | {' | '.join(cells)} | {time.perf_counter() - start:.1f} |"


if __name__ == "__main__":
    for line in table():
        print(line, flush=True)
