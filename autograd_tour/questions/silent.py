"""What a fault does that raises no error: what `.grad` is, what a step uses, whether anything is trained."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from autograd_tour.findings import Finding
from autograd_tour.questions.base import Question, Wrong, mixed
from autograd_tour.text import one_line

__all__ = ["effects"]

MOST = 2
"""Questions of this kind about one program."""


class _Effect(NamedTuple):
    """What is asked about a kind of finding; ``{leaf}`` in the prompt is the first leaf that it is about."""

    prompt: str
    answer: str
    right: str
    mistakes: tuple[tuple[str, str, int], ...]


_NONE = _Effect(
    "The program raises no error. What is .grad of {leaf} after backward?",
    "None",
    "No gradient arrives there, and so nothing is put into .grad.",
    (
        ("0 in every element", "A 0 would be a gradient that arrived. None says that none did.", 12),
        ("a gradient like that of any other leaf", "No way leads back to it from the loss.", 18),
    ),
)
_IDLE = _Effect(
    "The loop raises no error. What does the optimizer's step change?",
    "nothing: none of its parameters has a gradient",
    "A step passes over parameters whose .grad is None, without a word.",
    (
        (
            "all parameters that it holds, as ever",
            "It passes over parameters whose .grad is None, and all of them have none.",
            12,
        ),
        (
            "whatever got a gradient",
            "It changes only what it holds, and none of that got one.",
            14,
        ),
    ),
)
_UNCLIPPED = _Effect(
    "The loop clips gradients and raises no error. How large are those that the step uses?",
    "as large as backward left them",
    "Clipping changes the .grad that is there when it runs: it must come after backward and before the step.",
    (
        (
            "no larger than the clipping allows",
            "It allows that from the moment it runs on, and that is the wrong moment here.",
            14,
        ),
        ("0: clipping takes them away", "Clipping makes a .grad smaller; it empties none.", 14),
    ),
)
_EFFECTS: Mapping[str, _Effect] = {
    "grad-none-cut": _NONE,
    "grad-none-unused": _NONE,
    "grad-none-beside": _NONE,
    "zero-grad-missing": _Effect(
        "The loop raises no error. Which gradient is in .grad when a later step uses it?",
        "the sum of those of its own iteration and of earlier ones",
        "backward adds to .grad, and nothing empties it between two steps.",
        (
            ("that of its own iteration alone", "backward adds to .grad; it replaces nothing.", 6),
            ("the mean over all iterations so far", "Nothing divides: what comes is added.", 6),
        ),
    ),
    "zero-grad-before-step": _Effect(
        "The loop raises no error. How much of what backward brought does the step find in .grad?",
        "nothing",
        "Between backward and the step .grad is emptied.",
        (
            ("all of it", "Between backward and the step .grad is emptied.", 14),
            ("what the iteration before brought", "Emptying leaves nothing of that either.", 12),
        ),
    ),
    "changed-in-silence": _Effect(
        "A tensor that backward needs is changed after forward, and no error is raised. Which value does "
        "backward compute with?",
        "the new one, and the gradient is wrong",
        "What is saved is the tensor itself, and this change went past torch's version counter.",
        (
            (
                "the one that it had in forward",
                "What is saved is the tensor itself, not a copy of its numbers.",
                10,
            ),
            (
                "none: that gradient is left out",
                "Torch leaves nothing out: it raises where it notices a change, and this one it does not.",
                11,
            ),
        ),
    ),
    "requires-grad-set-on-result": _IDLE,
    "optimizer-of-other-parameters": _IDLE,
    "clipped-after-step": _UNCLIPPED,
    "clipped-before-backward": _UNCLIPPED,
    "evaluation-mode-in-training": _Effect(
        "A module is in evaluation mode in a step that trains it, and no error is raised. Does it train?",
        "yes, but dropout and batch normalisation in it work as in an evaluation",
        "eval() changes what those two compute, and turns no gradient off.",
        (
            ("no: eval() turns gradients off", "That is no_grad(); eval() turns no gradient off.", 7),
            (
                "yes, just as in training mode",
                "Dropout drops nothing then, and batch normalisation uses its running statistics.",
                7,
            ),
        ),
    ),
    "training-mode-in-evaluation": _Effect(
        "A module is in training mode where gradients are turned off, and no error is raised. How do "
        "dropout and batch normalisation in it work?",
        "as in training",
        "Turning gradients off ends the recording and changes no mode: that takes eval().",
        (
            ("as in an evaluation", "Only eval() does that; no_grad() ends the recording alone.", 7),
            ("not at all: they are passed over", "In either mode they compute what is theirs.", 7),
        ),
    ),
    "graph-in-evaluation": _Effect(
        "A module in evaluation mode is called, and no backward follows. Does autograd record a graph?",
        "yes, and it keeps what backward would need while the result lives",
        "The graph is made in forward, whatever comes later. Only no_grad() or inference_mode() ends that.",
        (
            ("no: eval() ends the recording", "That is no_grad(); eval() records as ever.", 7),
            (
                "no: without a backward there is no graph",
                "The graph is made in forward, before anybody knows whether a backward comes.",
                8,
            ),
        ),
    ),
    "unequal-micro-batches": _Effect(
        "Means over micro-batches of unequal size are added up in .grad, each with the same weight. Whose "
        "elements count most in it?",
        "those of the smallest micro-batch",
        "Each mean divides by the size of its own micro-batch, and then all means count the same.",
        (
            ("all count alike", "They do so only if all micro-batches have one size.", 15),
            (
                "those of the largest micro-batch",
                "Its mean divides by a larger number: each of them counts less.",
                15,
            ),
        ),
    ),
}


def effects(worst_first: Iterable[Finding]) -> Iterator[Question]:
    """What the worst of these faults do, one question for each way; of what torch complains nothing."""
    asked: list[_Effect] = []
    for finding in worst_first:
        effect = _EFFECTS.get(finding.kind)
        if effect is None or effect in asked or finding.level == "note" or finding.message:
            continue
        leaf = one_line(finding.about[0], 60) if finding.about else ""
        if "{leaf}" in effect.prompt and not leaf:
            continue
        yield _question(f"effect-{finding.kind}", effect, leaf)
        asked.append(effect)
        if len(asked) == MOST:
            return


def _question(question_id: str, effect: _Effect, leaf: str) -> Question:
    wrong = tuple(Wrong(*mistake) for mistake in effect.mistakes)
    return Question(
        question_id,
        "fault",
        effect.prompt.replace("{leaf}", leaf),
        effect.answer,
        effect.right,
        wrong,
        mixed(question_id, effect.answer, *(item.answer for item in wrong)),
        0.0,
    )
