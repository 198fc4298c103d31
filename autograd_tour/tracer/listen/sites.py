"""Where in the program each call stands, and which of several calls at one place made the result there."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Sequence
from types import CodeType, FrameType
from typing import TypeGuard

import torch

from autograd_tour.tracer.listen.calls import CallRecord, Site
from autograd_tour.tracer.listen.frames import home, program_frame, user_frame, user_frames
from autograd_tour.tracer.listen.modules import ModuleRecord, ModuleRun
from autograd_tour.tracer.listen.spots import Spots

__all__ = ["Sites"]

_APPLY: CodeType = torch.autograd.Function.apply.__func__.__code__  # type: ignore[attr-defined]

_LOOKS = """
    view reshape flatten unflatten transpose permute movedim t T mT squeeze unsqueeze expand contiguous size
"""
_VIEWS = frozenset(_LOOKS.split())
"""Functions that compute nothing: they only look at the same numbers in another way."""


class Sites:
    """The places of a program that is listened to, up to the frame of ``stop``."""

    def __init__(self, stop: CodeType, modules: ModuleRecord) -> None:
        self.stop = stop
        self.modules = modules
        self.spots = Spots()
        self._home: str | None = None
        self._helpful: dict[tuple[int, int], int] = {}
        """The numbers of places whose own line helps, whoever called the code there: a loop asks again and
        again. Its ``id`` stands for the code, which ``spots`` keeps: to hash code is to hash all in it."""
        self._trained: set[tuple[int, int]] = set()
        """Places, and runs of their functions, where a library ran a backward."""

    def helpful(self, frame: FrameType | None) -> FrameType | None:
        """The frame whose line helps the reader, at or above ``frame``."""
        own = self.modules.run.own if self.modules.run is not None else None
        if own is not None:
            return program_frame(frame, self.stop, own.frame, own.owner or "")
        if self._home is None:
            for outer in user_frames(frame, self.stop):  # the outermost is the program's own
                self._home = home(outer.f_code.co_filename)
        return program_frame(frame, self.stop, None, self._home or "")

    def of_call(self, frame: FrameType) -> tuple[Site, FrameType | None]:
        """Where the call that runs in ``frame`` stands, and the frame of the program there."""
        deepest = user_frame(frame, self.stop)
        user = self.helpful(deepest)
        if user is None:
            return Site(), None
        run = self.modules.run
        inner = -1 if user is deepest else self.spots.number(deepest)
        visit = run.visit if run is not None and run.owner is None else 0
        direct = user is frame or _hands_on(frame, user)
        return Site(self.spots.number(user), inner, direct, visit, id(user)), user

    def number(self, frame: FrameType) -> int:
        """The number of the place of the program where ``frame`` was called, -1 for none."""
        key = id(frame.f_code), frame.f_lasti
        if self.modules.run is None and key in self._helpful:
            return self._helpful[key]
        user = self.helpful(user_frame(frame, self.stop))
        number = self.spots.number(user)
        if user is frame and self.modules.run is None:
            self._helpful[key] = number
        return number

    def trains(self, frame: FrameType) -> None:
        """A backward that deposits gradients is about to be run in ``frame``.

        Where a library does it, nothing that is computed by the program's line is known to be its value:
        ``trainer.fit(model)`` is none of the losses inside.
        """
        site, _ = self.of_call(frame)
        if not site.direct:
            self._trained.add((site.spot, site.frame))

    def is_trained(self, site: Site) -> bool:
        """Whether a library, called at ``site``, computed there and ran a backward of its own."""
        return not site.direct and (site.spot, site.frame) in self._trained

    def of_use(self, user: FrameType | None) -> Site:
        """The place where a tensor is used, for one of which nothing tells where it was made."""
        return Site(self.spots.number(user), near=True)

    def of_apply(self, frame: FrameType | None) -> tuple[Site, str] | None:
        """The call of the custom Function whose ``forward`` runs in ``frame``, and its name."""
        while frame is not None and frame.f_code is not self.stop:
            if frame.f_code is _APPLY:
                user = self.helpful(user_frame(frame, self.stop))
                site = Site(self.spots.number(user), -1, True, 0, id(user))
                return site, getattr(frame.f_locals.get("cls"), "__name__", "")
            frame = frame.f_back
        return None

    def move_out(self, run: ModuleRun, frame: FrameType) -> None:
        """``run`` is over, and its module was called in ``frame``.

        Of an installed package's own kind of layer, which does one thing, the line that uses it tells more.
        """
        if not run.owner or run.nested or not run.calls:
            return
        if sum(call.function not in _VIEWS for call in run.calls) > 1:
            return
        user = self.helpful(user_frame(frame, self.stop))
        if user is None:
            return
        spot = self.spots.number(user)
        for call in run.calls:
            call.site = Site(spot, call.site.spot, False, run.visit, id(user))
            call.whole = False
            call.names = ()  # they are that module's own affair

    def settle(self, calls: Sequence[CallRecord], used: Iterable[CallRecord | None]) -> None:
        """Everything has been heard: which of several ``calls`` at one place made its result.

        The lines of those ``used`` are noted in the order of the program.
        """
        wanted = {id(call) for call in used}
        before: CallRecord | None = None
        for call in calls:
            if self.is_trained(call.site):
                call.whole = False
            elif not call.whole and call.site.visit == 0 and not call.site.near:
                call.whole = True
                if _same_place(before, call) and not self._is_named(call):
                    before.whole = False
            elif call.whole and _same_place(before, call):
                before.whole = self._is_named(call)
            before = call
            if id(call) in wanted:
                self.spots.line(call.site.spot)

    def _is_named(self, call: CallRecord) -> bool:
        """Whether the program calls just this function there: not ``sum``, which adds again and again."""
        expression = self.spots.expression(call.site.spot)
        name = expression.function.strip("_") if expression is not None else ""
        return name in ("", call.function) or (call.site.direct and not hasattr(builtins, name))


def _same_place(before: CallRecord | None, call: CallRecord) -> TypeGuard[CallRecord]:
    """Whether two calls came from one place in one run of a function."""
    return before is not None and before.site._replace(inner=-1) == call.site._replace(inner=-1)


def _hands_on(frame: FrameType, user: FrameType) -> bool:
    """Whether the torch function that ``user`` called is the one heard, not one inside of it."""
    if frame.f_code.co_name != "handle_torch_function":
        return False
    called = frame.f_back
    return called is not None and called.f_back is user
