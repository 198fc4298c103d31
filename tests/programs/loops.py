"""Training code as people write it: each function trains what stands above it, and returns its losses."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(11)

images, classes = torch.randn(30, 1, 8, 8), torch.randint(0, 4, (30,))


class Digits(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)
        self.drop, self.out = nn.Dropout(0.25), nn.Linear(36, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.norm(self.conv(x))), 2)
        return F.log_softmax(self.out(self.drop(torch.flatten(x, 1))), dim=1)


digits = Digits()
digits_optimizer = torch.optim.Adadelta(digits.parameters(), lr=1.0)
digits_scheduler = torch.optim.lr_scheduler.StepLR(digits_optimizer, step_size=1, gamma=0.7)


def mnist_loop() -> list[float]:
    losses = []
    for _ in range(2):
        digits.train()
        for data, target in DataLoader(TensorDataset(images, classes), batch_size=10, shuffle=True):
            digits_optimizer.zero_grad()
            loss = F.nll_loss(digits(data), target)
            loss.backward()
            digits_optimizer.step()
            losses.append(loss.item())
        digits.eval()
        with torch.no_grad():
            digits(images)
        digits_scheduler.step()
    return losses


generator = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 3))
critic = nn.Sequential(nn.Linear(3, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))
generator_optimizer = torch.optim.Adam(generator.parameters(), lr=1e-2, betas=(0.5, 0.999))
critic_optimizer = torch.optim.Adam(critic.parameters(), lr=1e-2)


def gan() -> list[float]:
    losses = []
    for _ in range(2):
        real, fake = torch.randn(6, 3), generator(torch.randn(6, 2))
        critic.zero_grad()
        on_real = F.binary_cross_entropy_with_logits(critic(real), torch.ones(6, 1))
        on_real.backward()
        on_fake = F.binary_cross_entropy_with_logits(critic(fake.detach()), torch.zeros(6, 1))
        on_fake.backward()
        critic_optimizer.step()
        generator.zero_grad()
        fooled = F.binary_cross_entropy_with_logits(critic(fake), torch.ones(6, 1))
        fooled.backward()
        generator_optimizer.step()
        losses += [on_real.item(), on_fake.item(), fooled.item()]
    return losses


classifier = nn.Sequential(nn.Linear(5, 16), nn.GELU(), nn.Linear(16, 2))
classifier_optimizer = torch.optim.AdamW(classifier.parameters(), lr=1e-2)
scaler = torch.amp.GradScaler("cpu")


def micro_batches() -> list[float]:
    losses = []
    for _ in range(2):
        classifier_optimizer.zero_grad(set_to_none=True)
        for _ in range(3):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = F.cross_entropy(classifier(torch.randn(4, 5)), torch.randint(0, 2, (4,))) / 3
            scaler.scale(loss).backward()
            losses.append(scaler.scale(loss).item())
        scaler.unscale_(classifier_optimizer)
        nn.utils.clip_grad_norm_(classifier.parameters(), 1.0)
        scaler.step(classifier_optimizer)
        scaler.update()
    return losses


line = nn.Linear(3, 1)


def lbfgs() -> list[float]:
    losses = []
    optimizer = torch.optim.LBFGS(line.parameters(), lr=0.8, max_iter=3)
    x = torch.randn(10, 3)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.mse_loss(line(x), x.sum(1, keepdim=True))
        loss.backward()
        losses.append(loss.item())
        return loss

    for _ in range(2):
        optimizer.step(closure)
    return losses


policy = nn.Sequential(nn.Linear(4, 16), nn.Dropout(0.1), nn.ReLU(), nn.Linear(16, 2))
policy_optimizer = torch.optim.RMSprop(policy.parameters(), lr=1e-2, momentum=0.3)


def policy_gradient() -> list[float]:
    losses = []
    for _ in range(3):
        log_probs, rewards = [], []
        for t in range(5):
            actions = torch.distributions.Categorical(logits=policy(torch.randn(4)))
            action = actions.sample()
            log_probs.append(actions.log_prob(action))
            rewards.append(float(action) + 0.1 * t)
        returns = torch.tensor(rewards).flip(0).cumsum(0).flip(0)
        loss = -(torch.stack(log_probs) * (returns - returns.mean())).sum()
        policy_optimizer.zero_grad()
        loss.backward()
        policy_optimizer.step()
        losses.append(loss.item())
    return losses


student = nn.Linear(2, 2)
average = torch.optim.swa_utils.AveragedModel(
    student, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9)
)
student_optimizer = torch.optim.SGD(student.parameters(), lr=0.1, nesterov=True, momentum=0.9)
student_scheduler = torch.optim.lr_scheduler.OneCycleLR(student_optimizer, max_lr=0.5, total_steps=100)


def averaged() -> list[float]:
    losses = []
    for _ in range(12):
        loss = student(torch.randn(3, 2)).pow(2).sum()
        student_optimizer.zero_grad(set_to_none=False)
        loss.backward()
        student_optimizer.step()
        student_scheduler.step()
        average.update_parameters(student)
        losses.append(loss.item())
    return losses


w, velocity = torch.tensor([1.0, 2.0], requires_grad=True), torch.zeros(2)


def momentum_by_hand() -> list[float]:
    losses = []
    for _ in range(4):
        loss = (w * w).sum()
        loss.backward(retain_graph=True)
        with torch.no_grad():
            velocity.mul_(0.9).add_(w.grad)
            w.sub_(0.1 * velocity)
            w.grad = None
        losses.append(loss.item())
    return losses


memory, reader = nn.LSTM(3, 5), nn.Linear(5, 1)
memory_optimizer = torch.optim.SGD([*memory.parameters(), *reader.parameters()], lr=0.1)


def truncated() -> list[float]:
    losses, state = [], None
    for _ in range(3):
        out, state = memory(torch.randn(4, 2, 3), state)
        state = tuple(part.detach() for part in state)
        loss = reader(out).pow(2).mean()
        memory_optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_value_(memory.parameters(), 0.01)
        memory_optimizer.step()
        losses.append(loss.item())
    return losses


fused = nn.Linear(2, 2)


def step_in_backward() -> list[float]:
    optimizers = {id(parameter): torch.optim.SGD([parameter], lr=0.1) for parameter in fused.parameters()}

    def hook(parameter: Tensor) -> None:
        optimizers[id(parameter)].step()
        optimizers[id(parameter)].zero_grad()

    handles = [parameter.register_post_accumulate_grad_hook(hook) for parameter in fused.parameters()]
    losses = []
    for _ in range(2):
        loss = fused(torch.ones(1, 2)).sum()
        loss.backward()
        losses.append(loss.item())
    for handle in handles:
        handle.remove()
    return losses


MODELS = (digits, generator, critic, classifier, line, policy, student, average, memory, reader, fused)
OPTIMIZERS = (
    digits_optimizer, generator_optimizer, critic_optimizer, classifier_optimizer, policy_optimizer,
    student_optimizer, memory_optimizer,
)  # fmt: skip
OTHERS = (digits_scheduler, student_scheduler, scaler)
LOOPS = (
    mnist_loop, gan, micro_batches, lbfgs, policy_gradient, averaged, momentum_by_hand, truncated,
    step_in_backward,
)  # fmt: skip
