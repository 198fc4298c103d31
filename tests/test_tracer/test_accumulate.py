"""accumulate(): what backward after backward does to ``.grad``, zeroed and not."""

from __future__ import annotations

import pytest
import torch
from programs import basics, models

import autograd_tour as tour
from autograd_tour.errors import ProgramError


def firsts(calls, part):
    return [getattr(call, part) and getattr(call, part).first for call in calls]


def test_without_zeroing_it_adds_up_and_with_zeroing_it_does_not():
    ledger = tour.accumulate(basics.scaled, calls=3)
    (account,) = ledger.accounts
    assert (account.name, account.shape) == ("w", (2,))
    assert firsts(account.keep, "before") == [None, (3.0, 3.0), (6.0, 6.0)]
    assert firsts(account.keep, "after") == [(3.0, 3.0), (6.0, 6.0), (9.0, 9.0)]
    assert firsts(account.zero_, "before") == [None, (0.0, 0.0), (0.0, 0.0)]
    assert firsts(account.none, "before") == [None, None, None]
    for policy in ("zero_", "none"):
        assert firsts(account.under(policy), "after") == [(3.0, 3.0)] * 3
        assert firsts(account.under(policy), "contribution") == [(3.0, 3.0)] * 3


def test_it_is_bit_for_bit_what_torch_does():
    torch.manual_seed(3)
    net = models.GPT(fused=False)
    net.eval()
    tokens = torch.randint(0, 17, (1, 8))

    def program():
        return net(tokens).log_softmax(-1).square().mean()

    ledger = tour.accumulate(program, calls=3, keep=None)
    assert all(parameter.grad is None for parameter in net.parameters())
    accounts = {account.name: account for account in ledger.accounts}
    for call in range(3):
        program().backward()
        for name, parameter in net.named_parameters():
            if name in accounts:
                assert accounts[name].keep[call].after.first == tuple(parameter.grad.reshape(-1).tolist())
    assert len(accounts) > 20


def test_a_program_whose_loss_changes_from_call_to_call():
    w = torch.tensor(1.0, requires_grad=True)
    factors = iter([1.0, 10.0, 100.0])
    ledger = tour.accumulate(lambda: w * next(factors), calls=3)
    (account,) = ledger.accounts
    assert firsts(account.keep, "contribution") == [(1.0,), (10.0,), (100.0,)]
    assert firsts(account.keep, "after") == [(1.0,), (11.0,), (111.0,)]
    assert [loss.first for loss in ledger.losses] == [(1.0,), (10.0,), (100.0,)]


def test_two_leaves_of_one_name_keep_an_account_each():
    def program():
        total = torch.tensor(0.0)
        for value in (2.0, 3.0):
            w = torch.tensor(value, requires_grad=True)
            total = total + w * w
        return total

    ledger = tour.accumulate(program, calls=1)
    assert sorted(account.keep[0].after.first for account in ledger.accounts) == [(4.0,), (6.0,)]


def test_a_leaf_without_a_gradient_in_one_call_has_none():
    a = torch.tensor(1.0, requires_grad=True)
    b = torch.tensor(2.0, requires_grad=True)

    class Half(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            return x * y

        @staticmethod
        def backward(ctx, grad):
            return grad * 2, None

    ledger = tour.accumulate(lambda: Half.apply(a, b), calls=2)
    accounts = {account.name: account for account in ledger.accounts}
    assert firsts(accounts["b"].keep, "after") == [None, None]
    assert firsts(accounts["a"].keep, "after") == [(2.0,), (4.0,)]


def test_grad_is_as_found_also_after_an_error():
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    w.grad = kept = torch.tensor([9.0, 9.0])
    tour.accumulate(lambda: (w * 3).sum(), calls=3)
    assert w.grad is kept
    assert kept.tolist() == [9.0, 9.0]
    calls = []

    def fails_later():
        calls.append(1)
        if len(calls) == 3:
            raise ValueError("enough")
        return (w * 3).sum()

    with pytest.raises(ProgramError, match="enough"):
        tour.accumulate(fails_later, calls=4)
    assert w.grad is kept
    assert kept.tolist() == [9.0, 9.0]


def test_other_leaves_in_a_later_call_are_an_error_that_says_so():
    sizes = iter([2, 3])

    def program():
        return torch.ones(next(sizes), requires_grad=True).sum()

    with pytest.raises(ProgramError, match="other leaves in backward call 2") as caught:
        tour.accumulate(program, calls=2)
    assert "same in each call" in caught.value.hint
