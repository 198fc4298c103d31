"""Faults in a long training loop: what stands in it in place of which line, and what is to be said of it.

The marks are those of the small programs: ``# <- role``.
"""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["FAULTS", "NEAR_MISSES", "written"]

LOOP = Path(__file__).with_name("long_loop.py")

_SCALER = {"start": 'scaler = torch.amp.GradScaler("cpu")'}

FAULTS: dict[str, tuple[str, dict[str, str]]] = {
    "no_grad_around_forward": (
        "loss-without-gradient",
        {
            "forward": "with torch.no_grad():  # <- gradients turned off here\n    logits = model(part)",
            "embed": "h = torch.tanh(self.embed(x))  # <- cut here",
            "backward": "loss.backward()  # <- the loss without a gradient",
        },
    ),
    "logits_detached": (
        "loss-without-gradient",
        {
            "forward": "logits = model(part).detach()  # <- cut here",
            "backward": "loss.backward()  # <- the loss without a gradient",
        },
    ),
    "loss_of_an_item": (
        "loss-without-gradient",
        {
            "loss": "loss = torch.tensor(F.cross_entropy(logits, kinds).item())  # <- cut here",
            "backward": "loss.backward()  # <- the loss without a gradient",
        },
    ),
    "loss_through_numpy": (
        "loss-without-gradient",
        {
            "forward": "array = model(part).detach().numpy()  # <- cut here\nlogits = torch.tensor(array)",
            "backward": "loss.backward()  # <- the loss without a gradient",
        },
    ),
    "tensor_of_the_loss": (
        "loss-without-gradient",
        {
            "loss": "loss = torch.tensor(F.cross_entropy(logits, kinds))  # <- cut here",
            "backward": "loss.backward()  # <- the loss without a gradient",
        },
    ),
    "accuracy_as_loss": (
        "loss-without-gradient",
        {
            "loss": "loss = (logits.argmax(1) != kinds).float().mean()  # <- cut here",
            "backward": "loss.backward()  # <- the loss without a gradient",
        },
    ),
    "requires_grad_as_a_remedy": (
        "requires-grad-set-on-result",
        {
            "loss": "loss = F.cross_entropy(logits.data, kinds)  # <- cut here\n"
            "loss.requires_grad = True  # <- requires_grad set here",
            "backward": "loss.backward()  # <- the loss without a gradient",
            "clip": "pass",
        },
    ),
    "everything_frozen": (
        "loss-without-gradient",
        {
            "model": "for parameter in model.parameters():\n    parameter.requires_grad_(False)",
            "backward": "loss.backward()  # <- the loss without a gradient",
            "block": "h = block(h)",
        },
    ),
    "embedding_detached": (
        "grad-none-cut",
        {
            "embed": "h = torch.tanh(self.embed(x)).detach()  # <- cut here",
            "block": "h = block(h)",
        },
    ),
    "layer_forgotten": ("grad-none-unused", {"layers": "self.extra = nn.Linear(WIDTH, WIDTH)"}),
    "auxiliary_head_not_in_the_loss": (
        "grad-none-beside",
        {
            "layers": "self.other = nn.Linear(WIDTH, CLASSES)",
            "features": "h = self.norm(h)\nself.guess = self.other(h)  # <- last used here",
        },
    ),
    "reentrant_checkpoint_over_frozen_inputs": (
        "grad-none-cut",
        {
            "model": "model.embed.requires_grad_(False)",
            "optimizer": "optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)",
            "block": "if block is self.blocks[0]:\n"
            "    h = checkpoint(block, h, use_reentrant=True)  # <- cut here\n"
            "else:\n"
            "    h = block(h)",
        },
    ),
    "activation_changed_in_place": (
        "in-place",
        {
            "activation": "h = torch.tanh(h)  # <- saved here\nh += 1  # <- changed here",
            "block": "h = block(h)",
            "backward": "loss.backward()  # <- backward begins here",
        },
    ),
    "step_between_two_backwards": (
        "in-place-step",
        {
            "logits": "return self.head(h)  # <- saved here",
            "backward": "loss.backward(retain_graph=True)\n"
            "optimizer.step()  # <- changed here\n"
            "loss.backward()  # <- backward begins here",
            "block": "h = block(h)",
        },
    ),
    "weight_changed_in_place": (
        "in-place-on-leaf",
        {"zero": "optimizer.zero_grad()\nmodel.head.weight.mul_(0.99)  # <- changed here"},
    ),
    "row_of_a_weight_set": (
        "in-place-on-view-of-leaf",
        {"zero": "optimizer.zero_grad()\nmodel.head.weight[0] = 0.0  # <- changed here"},
    ),
    "activation_changed_through_data": (
        "changed-in-silence",
        {
            "activation": "h = torch.sigmoid(h)  # <- saved here\nh.data.mul_(2)  # <- changed here",
            "block": "h = block(h)",
            "backward": "loss.backward()  # <- backward begins here",
            "layers": "self.blocks = self.blocks[:1]",
        },
    ),
    "backward_twice": (
        "second-backward-same-loss",
        {
            "loss": "loss = F.cross_entropy(logits, kinds)  # <- computed here",
            "backward": "loss.backward()  # <- freed by this backward\nloss.backward()  # <- needed again by this backward",
        },
    ),
    "state_carried_over": (
        "second-backward-carried-over",
        {
            "start": "state = torch.zeros(MICRO, CLASSES)",
            "forward": "logits = model(part) + torch.sigmoid(state)\nstate = logits",
            "logits": "return self.head(h)  # <- computed here",
            "backward": "loss.backward()  # <- freed by this backward  # <- needed again by this backward",
            "block": "h = block(h)",
        },
    ),
    "log_of_a_probability": (
        "inf-forward",
        {
            "forward": "logits = torch.log(model(part).relu() * 0)  # <- made here",
            "clip": "pass",
        },
    ),
    "root_of_zero": (
        "inf-backward",
        {
            "loss": "loss = F.cross_entropy(logits, kinds) + torch.sqrt((logits * 0).sum())  # <- made here",
            "clip": "pass",
        },
    ),
    "nan_in_the_data": (
        "nonfinite-input",
        {
            "data": 'features[0, 0] = float("nan")',
            "embed": "h = torch.tanh(self.embed(x))  # <- used here",
            "clip": "pass",
            "forward": "logits = model(part)",
        },
    ),
    "rounded_features": (
        "rounding",
        {"logits": "h = self.head(h)\nreturn torch.round(h * 5)  # <- stopped here"},
    ),
    "clamped_logits": (
        "clamped",
        {"logits": "h = self.head(h)\nreturn (h + 50).clamp(-1, 1)  # <- stopped here"},
    ),
    "dead_relu": (
        "dead-relu",
        {"logits": "h = self.head(h)\nreturn torch.relu(h - 100)  # <- stopped here"},
    ),
    "everything_masked": (
        "masked",
        {"logits": "h = self.head(h)\nreturn h.masked_fill(h < 1000, -1.0)  # <- stopped here"},
    ),
    "never_zeroed": (
        "zero-grad-missing",
        {
            "zero": "pass",
            "parts": "parts = [(features, labels)]",
            "backward": "loss.backward()  # <- adds to the old .grad here",
            "step": "optimizer.step()  # <- used here",
        },
    ),
    "zeroed_before_step": (
        "zero-grad-before-step",
        {
            "zero": "pass",
            "backward": "loss.backward()",
            "parts": "parts = [(features, labels)]",
            "clip": "optimizer.zero_grad()  # <- emptied here",
            "step": "optimizer.step()  # <- stepped here, with nothing",
            "log": "running += loss.item()",
        },
    ),
    "optimizer_of_another_model": (
        "optimizer-of-other-parameters",
        {
            "optimizer": "optimizer = torch.optim.AdamW(Classifier().parameters(), lr=1e-2)",
            "zero": "model.zero_grad()",
            "step": "optimizer.step()  # <- stepped here",
        },
    ),
    "blocks_in_a_plain_list": (
        "parameters-not-registered",
        {
            "layers": "del self.blocks\nself.blocks = [Block(WIDTH) for _ in range(DEPTH)]",
            "step": "optimizer.step()  # <- stepped here",
        },
    ),
    "head_in_no_optimizer": (
        "parameters-in-no-optimizer",
        {
            "optimizer": "body = [p for name, p in model.named_parameters() if not name.startswith('head')]\n"
            "optimizer = torch.optim.AdamW(body, lr=1e-2)",
            "backward": "loss.backward()  # <- adds to the old .grad here",
            "step": "optimizer.step()  # <- stepped here",
        },
    ),
    "clipped_after_step": (
        "clipped-after-step",
        {
            "clip": "pass",
            "step": "optimizer.step()  # <- used here\n"
            "nn.utils.clip_grad_norm_(model.parameters(), 0.1)  # <- clipped here",
        },
    ),
    "clipped_before_backward": (
        "clipped-before-backward",
        {
            "parts": "parts = [(features, labels)]",
            "clip": "pass",
            "backward": "nn.utils.clip_grad_norm_(model.parameters(), 1.0)  # <- clipped here\nloss.backward()",
        },
    ),
    "total_of_losses": ("graph-kept", {"log": "running += loss  # <- kept here"}),
    "loss_of_many": (
        "loss-not-scalar",
        {
            "loss": 'loss = F.cross_entropy(logits, kinds, reduction="none")',
            "backward": "loss.backward()  # <- raised here",
        },
    ),
    "micro_batches_of_unequal_size": (
        "unequal-micro-batches",
        {
            "parts": "parts = zip(features.split(3), labels.split(3), strict=True)",
            "loss": "loss = F.cross_entropy(logits, kinds) / 2  # <- averaged here",
            "backward": "loss.backward()  # <- added to .grad here",
        },
    ),
    "evaluated_with_graphs": (
        "graph-in-evaluation",
        {
            "eval": "model.eval()  # <- evaluation mode set here",
            "no_grad": "if True:",
            "evaluate": "logits = model(features)  # <- recorded here",
        },
    ),
    "never_back_to_training": (
        "evaluation-mode-in-training",
        {
            "eval": "model.eval()  # <- evaluation mode set here",
            "train": "pass",
            "forward": "logits = model(part)  # <- ran here",
        },
    ),
    "evaluated_in_training_mode": (
        "training-mode-in-evaluation",
        {"eval": "pass", "train": "pass", "evaluate": "logits = model(features)  # <- ran here"},
    ),
    "dropout_without_a_mode": (
        "dropout-always-active",
        {
            "eval": "model.eval()  # <- evaluation mode set here",
            "dropout": "h = F.dropout(h, 0.1)  # <- dropped here",
        },
    ),
    "clipped_before_unscale": (
        "clipped-before-unscale",
        {
            **_SCALER,
            "backward": "scaler.scale(loss).backward()  # <- scaled gradients from here",
            "clip": "nn.utils.clip_grad_norm_(model.parameters(), 1.0)  # <- clipped here",
            "step": "scaler.step(optimizer)\nscaler.update()",
        },
    ),
    "stepped_without_the_scaler": (
        "step-of-scaled-gradients",
        {
            **_SCALER,
            "backward": "scaler.scale(loss).backward()  # <- scaled gradients from here",
            "clip": "pass",
            "step": "optimizer.step()  # <- stepped here",
        },
    ),
    "plain_loss_with_a_scaler": (
        "backward-of-unscaled-loss",
        {
            **_SCALER,
            "backward": "scaler.scale(loss)\nloss.backward()  # <- backward of the plain loss",
            "clip": "pass",
            "step": "scaler.step(optimizer)  # <- divided here\nscaler.update()",
        },
    ),
    "unscaled_twice": (
        "amp-order",
        {
            **_SCALER,
            "backward": "scaler.scale(loss).backward()\nscaler.unscale_(optimizer)  # <- raised here",
            "step": "scaler.step(optimizer)\nscaler.update()",
        },
    ),
    "scaler_never_updated": (
        "amp-order",
        {
            **_SCALER,
            "backward": "scaler.scale(loss).backward()",
            "clip": "pass",
            "step": "scaler.step(optimizer)  # <- raised here",
        },
    ),
    "recomputed_with_another_operation": (
        "checkpoint-differs-in-silence",
        {
            "activation": "if self.calls % 2:\n"
            "    h = torch.tanh(h)  # <- computed here first\n"
            "else:\n"
            "    h = torch.sigmoid(h)  # <- the second time here",
            "no_grad": "for block in model.blocks:\n    block.calls = 1\nwith torch.no_grad():",
        },
    ),
    "recomputed_with_fewer_operations": (
        "checkpoint-differs",
        {
            "activation": "if self.calls == 1:\n"
            "    h = torch.tanh(h)  # <- computed here first\n"
            "h = F.gelu(h)  # <- the second time here",
            "backward": "loss.backward()  # <- raised here",
        },
    ),
    "recomputed_otherwise_by_a_reentrant_checkpoint": (
        "checkpoint-differs-in-silence",
        {
            "block": "h = checkpoint(block, h, use_reentrant=True)",
            "activation": "if self.calls % 2:\n"
            "    h = torch.tanh(h)  # <- computed here first\n"
            "else:\n"
            "    h = torch.sigmoid(h)  # <- the second time here",
            "no_grad": "for block in model.blocks:\n    block.calls = 1\nwith torch.no_grad():",
        },
    ),
    "head_replaced": (
        "parameter-replaced",
        {
            "optimizer": "optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)  # <- optimizer made here",
            "start": "model.head = nn.Linear(WIDTH, CLASSES)  # <- replaced here",
        },
    ),
    "features_through_a_list": (
        "grad-none-cut",
        {"features": "h = self.norm(torch.tensor(h.tolist()))  # <- cut here"},
    ),
    "two_optimizers_of_one_model": (
        "parameters-in-two-optimizers",
        {
            "start": "other = torch.optim.SGD(model.parameters(), lr=1e-2)",
            "step": "optimizer.step()  # <- and here\nother.step()  # <- stepped here",
        },
    ),
    "integer_parameter": (
        "integer-requires-grad",
        {"model": "model.scale = torch.tensor([1, 2], requires_grad=True)  # <- raised here"},
    ),
    "shapes_that_do_not_fit": (
        "error",
        {"logits": "return self.head(h[:, 1:])  # <- raised here"},
    ),
}
"""Name -> (kind of the finding, lines in place of which marked ones)."""

