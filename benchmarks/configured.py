"""Well-known models, built from their configuration with random weights: nothing is downloaded."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["CONFIGURED", "Configured"]

SEED = 0


class Configured(NamedTuple):
    """A model: what it is called, the package it comes from, and what makes its loss.

    ``make`` gets whether it is to be tiny, and returns the model and a function of it that gives the loss.
    """

    name: str
    package: str
    make: Callable[[bool], tuple[Any, Callable[[Any], Tensor]]]


def _transformers() -> Any:
    """The library; it loads torchvision where that is installed, of whatever build."""
    from benchmarks.library_models import torchvision_ready

    torchvision_ready()
    import transformers  # type: ignore[import-not-found, unused-ignore]

    return transformers


def _tokens(vocabulary: int, tiny: bool) -> Callable[[Any], Tensor]:
    """The loss of one batch of tokens, each of which is predicted."""
    import torch

    torch.manual_seed(SEED)
    tokens = torch.randint(0, vocabulary, (1, 8 if tiny else 128))

    def loss(model: Any) -> Tensor:
        result: Tensor = model(input_ids=tokens, labels=tokens).loss
        return result

    return loss


def _gpt2(tiny: bool) -> tuple[Any, Callable[[Any], Tensor]]:
    library = _transformers()
    small: dict[str, int] = {"n_layer": 1, "n_embd": 16, "n_head": 2, "vocab_size": 50} if tiny else {}
    config = library.GPT2Config(**small)
    return library.GPT2LMHeadModel(config), _tokens(config.vocab_size, tiny)


def _llama(tiny: bool) -> tuple[Any, Callable[[Any], Tensor]]:
    library = _transformers()
    config = library.LlamaConfig(
        vocab_size=50 if tiny else 32_000,
        hidden_size=16 if tiny else 768,
        intermediate_size=32 if tiny else 2_048,
        num_hidden_layers=1 if tiny else 12,
        num_attention_heads=2 if tiny else 12,
        tie_word_embeddings=True,
    )
    return library.LlamaForCausalLM(config), _tokens(config.vocab_size, tiny)


def _bert(tiny: bool) -> tuple[Any, Callable[[Any], Tensor]]:
    library = _transformers()
    small: dict[str, int] = {
        "num_hidden_layers": 1, "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 32,
        "vocab_size": 50,
    }  # fmt: skip
    config = library.BertConfig(**(small if tiny else {}))
    return library.BertForMaskedLM(config), _tokens(config.vocab_size, tiny)


def _resnet(tiny: bool) -> tuple[Any, Callable[[Any], Tensor]]:
    import torch

    from benchmarks.library_models import torchvision_ready

    torchvision_ready()
    from torchvision.models import resnet18, resnet50  # type: ignore[import-not-found, unused-ignore]

    torch.manual_seed(SEED)
    images = torch.randn(4, 3, 32, 32) if tiny else torch.randn(4, 3, 224, 224)
    kinds = torch.randint(0, 10, (4,))
    model = resnet18(num_classes=10) if tiny else resnet50()

    def loss(model: Any) -> Tensor:
        return torch.nn.functional.cross_entropy(model(images), kinds)

    return model, loss


CONFIGURED: dict[str, Configured] = {
    "gpt2": Configured("GPT-2 (124 million parameters), 128 tokens", "transformers", _gpt2),
    "llama": Configured("a Llama of 110 million parameters, 128 tokens", "transformers", _llama),
    "bert": Configured("BERT-base, 128 tokens", "transformers", _bert),
    "resnet": Configured("ResNet-50, 4 images", "torchvision", _resnet),
}
"""By the key of their row."""
