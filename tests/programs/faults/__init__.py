"""Programs with one fault each; the guilty lines end in ``# <- role``."""
