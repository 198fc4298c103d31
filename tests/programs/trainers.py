"""Programs that train. Each notes numbers of torch's own, so that a run without us has them to compare with."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

NOTES: dict[str, float] | None = None
"""Where numbers are noted; nowhere while a program is followed."""

X = torch.tensor([[1.0, 2.0], [3.0, -1.0], [0.5, 4.0], [2.0, 2.0], [1.5, -2.0], [-1.0, 0.5]])
Y = X @ torch.tensor([[2.0], [-1.0]]) + 0.5


def note(name: str, tensor: Tensor | None) -> None:
    """Note the first element of a tensor."""
    if NOTES is not None:
        NOTES[name] = float("nan") if tensor is None else float(tensor.detach().flatten()[0])


def model() -> nn.Linear:
    net = nn.Linear(2, 1)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[0.5, -0.25]]))
        net.bias.fill_(0.1)
    return net


def sgd() -> None:
    net = model()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
    for k in range(3):
        optimizer.zero_grad()
        loss = mse_loss(net(X), Y)
        loss.backward()
        note(f"grad {k + 1}", net.bias.grad)
        optimizer.step()
        note(f"value {k + 1}", net.bias)


def momentum() -> None:
    net = model()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.001, momentum=0.9, weight_decay=0.1)
    for k in range(2):
        optimizer.zero_grad(set_to_none=False)
        note("emptied", net.bias.grad)
        mse_loss(net(X), Y).backward()
        note(f"grad {k + 1}", net.bias.grad)
        optimizer.step()
        note(f"value {k + 1}", net.bias)


def small_steps() -> None:
    net = model()
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-5)
    note("value 0", net.bias)
    mse_loss(net(X), Y).backward()
    optimizer.step()
    note("value 1", net.bias)


def zeroed() -> None:
    w = torch.tensor(1.0, requires_grad=True)
    for k in range(3):
        if w.grad is not None:
            w.grad.zero_()
            note("emptied", w.grad)
        loss = ((w * X[:, 0] - Y[:, 0]) ** 2).mean()
        loss.backward()
        note(f"grad {k + 1}", w.grad)
        with torch.no_grad():
            w -= 0.1 * w.grad
        note(f"value {k + 1}", w)


def unzeroed() -> None:
    w = torch.tensor(1.0, requires_grad=True)
    for k in range(3):
        loss = ((w * X[:, 0] - Y[:, 0]) ** 2).mean()
        loss.backward()
        note(f"grad {k + 1}", w.grad)
        with torch.no_grad():
            w -= 0.1 * w.grad


def micro_batches() -> None:
    net = model()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
    for k in range(2):
        optimizer.zero_grad()
        for i in range(3):
            loss = mse_loss(net(X[2 * i : 2 * i + 2]), Y[2 * i : 2 * i + 2]) / 3
            loss.backward()
            note(f"grad {3 * k + i + 1}", net.bias.grad)
        optimizer.step()
        note(f"value {k + 1}", net.bias)


def clipping() -> None:
    net = model()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
    for k in range(2):
        loss = mse_loss(net(X), Y)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 2.0)
        note(f"clipped weight {k + 1}", net.weight.grad)
        optimizer.step()
        note(f"value {k + 1}", net.bias)


def rebinding() -> None:
    params = torch.tensor([1.0, 0.0], requires_grad=True)
    for k in range(3):
        loss = ((params[0] * X[:, 0] + params[1] - Y[:, 0]) ** 2).mean()
        loss.backward()
        note(f"grad {k + 1}", params.grad)
        params = (params - 0.1 * params.grad).detach().requires_grad_()
        note(f"value {k + 1}", params)


def two_optimizers() -> None:
    maker, judge = model(), model()
    of_maker = torch.optim.SGD(maker.parameters(), lr=0.05)
    of_judge = torch.optim.SGD(judge.parameters(), lr=0.05)
    for k in range(2):
        fake = maker(X)
        of_judge.zero_grad()
        loss_judge = (judge(torch.cat([fake, fake], 1).detach()) ** 2).mean()
        loss_judge.backward()
        note(f"judge {2 * k + 1}", judge.bias.grad)
        of_judge.step()
        of_maker.zero_grad()
        loss_maker = ((judge(torch.cat([fake, fake], 1)) - 1) ** 2).mean()
        loss_maker.backward()
        note(f"judge {2 * k + 2}", judge.bias.grad)
        of_maker.step()


def lbfgs() -> None:
    net = model()
    optimizer = torch.optim.LBFGS(net.parameters(), lr=0.5, max_iter=3)
    calls = torch.tensor(0.0)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = mse_loss(net(X), Y)
        loss.backward()
        calls.add_(1)
        note(f"grad {int(calls)}", net.bias.grad)
        return loss

    optimizer.step(closure)
    note("calls", calls)


def evaluated() -> None:
    net = model()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)

    def evaluate() -> Tensor:
        optimizer.zero_grad()
        loss = mse_loss(net(X), Y)
        loss.backward()
        return loss

    for _ in range(3):
        optimizer.step(evaluate)


def not_finite() -> None:
    w = torch.tensor(-1.0, requires_grad=True)
    for _ in range(3):
        w.sqrt().backward()
        with torch.no_grad():
            w -= 0.1 * w.grad


def same_names() -> None:
    first = [torch.tensor([2.0], requires_grad=True)]
    for w in first:
        (w * 3).sum().backward()
        (w * 4).sum().backward()
    for w in [torch.tensor([5.0], requires_grad=True)]:
        (w * 6 + first[0]).sum().backward()
        (w * 7 + first[0]).sum().backward()


def long() -> None:
    net = model()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    for _ in range(30):
        optimizer.zero_grad()
        mse_loss(net(X), Y).backward()
        optimizer.step()
