"""A record against what does not depend on it: torchviz, torch without us, differences, its own sums.

:mod:`~autograd_tour.checks.verify` is the entry. :mod:`~autograd_tour.checks.sums` alone needs no torch.
"""
