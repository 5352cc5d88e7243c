"""Train the weights from scratch on one CPU core and write them into the package.

``python -m polyarch.backends.embedded.train`` runs every stage; the seed and all settings are
in ``recipe.py``, so the same command gives the same recipe again.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from ..shape import Shape
from ..tokenizer import Mark, StoryTokenizer
from .data import Example, examples
from .model_torch import Llama
from .recipe import RECIPE, Recipe, Stage
from .vocabulary import build


@dataclass(frozen=True, slots=True)
class Batch:
    """Token ids (rows, length), which positions predict reply tokens, and those tokens."""

    tokens: Tensor
    selected: Tensor
    targets: Tensor
    roles: Tensor
    """Role number of each target."""


ROLE_NAMES = ("drill", "solve", "verify", "compare", "revise", "fuse")


def encode(example: Example, tokenizer: StoryTokenizer) -> tuple[list[int], list[bool]]:
    """Token ids of an example, and for each whether it counts as a target."""
    prompt = tokenizer.encode_parts(example.prompt)
    reply = [*tokenizer.encode(example.reply), tokenizer.mark(Mark.END)]
    if example.role == "drill":
        counted, on = [], False
        for token in reply:
            piece = tokenizer.token_bytes(token)
            counted.append(on)
            on = piece == b"=" or (on and piece != b"\n")
        return prompt + reply, [False] * len(prompt) + counted
    return prompt + reply, [False] * len(prompt) + [True] * len(reply)


def batches(
    stage: Stage, tokenizer: StoryTokenizer, rng: random.Random, pool: int = 1024
) -> Iterator[Batch]:
    """Yield batches of similar lengths, at most ``batch_tokens`` each with their padding."""
    source = examples(stage.shares, rng)
    while True:
        rows = []
        for _ in range(pool):
            example = next(source)
            rows.append((*encode(example, tokenizer), ROLE_NAMES.index(example.role)))
        rows.sort(key=lambda row: len(row[0]))
        groups: list[list[tuple[list[int], list[bool], int]]] = [[]]
        for row in rows:
            if (len(groups[-1]) + 1) * len(row[0]) > stage.batch_tokens and groups[-1]:
                groups.append([])
            groups[-1].append(row)
        rng.shuffle(groups)
        for group in groups:
            yield _collate(group, tokenizer.mark(Mark.PAD))


def _collate(group: list[tuple[list[int], list[bool], int]], pad: int) -> Batch:
    length = max(len(ids) for ids, _, _ in group)
    tokens = torch.tensor([ids + [pad] * (length - len(ids)) for ids, _, _ in group])
    counted = torch.tensor([flags + [False] * (length - len(flags)) for _, flags, _ in group])
    roles = torch.tensor([role for _, _, role in group])[:, None].expand(-1, length)
    selected = torch.zeros_like(counted)
    selected[:, :-1] = counted[:, 1:]
    return Batch(tokens, selected, tokens[counted], roles[counted])


def train(recipe: Recipe, folder: Path, minutes_between: float = 8.0) -> None:
    """Train from scratch; write tokenizer, weights and configuration into ``folder``."""
    torch.set_num_threads(1)
    torch.manual_seed(recipe.seed)
    rng = random.Random(recipe.seed)
    folder.mkdir(parents=True, exist_ok=True)
    build(folder / "tokenizer.json")
    tokenizer = StoryTokenizer(folder / "tokenizer.json")
    model = Llama(Shape())
    matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n]
    others = [p for n, p in model.named_parameters() if p.ndim != 2 or "embed" in n]
    optimizers = (
        torch.optim.Muon(
            matrices,
            lr=recipe.matrix_rate,
            weight_decay=0.01,
            ns_steps=4,
            adjust_lr_fn="match_rms_adamw",
        ),
        torch.optim.AdamW(others, lr=recipe.other_rate, betas=(0.9, 0.98), weight_decay=0.0),
    )
    peaks = (recipe.matrix_rate, recipe.other_rate)
    seen = step = 0
    began = saved = time.monotonic()
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    print(f"parameters {sum(p.numel() for p in model.parameters())}", flush=True)
    for stage in recipe.stages:
        for batch in batches(stage, tokenizer, rng):
            share = seen / recipe.tokens
            if share >= stage.until:
                break
            factor = min(1.0, (step + 1) / recipe.warmup_steps) * _decay(share)
            for optimizer, peak in zip(optimizers, peaks, strict=True):
                for group in optimizer.param_groups:
                    group["lr"] = peak * factor
            with torch.autocast("cpu", dtype=torch.bfloat16):
                logits = model(batch.tokens, batch.selected)
            losses = functional.cross_entropy(logits.float(), batch.targets, reduction="none")
            losses.mean().backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            seen += batch.tokens.numel()
            step += 1
            for role in batch.roles.unique().tolist():
                part = losses.detach()[batch.roles == role]
                sums[ROLE_NAMES[role]][0] += part.sum().item()
                sums[ROLE_NAMES[role]][1] += len(part)
            if step % 100 == 0:
                spent = time.monotonic() - began
                text = " ".join(f"{k} {a / b:.4f}" for k, (a, b) in sorted(sums.items()))
                print(
                    f"step {step} tokens {seen} {spent:.0f}s {seen / spent:.0f}/s {text}",
                    flush=True,
                )
                sums.clear()
            if time.monotonic() - saved > 60 * minutes_between:
                saved = time.monotonic()
                save(model, folder)
    save(model, folder)
    print(f"done: {step} steps, {seen} tokens, {time.monotonic() - began:.0f} s", flush=True)


def _decay(share: float) -> float:
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))


def save(model: Llama, folder: Path) -> None:
    """Write fp16 weights and a configuration that ``transformers`` reads too."""
    shape = model.shape
    weights = {
        f"model.{name}": parameter.detach().to(torch.float16).contiguous()
        for name, parameter in model.named_parameters()
    }
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    configuration = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.inner,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_size,
        "max_position_embeddings": shape.context,
        "rope_theta": shape.rope_base,
        "rms_norm_eps": shape.norm_epsilon,
        "tie_word_embeddings": True,
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "torch_dtype": "float16",
    }
    (folder / "config.json").write_text(json.dumps(configuration, indent=2) + "\n")


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(__file__).parent.parent / "weights"
    parser.add_argument("--folder", type=Path, default=default, help="where the weights go")
    train(RECIPE, parser.parse_args().folder)


if __name__ == "__main__":
    main()
