"""Which module runs, and by which path the reader knows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from types import CodeType, FrameType

from torch import Tensor, nn

from autograd_tour.tracer.listen.names import find_name, modules_held, user_frame, user_frames

__all__ = ["ModuleRecord", "Place"]

Place = tuple[int, str]
"""(id of the outermost module, path of a module in it)."""


class ModuleRecord:
    """All modules that ran. ``roots`` has the outermost ones by id, each with the variable that holds it."""

    def __init__(self, stop: CodeType) -> None:
        self.stop = stop
        self.roots: dict[int, tuple[str, nn.Module]] = {}
        self._kinds: dict[Place, str] = {}
        self._stack: list[Place] = []
        self._paths: dict[int, dict[int, str]] = {}
        self._passing: list[nn.Module] = []  # kept, so that no other module gets the id of one of them
        self._parameters: set[int] = set()
        self._held: dict[int, tuple[str, nn.Module]] = {}
        self._searched: dict[int, nn.Module] = {}
        self._prefixes: dict[int, str] = {}

    @property
    def current(self) -> Place | None:
        """The module that runs, ``None`` between modules."""
        return self._stack[-1] if self._stack else None

    def enter(self, module: nn.Module, frame: FrameType) -> None:
        """A module starts its forward in ``frame``."""
        root = self._stack[-1][0] if self._stack else self._root(module, frame)
        path = self._paths[root].get(id(module))
        if path is None:  # made while its parent ran
            path = f"{self._stack[-1][1]}.{type(module).__name__}".strip(".") if self._stack else ""
            self._paths[root][id(module)] = path
            self._passing.append(module)
        self._stack.append((root, path))
        self._kinds.setdefault((root, path), type(module).__name__)

    def leave(self) -> None:
        """The module that was entered last is done."""
        if self._stack:
            self._stack.pop()

    def _root(self, module: nn.Module, frame: FrameType) -> int:
        """The outermost module of one that the program calls: of ``net[0](x)`` it is ``net``."""
        for root, paths in self._paths.items():
            if id(module) in paths:
                return root
        name, owner, most = "", module, 0
        # Of several names for it the outermost is the one that the reader knows.
        for path, held in modules_held(reversed(list(user_frames(frame, self.stop)))):
            inside = list(held.modules())
            if len(inside) > most and any(child is module for child in inside):
                name, owner, most = path, held, len(inside)
        if not name and (user := user_frame(frame, self.stop)) is not None:
            name = find_name(module, [user.f_globals])
        self._add_root(name, owner)
        return id(owner)

    def _add_root(self, name: str, module: nn.Module) -> None:
        if id(module) not in self.roots:
            self.roots[id(module)] = (name, module)
            self._paths[id(module)] = {id(child): path for path, child in module.named_modules()}
            self._parameters.update(map(id, module.parameters()))

    def notice(self, leaf: Tensor, user: FrameType | None) -> None:
        """The program uses ``leaf`` itself: the module that owns it is one of the program's too."""
        if id(leaf) in self._parameters or not isinstance(leaf, nn.Parameter):
            return
        for name, module in modules_held(user_frames(user, self.stop)):
            if id(module) not in self._searched:
                self._searched[id(module)] = module
                for parameter in module.parameters():
                    self._held.setdefault(id(parameter), (name, module))
        if id(leaf) in self._held:
            self._add_root(*self._held[id(leaf)])

    def path(self, place: Place | None) -> str:
        """The path of a module for the reader, ``""`` for what belongs to the program itself.

        Several models in one program are told apart by the variables that hold them. A module without
        parameters, such as a loss, is not a model.
        """
        if place is None:
            return ""
        if not self._prefixes:
            models = {
                key: name for key, (name, root) in self.roots.items() if any(True for _ in root.parameters())
            }
            taken = Counter(models.values())
            for number, (key, (name, root)) in enumerate(self.roots.items(), start=1):
                several = key in models and len(models) > 1
                alone = name if name and taken[name] == 1 else f"{name or type(root).__name__} {number}"
                self._prefixes[key] = alone if several else ""
        return f"{self._prefixes[place[0]]}.{place[1]}".strip(".")

    def parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """(path, parameter) of every parameter that belongs to a module that ran."""
        for root, (_, outermost) in self.roots.items():
            for path, module in outermost.named_modules():
                if (root, path) in self._kinds:
                    for name, parameter in module.named_parameters(recurse=False):
                        yield f"{self.path((root, path))}.{name}".strip("."), parameter

    def types(self) -> dict[str, str]:
        """Path -> class name of all modules that ran."""
        paths = {self.path(place): kind for place, kind in self._kinds.items()}
        return {path: kind for path, kind in sorted(paths.items()) if path}
