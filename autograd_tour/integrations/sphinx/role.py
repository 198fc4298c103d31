"""``:autograd:`name: w.grad```: one value of a block, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxRole

from autograd_tour.errors import UsageError
from autograd_tour.integrations.sphinx import state
from autograd_tour.integrations.sphinx.nodes import AutogradBlock, AutogradValue
from autograd_tour.integrations.sphinx.state import HINT

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

__all__ = ["AutogradRole", "find_nearest"]

logger = logging.getLogger(__name__)


class AutogradRole(SphinxRole):
    """The value of a tensor or gradient (``.grad``); without a name that of the nearest block before."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """What becomes the value when the blocks have run."""
        name, colon, wanted = self.text.rpartition(":")
        value = AutogradValue(self.text, docname=self.env.docname, wanted=wanted.strip())
        self.set_source_info(value)
        if colon:
            try:
                value["number"] = state.number_of(
                    self.env, self.env.docname, nodes.fully_normalize_name(name)
                )
            except UsageError as error:
                return [_refused(self.env, value, error)], []
        return [value], []


def find_nearest(app: Sphinx, document: nodes.document) -> None:
    """Give each role without a name the block before it, where the text is whole.

    A translation is read when all blocks have been, and a substitution stands where it is used.
    """
    number = None
    for node in list(document.findall(nodes.Element)):
        if isinstance(node, AutogradBlock):
            number = node["number"]
        elif isinstance(node, AutogradValue) and "number" not in node:
            if number is None:
                error = UsageError("no autograd block stands before", HINT)
                node.replace_self(_refused(app.env, node, error))
            else:
                node["number"] = number


def _refused(env: BuildEnvironment, value: AutogradValue, error: UsageError) -> nodes.literal:
    """What stands there for a role without a block; this build and the next say so."""
    state.failed(env, env.docname)
    logger.warning("%s", error, location=value, type="autograd", subtype="name")
    return nodes.literal(value.rawsource, value.rawsource)
