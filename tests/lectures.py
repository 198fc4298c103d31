"""The lecture programs, and what is to be true of a picture of each."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from pathlib import Path

from autograd_tour.drawing import Arrangement
from autograd_tour.drawing.sizes import label_width

FOLDER = Path(__file__).parent / "programs" / "lecture"
HALF = 9.0
"""Half the height of a label, px."""

Box = tuple[str, float, float, float, float]


def lectures() -> Iterator[tuple[str, Callable[[], object]]]:
    """(name, program) of every program of the set: the functions of its files that need nothing."""
    for path in sorted(FOLDER.glob("*.py")):
        spec = importlib.util.spec_from_file_location(f"lecture_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for name, thing in vars(module).items():
            hints = getattr(thing, "__annotations__", {})
            if getattr(thing, "__module__", "") == module.__name__ and hints == {"return": "Tensor"}:
                yield name, thing


def collisions(arranged: Arrangement) -> list[str]:
    """What lies on something else, or leaves the picture."""
    scene, layout = arranged.scene, arranged.layout
    cards: list[Box] = [
        (card.title, x - w / 2, y - h / 2, x + w / 2, y + h / 2)
        for card, (x, y), (w, h) in zip(scene.cards, layout.centres, layout.sizes, strict=True)
    ]
    labels: list[Box] = []
    for link, course in zip(scene.links, layout.courses, strict=True):
        width = label_width(link.label)
        if width:
            assert course is not None
            assert course.label is not None
            x, y = course.label
            labels.append((f"label of {link.title}", x - width / 2, y - HALF, x + width / 2, y + HALF))
    wrong = [f"{a[0]} on {b[0]}" for a, b in combinations([*cards, *labels], 2) if _overlap(a, b)]
    outer = ("the picture", -1.0, -1.0, layout.width + 1, layout.height + 1)
    return wrong + [f"{box[0]} leaves the picture" for box in [*cards, *labels] if not _inside(box, outer)]


def crossed(arranged: Arrangement) -> list[str]:
    """The lines that run through a card which they do not join."""
    scene, layout = arranged.scene, arranged.layout
    places = list(zip(scene.cards, layout.centres, layout.sizes, strict=True))
    through = []
    for link, course in zip(scene.links, layout.courses, strict=True):
        assert course is not None
        line = list(_along(course.points))
        for card, (x, y), (w, h) in places:
            inside = any(abs(u - x) < w / 2 - 2 and abs(v - y) < h / 2 - 2 for u, v in line)
            if inside and card.id not in (link.src, link.dst):
                through.append(f"{link.id} through {card.title}")
    return through


def _along(points: Sequence[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    for i in range(0, len(points) - 3, 3):
        for step in range(17):
            t, s = step / 16, 1 - step / 16
            weights = (s**3, 3 * s * s * t, 3 * s * t * t, t**3)
            x, y = (sum(w * p[k] for w, p in zip(weights, points[i : i + 4], strict=True)) for k in (0, 1))
            yield x, y


def _overlap(a: Box, b: Box) -> bool:
    return a[1] < b[3] - 1 and b[1] < a[3] - 1 and a[2] < b[4] - 1 and b[2] < a[4] - 1


def _inside(box: Box, outer: Box) -> bool:
    return box[1] >= outer[1] and box[2] >= outer[2] and box[3] <= outer[3] and box[4] <= outer[4]
