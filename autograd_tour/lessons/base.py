"""What a lesson is: a built-in target with files of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

from autograd_tour.formats import Settings

__all__ = ["Lesson", "ProgramLesson"]


class Lesson(ABC):
    """A stop of the tour. One file with one object called ``lesson`` (or a tuple of them) adds one."""

    name: str
    """What ``autograd-tour render`` takes."""
    summary: str
    """One line for help texts."""

    @abstractmethod
    def files(self, settings: Settings) -> Mapping[str, str | bytes]:
        """File name -> content."""


class ProgramLesson(Lesson):
    """A lesson that is a program: it is traced and drawn as any program is."""

    def __init__(self, name: str, summary: str, program: Callable[[], object]) -> None:
        self.name = name
        self.summary = summary
        self.program = program

    def files(self, settings: Settings) -> Mapping[str, str | bytes]:
        """The files of any traced program, under the lesson's name."""
        from autograd_tour.lessons.produce import files_of_program

        return files_of_program(self.name, self.program, settings)
