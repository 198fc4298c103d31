"""Where documents are written for their builder: what is ours becomes what every builder shows."""

from __future__ import annotations

from sphinx.transforms.post_transforms import SphinxPostTransform

from autograd_tour.integrations.sphinx.nodes import AutogradBlock, AutogradValue
from autograd_tour.integrations.sphinx.state import shows_nothing

__all__ = ["PicturesTransform"]


class PicturesTransform(SphinxPostTransform):
    """Blocks become images and roles become values."""

    default_priority = 5

    def run(self, **_: object) -> None:
        """Replace all of the document."""
        values, blocks = (list(self.document.findall(kind)) for kind in (AutogradValue, AutogradBlock))
        if shows_nothing(self.app):
            for node in [*values, *blocks]:
                node.parent.remove(node)
        elif values or blocks:
            from autograd_tour.integrations.sphinx.pictures import Pictures

            pictures = Pictures(self.app)
            for value in values:
                value.replace_self(pictures.value(value))
            for block in blocks:
                block.replace_self(pictures.content(block))
