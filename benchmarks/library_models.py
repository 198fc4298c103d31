"""Models of torchvision, timm and transformers, built from their configurations: tiny, without weights."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

__all__ = ["LARGEST", "LIBRARIES", "Candidate", "TooLargeError", "candidates", "torchvision_ready"]

LARGEST = 30_000_000
"""Parameters of a model that is tried."""


class Candidate(NamedTuple):
    """A model that may be built: its name, and what makes it with the function of its loss."""

    library: str
    name: str
    make: Callable[[], tuple[nn.Module, Callable[[nn.Module], Tensor]]]


_OPERATORS: list[torch.library.Library] = []
"""Held as long as the process runs: an operator goes with the object that defined it."""


def torchvision_ready() -> None:
    """Let torchvision be imported where its operators are of another build: these models need none."""
    with suppress(ImportError):
        try:
            import torchvision  # noqa: F401
        except RuntimeError:
            _OPERATORS.append(torch.library.Library("torchvision", "DEF"))
            for name in ("nms", "qnms"):
                _OPERATORS[0].define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
            for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
                del sys.modules[name]


# ---- torchvision and timm ----------------------------------------------------------------------------


def _torchvision() -> Iterator[Candidate]:
    from torchvision import models

    for name in models.list_models(module=models):

        def make(name: str = name) -> tuple[nn.Module, Callable[[nn.Module], Tensor]]:
            settings = {"init_weights": True} if name in ("googlenet", "inception_v3") else {}
            _check(next(iter(models.get_model_weights(name))).meta["num_params"])
            model = models.get_model(name, weights=None, num_classes=4, **settings)
            size = 299 if "inception" in name else 224 if name.startswith(("vit", "maxvit")) else 64
            return model, _image_loss(size)

        yield Candidate("torchvision", name, make)


def _timm() -> Iterator[Candidate]:
    import timm

    for name in _one_of_each_kind(timm.list_models()):

        def make(name: str = name) -> tuple[nn.Module, Callable[[nn.Module], Tensor]]:
            _check_size(lambda: timm.create_model(name, pretrained=False, num_classes=4))
            try:
                model = timm.create_model(name, pretrained=False, num_classes=4, img_size=64)
                size = 64
            except (TypeError, AssertionError, ValueError, RuntimeError):
                model = timm.create_model(name, pretrained=False, num_classes=4)
                fixed = model.default_cfg.get("fixed_input_size")
                size = model.default_cfg["input_size"][-1] if fixed else 64
            return model, _image_loss(size)

        yield Candidate("timm", name, make)


def _one_of_each_kind(names: list[str]) -> list[str]:
    """The smallest two of each family, as their names tell."""
    words = (
        "test_",
        "atto",
        "femto",
        "pico",
        "nano",
        "xxs",
        "tiny",
        "_ti",
        "mini",
        "xs",
        "small",
        "_s",
        "b0",
        "18",
    )
    families: dict[str, list[str]] = {}
    for name in names:
        families.setdefault(name.split("_")[0].rstrip("0123456789"), []).append(name)

    def size(name: str) -> tuple[int, int]:
        return next((n for n, word in enumerate(words) if word in name), len(words)), len(name)

    return [name for several in families.values() for name in sorted(several, key=size)[:2]] + [
        name for name in names if name.startswith("test_")
    ]


def _image_loss(size: int) -> Callable[[nn.Module], Tensor]:
    images, kinds = torch.randn(2, 3, size, size), torch.tensor([1, 3])

    def loss(model: nn.Module) -> Tensor:
        result = model(images)
        outputs = list(result) if isinstance(result, tuple) else [result]
        outputs = [item for item in outputs if isinstance(item, Tensor) and item.shape == (2, 4)]
        return torch.stack([nn.functional.cross_entropy(item, kinds) for item in outputs]).sum()

    return loss


class TooLargeError(Exception):
    """A model has more parameters than :data:`LARGEST`."""


def _check_size(build: Callable[[], Any]) -> None:
    """Build a model without memory, to know its size first."""
    with torch.device("meta"):
        _check(sum(parameter.numel() for parameter in build().parameters()))


def _check(size: int) -> None:
    if size > LARGEST:
        raise TooLargeError(f"{size:,} parameters")


# ---- transformers ------------------------------------------------------------------------------------

_TINY = {
    "hidden_size": 32, "d_model": 32, "n_embd": 32, "dim": 32,
    "embedding_size": 32, "emb_dim": 32, "embed_dim": 32,
    "num_hidden_layers": 2, "n_layer": 2, "n_layers": 2, "num_layers": 2,
    "encoder_layers": 2, "decoder_layers": 2,
    "num_decoder_layers": 2, "num_attention_heads": 4, "n_head": 4, "n_heads": 4, "num_heads": 4,
    "encoder_attention_heads": 4, "decoder_attention_heads": 4, "num_key_value_heads": 4,
    "intermediate_size": 48, "d_ff": 48, "ffn_dim": 48,
    "encoder_ffn_dim": 48, "decoder_ffn_dim": 48, "n_inner": 48,
    "vocab_size": 101, "max_position_embeddings": 64, "n_positions": 64, "n_ctx": 64, "type_vocab_size": 3,
    "image_size": 64, "patch_size": 8, "head_dim": 8, "d_kv": 8, "hidden_dim": 48, "num_labels": 4,
    "num_experts": 4, "num_local_experts": 4, "n_routed_experts": 4, "num_experts_per_tok": 2,
    "n_group": 1, "topk_group": 1,
    "moe_intermediate_size": 24, "shared_expert_intermediate_size": 24, "q_lora_rank": 16, "kv_lora_rank": 16,
    "qk_rope_head_dim": 4, "qk_nope_head_dim": 4, "v_head_dim": 8, "lru_width": 32, "state_size": 8,
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1,
}  # fmt: skip


def _transformers() -> Iterator[Candidate]:
    from transformers import AutoConfig
    from transformers.models.auto import modeling_auto as auto

    tables = (
        ("causal", auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES),
        ("masked", auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES),
        ("sequence", auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES),
        ("classes", auto.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES),
        ("image", auto.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES),
    )
    for task, table in tables:
        for kind, classes in table.items():
            name = classes if isinstance(classes, str) else classes[0]

            def make(
                kind: str = kind, name: str = name, task: str = task
            ) -> tuple[nn.Module, Callable[[nn.Module], Tensor]]:
                import transformers

                config = AutoConfig.for_model(kind)
                for key, value in _TINY.items():
                    if type(getattr(config, key, None)) is int:
                        setattr(config, key, value)
                if getattr(config, "pad_token_id", 0) is None:
                    config.pad_token_id = 0
                if task == "sequence":
                    config.decoder_start_token_id = 1
                config.use_cache = False  # some caches ask for layers that a tiny model has not
                model_class = getattr(transformers, name)
                _check_size(lambda: model_class(config))
                return model_class(config), _text_loss(task, config)

            yield Candidate("transformers", f"{name}", make)


def _text_loss(task: str, config: Any) -> Callable[[nn.Module], Tensor]:
    words = torch.randint(3, 90, (2, 12))
    if type(getattr(config, "eos_token_id", None)) is int:
        words[:, -1] = config.eos_token_id  # some classify by what they make of it
    if task == "image":
        given = {
            "pixel_values": torch.randn(2, getattr(config, "num_channels", 3), 64, 64),
            "labels": torch.tensor([1, 3]),
        }
    elif task == "classes":
        given = {"input_ids": words, "labels": torch.tensor([1, 3])}
    else:
        given = {"input_ids": words, "labels": words}

    def loss(model: nn.Module) -> Tensor:
        value = model(**given).loss
        if not isinstance(value, Tensor):
            raise TypeError("the model gave no loss")
        return value

    return loss


LIBRARIES: dict[str, Callable[[], Iterator[Candidate]]] = {
    "torchvision": _torchvision,
    "timm": _timm,
    "transformers": _transformers,
}


def candidates(library: str) -> list[Candidate]:
    """All models of a library that may be built; none where it is not installed."""
    torchvision_ready()
    try:
        return list({item.name: item for item in LIBRARIES[library]()}.values())
    except ImportError:
        return []