NEAR_MISSES: dict[str, dict[str, str]] = {
    "as_it_is": {},
    "plain_batches": {"parts": "parts = [(features, labels)]"},
    "zeroed_after_step": {"zero": "pass", "step": "optimizer.step()\noptimizer.zero_grad()"},
    "zeroed_with_zeros": {"zero": "optimizer.zero_grad(set_to_none=False)"},
    "sum_of_detached_losses": {"log": "running += loss.detach()"},
    "unequal_and_weighted": {"parts": "parts = zip(features.split(3), labels.split(3), strict=True)"},
    "embedding_frozen": {
        "model": "model.embed.requires_grad_(False)",
        "optimizer": "optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)",
    },
    "without_checkpoints": {"block": "h = block(h)"},
    "reentrant_checkpoints": {"block": "h = checkpoint(block, h, use_reentrant=True)"},
    "scaled_in_order": {
        **_SCALER,
        "backward": "scaler.scale(loss).backward()",
        "clip": "scaler.unscale_(optimizer)\nnn.utils.clip_grad_norm_(model.parameters(), 1.0)",
        "step": "scaler.step(optimizer)\nscaler.update()",
    },
    "inference_mode": {"no_grad": "with torch.inference_mode():"},
    "autocast": {
        "forward": 'with torch.autocast("cpu", dtype=torch.bfloat16):\n    logits = model(part).float()'
    },
    "clipped_by_value": {"clip": "nn.utils.clip_grad_value_(model.parameters(), 1.0)"},
    "sgd_with_momentum": {
        "optimizer": "optimizer = torch.optim.SGD(model.parameters(), lr=1e-2, momentum=0.9)"
    },
    "two_losses_added": {
        "loss": "loss = (F.cross_entropy(logits, kinds) + 1e-3 * logits.pow(2).mean()) * len(part) / SIZE"
    },
    "teacher_without_gradient": {
        "start": "teacher = Classifier()",
        "forward": "logits = model(part)\nwith torch.no_grad():\n    target = teacher(part).softmax(1)",
        "loss": "loss = F.cross_entropy(logits, target) * len(part) / SIZE",
    },
    "accuracy_beside": {"log": "running += (logits.argmax(1) == kinds).float().mean().item()"},
    "dropout_with_its_mode": {"dropout": "h = F.dropout(h, 0.1, training=self.training)"},
    "in_place_where_it_may": {"activation": "h = F.relu(h, inplace=True)", "block": "h = block(h)"},
    "random_state_not_kept_and_no_dropout": {
        "dropout": "pass",
        "block": "h = checkpoint(block, h, use_reentrant=False, preserve_rng_state=False)",
    },
    "averaged_weights": {
        "start": "average = torch.optim.swa_utils.AveragedModel(model)",
        "step": "optimizer.step()\naverage.update_parameters(model)",
    },
    "gradient_norm_logged": {
        "clip": "norm = nn.utils.clip_grad_norm_(model.parameters(), float('inf'))\nrunning += norm.item()"
    },
    "backward_twice_and_kept": {"backward": "loss.backward(retain_graph=True)\nloss.backward()"},
    "state_detached": {
        "start": "state = torch.zeros(MICRO, CLASSES)",
        "forward": "logits = model(part) + torch.sigmoid(state)\nstate = logits.detach()",
    },
}


def written(changes: dict[str, str]) -> str:
    """The long loop with these changes; no mark is left that was for them alone."""
    lines: list[str] = []
    for line in LOOP.read_text().splitlines():
        mark = re.search(r"\s*#: (\w+)$", line)
        if mark is None:
            lines.append(line)
        elif mark[1] in changes:
            room = line[: len(line) - len(line.lstrip())]
            lines += [room + new for new in changes[mark[1]].splitlines()]
        elif line[: mark.start()].strip():
            lines.append(line[: mark.start()])
    return "\n".join(lines) + "\n"
