"""Pictures where people write: Sphinx, Markdown, notebooks. All are thin, on top of the room ``hosts``."""
