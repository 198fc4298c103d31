"""``:autograd:`name: w.grad```: one value of a block, as text."""

from __future__ import annotations

from docutils import nodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxRole

from autograd_tour.errors import UsageError
from autograd_tour.integrations.sphinx import state
from autograd_tour.integrations.sphinx.nodes import AutogradValue

__all__ = ["AutogradRole"]

logger = logging.getLogger(__name__)


class AutogradRole(SphinxRole):
    """The value of a tensor or gradient (``.grad``); without a name that of the nearest block before."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """What becomes the value when the blocks have run."""
        name, colon, wanted = self.text.rpartition(":")
        name = nodes.fully_normalize_name(name) if colon else ""
        try:
            number = state.number_of(self.env, self.env.docname, name)
        except UsageError as error:
            state.failed(self.env, self.env.docname)
            logger.warning("%s", error, location=self.get_location(), type="autograd", subtype="name")
            return [nodes.literal(self.text, self.text)], []
        value = AutogradValue("", docname=self.env.docname, number=number, wanted=wanted.strip())
        self.set_source_info(value)
        return [value], []
