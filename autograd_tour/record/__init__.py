"""Frozen data: what was recorded of an autograd run, its invariants, and its JSON."""
