"""What is found out about code that is to fail: the same findings as `autograd-tour explain` has."""

from __future__ import annotations

import warnings

import torch

from autograd_tour.findings import Finding, Subject, findings
from autograd_tour.lessons.tour.base import Code, Print
from autograd_tour.tracer.explained import observe

__all__ = ["complaint", "node_of"]


def complaint(code: Code, printer: Print) -> tuple[Finding, Subject] | None:
    """The worst that is wrong with ``code``, and what it was found in; ``None`` if nothing is."""
    with warnings.catch_warnings(), torch.random.fork_rng():
        warnings.simplefilter("ignore")
        observed = observe(code, printer)
    graphs = observed.run.graphs if observed.run is not None else ()
    if observed.graph is not None:
        graphs = (observed.graph, *graphs)
    subject = Subject(graphs, observed.run, observed.evidence)
    every = findings(subject)
    return (every[0], subject) if every else None


def node_of(finding: Finding, subject: Subject) -> str:
    """The ``grad_fn`` of the node that a finding marks, ``""`` for none."""
    return subject.graphs[finding.graph].node(finding.node).grad_fn if finding.node else ""
