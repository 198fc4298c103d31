"""The manual: `make docs` builds it, with our own directive, into build/docs."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from autograd_tour import __version__  # noqa: E402

project = "autograd-tour"
author = "The autograd-tour authors"
copyright = author
version = release = __version__

extensions = [
    "autograd_tour.integrations.sphinx",
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
]

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

exclude_patterns = ["slides/sphinx"]  # a document of its own

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["manual.css"]
html_title = f"autograd-tour {version}"
html_show_sourcelink = False
html_copy_source = False
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"

autograd_prelude = "import torch\nimport torch.nn.functional as F"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "undoc-members": False}
napoleon_use_rtype = False


def _outside(_, __, source):
    """Links to what stands beside docs/, which on a page of the repository lead there, stay in the manual."""
    source[0] = source[0].replace("](../CONTRIBUTING.md", "](contributing.md")


def setup(app):
    app.connect("source-read", _outside)
