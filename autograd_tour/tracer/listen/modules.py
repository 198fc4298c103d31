"""Which module runs, and by which path the reader knows it."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Set
from types import CodeType, FrameType

from torch import Tensor, nn
from torch.fx import GraphModule

from autograd_tour.tracer.listen.calls import CallRecord
from autograd_tour.tracer.listen.frames import home, is_library, user_frame, user_frames
from autograd_tour.tracer.listen.names import find_name, is_numbered, modules_held, plain_path
from autograd_tour.tracer.listen.owned import leaves_of, named_modules_of, named_parameters_of

__all__ = ["ModuleKey", "ModuleRecord", "ModuleRun"]

ModuleKey = tuple[int, str]
"""(id of the outermost module, path of a module in it)."""


class ModuleRun:
    """One run of a module's forward.

    ``owner`` is the home of its code, ``None`` for torch's; ``own`` is the innermost run around this
    one, or this one, whose code is not torch's. ``visit`` numbers the run that ``own``, or what is around it,
    called: this one or one around it. ``calls`` are those noted directly in it.
    """

    __slots__ = ("calls", "frame", "module_key", "nested", "number", "outer", "own", "owner", "visit")

    def __init__(
        self,
        module_key: ModuleKey,
        number: int,
        frame: FrameType | None,
        owner: str | None,
        outer: ModuleRun | None,
    ) -> None:
        self.module_key = module_key
        self.number = number
        self.frame = frame
        self.owner = owner
        self.outer = outer
        self.own: ModuleRun | None = self if owner is not None else outer.own if outer is not None else None
        within_torch = outer is not None and outer.owner is None
        self.visit: int = outer.visit if within_torch and outer is not None else number
        self.calls: list[CallRecord] = []
        self.nested = False


class ModuleRecord:
    """All modules that ran. ``roots`` has the outermost ones by id, each with the variable that holds it."""

    def __init__(self, stop: CodeType) -> None:
        self.stop = stop
        self.roots: dict[int, tuple[str, nn.Module]] = {}
        self.run: ModuleRun | None = None
        """The module that runs, ``None`` between modules."""
        self._count = 0
        self._owners: dict[type, str | None] = {}
        self._kinds: dict[ModuleKey, str] = {}
        self._paths: dict[int, dict[int, str]] = {}
        self._passing: list[nn.Module] = []  # kept, so that no other module gets the id of one of them
        self._parameters: set[int] = set()
        self._held: dict[int, tuple[str, nn.Module]] = {}
        self._searched: dict[int, nn.Module] = {}
        self._prefixes: dict[int, str] = {}
        self._expected: set[int] = set()
        self._repeated: frozenset[int] | None = None

    @property
    def current(self) -> ModuleKey | None:
        """Which module runs, ``None`` between modules."""
        return self.run.module_key if self.run is not None else None

    def enter(self, module: nn.Module, frame: FrameType) -> None:
        """A module starts its forward, called by ``frame``."""
        outer = self.run
        root = outer.module_key[0] if outer is not None else self._root(module, frame)
        path = self._paths[root].get(id(module))
        if path is None:  # made while its parent ran
            path = self._path_inside(outer.module_key[1], module) if outer is not None else ""
            self._paths[root][id(module)] = path
            self._passing.append(module)
        self._kinds.setdefault((root, path), type(module).__name__)
        self._count += 1
        self.run = ModuleRun((root, path), self._count, frame, self._owner(type(module)), outer)

    @staticmethod
    def _path_inside(outer: str, module: nn.Module) -> str:
        # What torch.compile makes of a module is that module.
        return outer if isinstance(module, GraphModule) else f"{outer}.{type(module).__name__}".strip(".")

    def leave(self) -> ModuleRun | None:
        """The module that was entered last is done: its run."""
        run = self.run
        if run is not None:
            self.run = run.outer
            run.frame = None
            if run.outer is not None:
                run.outer.nested = True
        return run

    def _owner(self, kind: type) -> str | None:
        """The home of a module's code, ``None`` for torch's."""
        if kind not in self._owners:
            code = getattr(getattr(kind, "forward", None), "__code__", None)
            file = getattr(code, "co_filename", None) or getattr(
                sys.modules.get(kind.__module__), "__file__", None
            )
            self._owners[kind] = home(file) if file and not is_library(file) else None
        return self._owners[kind]

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
            self._paths[id(module)] = {
                id(child): plain_path(path) for path, child in reversed(named_modules_of(module))
            }
            self._parameters.update(map(id, leaves_of(module)))
            self._prefixes.clear()  # they depend on how many models there are

    def notice(self, leaf: Tensor, user: FrameType | None) -> None:
        """The program uses ``leaf`` itself: the module that owns it is one of the program's too."""
        if id(leaf) in self._parameters or not isinstance(leaf, nn.Parameter):
            return
        for name, module in modules_held(user_frames(user, self.stop)):
            if id(module) not in self._searched:
                self._searched[id(module)] = module
                for parameter in leaves_of(module):
                    self._held.setdefault(id(parameter), (name, module))
        if id(leaf) in self._held:
            self._add_root(*self._held[id(leaf)])

    def name_roots(self, spaces: Iterable[Mapping[str, object]]) -> None:
        """Those of which no name is known are called as the variable that holds them in ``spaces``."""
        nameless = [key for key, (name, _) in self.roots.items() if not name]
        for space in spaces if nameless else ():
            for variable, value in list(space.items()):
                if id(value) in nameless and not self.roots[id(value)][0]:
                    self._add_name(variable, id(value))

    def _add_name(self, name: str, root: int) -> None:
        self.roots[root] = (name, self.roots[root][1])
        self._prefixes.clear()

    def name_repeated(self, called: Iterable[ModuleKey | None]) -> None:
        """``called`` more than once for one loss: of a model all that is in it stands behind its name.

        The first loss decides, so that a parameter keeps its name all the time.
        """
        if self._repeated is None:
            self._repeated = frozenset(key[0] for key in called if key is not None and not key[1])
            self._prefixes.clear()

    @property
    def repeated(self) -> Set[int]:
        """The ``id`` of every model that was called more than once for the first loss."""
        return self._repeated or frozenset()

    def expect(self, frames: Iterable[FrameType]) -> None:
        """The models that variables of ``frames`` hold have names of their own from now on.

        So both of a GAN have them before the second one runs for the first time.
        """
        held: dict[int, tuple[str, nn.Module]] = {}
        for name, module in modules_held(frames):
            held.setdefault(id(module), (name, module))
        # The outermost first: what is inside one of them is no model of its own.
        for name, module in sorted(held.values(), key=lambda item: -sum(1 for _ in item[1].modules())):
            parameters = set(map(id, leaves_of(module)))
            if parameters and not parameters & self._parameters:
                self._add_root(name, module)
                self._expected.add(id(module))

    def forget_expected(self, used: Container[int]) -> None:
        """Those that did not run have no names after all, unless one of the leaves ``used`` is theirs."""
        for root in self._expected.difference(root for root, _ in self._kinds):
            parameters = set(map(id, leaves_of(self.roots[root][1])))
            if not any(parameter in used for parameter in parameters):
                del self.roots[root], self._paths[root]
                self._parameters -= parameters
        self._expected.clear()
        self._prefixes.clear()

    @property
    def parameter_ids(self) -> Set[int]:
        """The ``id`` of every parameter of the models."""
        return self._parameters

    def owns(self, leaf: Tensor) -> bool:
        """Whether ``leaf`` is a parameter of a module that ran or was noticed."""
        return id(leaf) in self._parameters

    def path(self, module_key: ModuleKey | None) -> str:
        """The path of a module for the reader, ``""`` for what belongs to the program itself.

        Several models in one program are told apart by the variables that hold them; one that was called more
        than once is called so, and parts that are only numbered stand behind its name too. A module without
        parameters, such as a loss, is not a model.
        """
        if module_key is None:
            return ""
        if not self._prefixes:
            models = {key: name for key, (name, root) in self.roots.items() if leaves_of(root)}
            taken = Counter(models.values())
            for number, (key, (name, root)) in enumerate(self.roots.items(), start=1):
                called, alone = name or type(root).__name__, len(models) == 1
                if key not in models or (alone and key not in self.repeated):
                    called = ""
                elif not alone and (not name or taken[name] > 1):
                    called = f"{called} {number}"
                self._prefixes[key] = called
        key, path = module_key
        prefix = self._prefixes[key]
        if not prefix and is_numbered(path):
            name, root = self.roots[key]
            prefix = name or type(root).__name__
        return f"{prefix}.{path}".strip(".")

    def parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """(path, parameter) of every parameter that belongs to a module that ran."""
        for root, (_, outermost) in self.roots.items():
            for wrapped_path, module in named_modules_of(outermost):
                path = plain_path(wrapped_path)
                if (root, path) in self._kinds:
                    for name, parameter in named_parameters_of(module, recurse=False):
                        yield f"{self.path((root, path))}.{name}".strip("."), parameter

    def types(self) -> dict[str, str]:
        """Path -> class name of all modules that ran."""
        paths = {self.path(module_key): kind for module_key, kind in self._kinds.items()}
        return {path: kind for path, kind in sorted(paths.items()) if path}
