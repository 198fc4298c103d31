"""Places in the program: (code, instruction) while it runs, lines and expressions when they are asked for."""

from __future__ import annotations

import linecache
from types import CodeType, FrameType
from typing import Any

from autograd_tour.record.graph import SourceLine
from autograd_tour.rules.titles import Expression
from autograd_tour.tracer.listen.frames import relative
from autograd_tour.tracer.listen.source import read

__all__ = ["Spots"]


class Spots:
    """Every place that a call was noted at has a number; ``lines`` are those that were asked for."""

    def __init__(self) -> None:
        self.lines: list[SourceLine] = []
        self._numbers: dict[tuple[int, int], int] = {}
        self._spots: list[tuple[CodeType, int, dict[str, Any]]] = []
        self._line_of: list[int] = []
        self._line_numbers: dict[tuple[str, int], int] = {}

    def number(self, frame: FrameType | None) -> int:
        """The number of the place where ``frame`` stands; -1 for none."""
        if frame is None:
            return -1
        code, offset = frame.f_code, frame.f_lasti
        key = id(code), offset  # the code is kept below: no other gets its id
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self._spots)
            self._spots.append((code, offset, frame.f_globals))
            self._line_of.append(-1)
        return number

    def expression(self, spot: int) -> Expression | None:
        """What the program computes there, as it says it."""
        if spot < 0:
            return None
        code, offset, space = self._spots[spot]
        linecache.lazycache(code.co_filename, space)
        return read(code, offset)

    def line(self, spot: int) -> int | None:
        """The position in ``lines`` of the line of that place."""
        if spot < 0:
            return None
        if self._line_of[spot] < 0:
            code, offset, space = self._spots[spot]
            number = _line_of(code, offset)
            key = code.co_filename, number
            if key not in self._line_numbers:
                self._line_numbers[key] = len(self.lines)
                text = linecache.getline(code.co_filename, number, space).strip()
                self.lines.append(SourceLine(relative(code.co_filename), number, text, code.co_name))
            self._line_of[spot] = self._line_numbers[key]
        return self._line_of[spot]

    def forget_lines(self) -> None:
        """Nobody has asked for a line."""
        self.lines.clear()
        self._line_numbers.clear()
        self._line_of = [-1] * len(self._line_of)

    def last(self, spot: int) -> str:
        """The name of the function that the code there belongs to."""
        return self._spots[spot][0].co_name if spot >= 0 else ""


def _line_of(code: CodeType, offset: int) -> int:
    for start, end, line in code.co_lines():
        if start <= offset < end and line is not None:
            return line
    return code.co_firstlineno
