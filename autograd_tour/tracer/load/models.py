"""The models of a program as they come into use, with every name that a reader may have for a parameter."""

from __future__ import annotations

from collections.abc import Iterable
from types import CodeType, FrameType
from typing import NamedTuple

from torch import nn

from autograd_tour.tracer.listen.frames import user_frames
from autograd_tour.tracer.listen.names import modules_held, plain_path
from autograd_tour.tracer.references import TensorRef

__all__ = ["Models", "NamedParameter", "named_in"]


class NamedParameter(NamedTuple):
    """A parameter, its path in its model, and ``variable``, what holds the model, ``""`` if unknown."""

    path: str
    variable: str
    tensor: nn.Parameter

    @property
    def full(self) -> str:
        """``net.out.bias``: no other parameter of the program is called so."""
        return f"{self.variable}.{self.path}" if self.variable else self.path

    def rank(self, name: str) -> int | None:
        """How near ``name`` comes: 0 for the whole, 1 for the path, 2 for its end, ``None`` for none."""
        if name == self.full:
            return 0
        if not f".{self.full}".endswith(f".{name}"):
            return None
        return 1 if len(name) >= len(self.path) else 2


class Models:
    """Knows which models it has told of. ``stop`` is the code above which no frame is the program's."""

    def __init__(self, stop: CodeType) -> None:
        self._stop = stop
        self._met: dict[int, TensorRef] = {}

    def met(self, parameters: Iterable[nn.Parameter], frame: FrameType) -> list[NamedParameter]:
        """All parameters of the models that own ``parameters``, which ``frame`` uses; of each model once."""
        named: list[NamedParameter] = []
        for parameter in parameters:
            ref = self._met.get(id(parameter))
            if ref is None or ref() is not parameter:
                new = self._around(parameter, frame)
                self._met |= {id(item.tensor): TensorRef(item.tensor) for item in new}
                self._met[id(parameter)] = TensorRef(parameter)
                named += new
        return named

    def _around(self, parameter: nn.Parameter, frame: FrameType) -> list[NamedParameter]:
        """The parameters of the largest model in sight that has this one."""
        largest: tuple[str, nn.Module] | None = None
        most = 0
        for name, module in modules_held(reversed(list(user_frames(frame, self._stop)))):
            size = sum(1 for _ in module.modules())
            if size > most and any(item is parameter for item in module.parameters()):
                largest, most = (name, module), size
        return [] if largest is None else named_in(*largest)


def named_in(variable: str, model: nn.Module) -> list[NamedParameter]:
    """The parameters of ``model``, which the program calls ``variable``."""
    holder = "" if variable == "self" else variable
    return [NamedParameter(plain_path(path), holder, item) for path, item in model.named_parameters()]
