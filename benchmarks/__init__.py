"""How fast: ours beside its peers on the same work. Run with ``make bench``."""
