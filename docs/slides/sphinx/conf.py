"""A deck of reveal.js, made by Sphinx: `sphinx-build -b revealjs docs/slides/sphinx build/slides/sphinx`."""

project = "Backward, step by step"
extensions = ["sphinx_revealjs", "autograd_tour.integrations.sphinx"]
autograd_max_width = 1100  # px: slides are wider than columns of text

revealjs_style_theme = "white"
revealjs_script_conf = {"width": 1280, "height": 720, "hash": True, "controls": False, "progress": False}
