"""Autograd pictures where people write: Sphinx, Markdown, notebooks. Thin, on top of :mod:`autograd_tour.hosts`."""
