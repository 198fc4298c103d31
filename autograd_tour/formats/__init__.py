"""Output formats, one file each, and the calls that use them from Python."""

from autograd_tour.formats.base import Format, Settings
from autograd_tour.formats.registry import check, registry
from autograd_tour.formats.save import dot, report, save, svg

__all__ = ["Format", "Settings", "check", "dot", "registry", "report", "save", "svg"]
