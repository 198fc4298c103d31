"""The only room where live tensors are touched: a program in, plain data out."""

from autograd_tour.tracer.engine.repeat import accumulate
from autograd_tour.tracer.engine.stepper import Stop, stepper
from autograd_tour.tracer.trace import follow, trace

__all__ = ["Stop", "accumulate", "follow", "stepper", "trace"]
