"""The model in NumPy: prompts in, logits out, the same bits whatever else is in the batch.

Every matrix product has a shape that depends on its own sequence alone: dense layers run in
tiles of a few rows and blocks of columns, attention runs a sequence at a time over keys padded to a
multiple of 32, and the sums of the softmax come out of that same product.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from .shape import Shape
from .tile import widest_tile

__all__ = [
    "KEY_BLOCK",
    "Attend",
    "Cache",
    "Floats",
    "LayerWeights",
    "Model",
    "empty_cache",
    "padded",
    "read_safetensors",
]

Floats: TypeAlias = NDArray[np.float32]
Attend: TypeAlias = Callable[[int, Floats, Floats, Floats], Floats]

_SMALL = 2**18
"""Multiplications of one product. OpenBLAS has a faster way for small ones, and never shares
them between threads, which for such sizes costs more than it gains."""
KEY_BLOCK = 32
"""Keys of a sequence are padded to a multiple of this."""


@dataclass(frozen=True, slots=True)
class LayerWeights:
    """Matrices of one layer, in blocks; norms and the attention scale are folded in."""

    qkv: Floats
    out: Floats
    gate_up: Floats
    down: Floats


@dataclass(slots=True)
class Cache:
    """Keys and values of one sequence, (layers, kv heads, capacity, head size).

    Values carry one more column of ones, whose product with the weights is their sum.
    """

    keys: Floats
    values: Floats
    length: int = 0

    def copy(self, capacity: int) -> Cache:
        """A copy with room for ``capacity`` tokens."""
        layers, heads, _, size = self.keys.shape
        copied = empty_cache(layers, heads, capacity, size)
        copied.keys[:, :, : self.length] = self.keys[:, :, : self.length]
        copied.values[:, :, : self.length] = self.values[:, :, : self.length]
        copied.length = self.length
        return copied


def empty_cache(layers: int, heads: int, capacity: int, size: int) -> Cache:
    """A cache with room for at least ``capacity`` tokens."""
    room = padded(capacity, KEY_BLOCK)
    values = np.zeros((layers, heads, room, size + 1), np.float32)
    values[..., size] = 1.0
    return Cache(np.zeros((layers, heads, room, size), np.float32), values)


def padded(count: int, multiple: int) -> int:
    """``count`` rounded up to a multiple."""
    return -(-count // multiple) * multiple


def read_safetensors(file: Path) -> dict[str, Floats]:
    """Read the fp16 tensors of a safetensors file as float32."""
    raw = file.read_bytes()
    start = 8 + int.from_bytes(raw[:8], "little")
    tensors = {}
    for name, entry in json.loads(raw[8:start]).items():
        if name == "__metadata__":
            continue
        if entry["dtype"] != "F16":
            raise ValueError(f"{file.name}: {name} is {entry['dtype']}, not F16")
        begin, end = entry["data_offsets"]
        halves = np.frombuffer(raw, np.float16, (end - begin) // 2, start + begin)
        tensors[name] = halves.astype(np.float32).reshape(entry["shape"])
    return tensors


class Model:
    """A Llama-style decoder. Weights are float32 in memory; logits are float32."""

    def __init__(self, shape: Shape, tensors: Mapping[str, Floats]) -> None:
        self.shape = shape
        self._tile = tile = widest_tile(shape)
        self._embedding = tensors["model.embed_tokens.weight"]
        self._unembedding = _blocks((self._embedding * tensors["model.norm.weight"]).T, tile)
        self._layers = tuple(_layer(shape, tensors, i, tile) for i in range(shape.layers))
        half = np.arange(0, shape.head_size, 2, dtype=np.float32) / shape.head_size
        angles = np.outer(np.arange(shape.context, dtype=np.float32), shape.rope_base**-half)
        self._cosine = np.cos(angles).astype(np.float32)[:, None, :]
        self._sine = np.sin(angles).astype(np.float32)[:, None, :]

    @classmethod
    def load(cls, folder: Path) -> Model:
        """Read ``config.json`` and ``model.safetensors`` of a folder."""
        config = json.loads((folder / "config.json").read_text())
        shape = Shape(
            vocabulary=config["vocab_size"],
            hidden=config["hidden_size"],
            inner=config["intermediate_size"],
            layers=config["num_hidden_layers"],
            heads=config["num_attention_heads"],
            kv_heads=config["num_key_value_heads"],
            head_size=config["head_dim"],
            context=config["max_position_embeddings"],
            rope_base=config["rope_theta"],
            norm_epsilon=config["rms_norm_eps"],
        )
        return cls(shape, read_safetensors(folder / "model.safetensors"))

    def prefill(self, tokens: Sequence[int]) -> tuple[Cache, Floats]:
        """Run a prompt; its cache, and the logits after each token (length, vocabulary)."""
        cache, states = self._prompt(tokens)
        return cache, self._dense(states, self._unembedding)[: len(tokens)]

    def embed(self, tokens: Sequence[int]) -> Floats:
        """The mean over the tokens of the last layer's normed states (hidden)."""
        _, states = self._prompt(tokens)
        mean: Floats = states[: len(tokens)].mean(0)
        return mean

    def _prompt(self, tokens: Sequence[int]) -> tuple[Cache, Floats]:
        """Run a prompt; its cache, and the normed states of its rows, padded to whole tiles."""
        shape, length = self.shape, len(tokens)
        cache = empty_cache(shape.layers, shape.kv_heads, length, shape.head_size)
        tile = self._tile
        rows = padded(length, tile)
        keys = cache.keys.shape[2]
        ids = np.zeros(rows, np.intp)
        ids[:length] = tokens
        positions = np.minimum(np.arange(rows), length - 1)
        hidden = np.where(np.arange(keys) > positions[:, None], np.float32(-np.inf), np.float32(0))
        hidden = hidden.reshape(-1, tile, keys)

        def attend(layer: int, q: Floats, k: Floats, v: Floats) -> Floats:
            cache.keys[layer, :, :length] = k[:length].transpose(1, 0, 2)
            cache.values[layer, :, :length, :-1] = v[:length].transpose(1, 0, 2)
            tiles = q.reshape(rows // tile, tile, shape.kv_heads, -1, shape.head_size)
            tiles = np.ascontiguousarray(tiles.transpose(2, 3, 0, 1, 4))
            turned = cache.keys[layer].transpose(0, 2, 1)[:, None, None]
            weights = np.matmul(tiles, turned)
            weights += hidden
            weights -= weights.max(-1, keepdims=True)
            np.exp(weights, out=weights)
            sums = np.matmul(weights, cache.values[layer][:, None, None])
            out: Floats = sums[..., :-1] / sums[..., -1:]
            return out.transpose(2, 3, 0, 1, 4).reshape(rows, -1)

        states = self._run(ids, positions, attend)
        cache.length = length
        return cache, states

    def decode(self, caches: Sequence[Cache], tokens: Sequence[int]) -> Floats:
        """Run one more token of each sequence; logits (sequences, vocabulary)."""
        shape, count = self.shape, len(caches)
        rows = padded(count, self._tile)
        ids = np.zeros(rows, np.intp)
        ids[:count] = tokens
        positions = np.zeros(rows, np.intp)
        positions[:count] = [cache.length for cache in caches]
        reach = [padded(cache.length + 1, KEY_BLOCK) for cache in caches]
        keys = max(reach)
        hidden = np.where(np.arange(keys) > positions[:, None], np.float32(-np.inf), np.float32(0))
        hidden = hidden[:, None, None, :]
        groups = shape.heads // shape.kv_heads
        scores = np.zeros((rows, shape.kv_heads, groups, keys), np.float32)
        sums = np.ones((rows, shape.kv_heads, groups, shape.head_size + 1), np.float32)

        def attend(layer: int, q: Floats, k: Floats, v: Floats) -> Floats:
            q = q.reshape(rows, shape.kv_heads, groups, -1)
            for row, cache in enumerate(caches):
                own = cache.keys[layer]
                own[:, cache.length] = k[row]
                cache.values[layer, :, cache.length, :-1] = v[row]
                end = reach[row]
                np.matmul(q[row], own[:, :end].transpose(0, 2, 1), out=scores[row, :, :, :end])
            np.add(scores, hidden, out=scores)
            np.subtract(scores, scores.max(-1, keepdims=True), out=scores)
            np.exp(scores, out=scores)
            for row, cache in enumerate(caches):
                end = reach[row]
                np.matmul(scores[row, :, :, :end], cache.values[layer, :, :end], out=sums[row])
            return (sums[..., :-1] / sums[..., -1:]).reshape(rows, -1)

        states = self._run(ids, positions, attend)
        for cache in caches:
            cache.length += 1
        return self._dense(states, self._unembedding)[:count]

    def _run(self, ids: NDArray[np.intp], positions: NDArray[np.intp], attend: Attend) -> Floats:
        """The normed states of the last layer (rows, hidden)."""
        shape = self.shape
        cosine, sine = self._cosine[positions], self._sine[positions]
        turned = shape.heads + shape.kv_heads
        x = self._embedding[ids]
        for index, layer in enumerate(self._layers):
            qkv = self._dense(self._normal(x), layer.qkv).reshape(len(ids), -1, shape.head_size)
            qk = _rotate(qkv[:, :turned], cosine, sine)
            mixed = attend(index, qk[:, : shape.heads], qk[:, shape.heads :], qkv[:, turned:])
            x = x + self._dense(mixed, layer.out)
            gate_up = self._dense(self._normal(x), layer.gate_up)
            gate, up = gate_up[:, : shape.inner], gate_up[:, shape.inner :]
            x = x + self._dense(gate / (1 + np.exp(-gate)) * up, layer.down)
        return self._normal(x)

    def _dense(self, x: Floats, blocks: Floats) -> Floats:
        count, _, width = blocks.shape
        tiles = np.ascontiguousarray(x).reshape(-1, 1, self._tile, x.shape[1])
        out = np.empty((len(tiles), self._tile, count, width), np.float32)
        np.matmul(tiles, blocks, out=out.transpose(0, 2, 1, 3))
        return out.reshape(x.shape[0], -1)

    def _normal(self, x: Floats) -> Floats:
        mean = np.square(x).mean(-1, keepdims=True)
        normal: Floats = x / np.sqrt(mean + np.float32(self.shape.norm_epsilon))
        return normal


def _layer(shape: Shape, tensors: Mapping[str, Floats], index: int, tile: int) -> LayerWeights:
    def weight(name: str) -> Floats:
        return tensors[f"model.layers.{index}.{name}.weight"]

    before, after = weight("input_layernorm"), weight("post_attention_layernorm")
    query = weight("self_attn.q_proj") * np.float32(shape.head_size**-0.5)
    qkv = np.concatenate([query, weight("self_attn.k_proj"), weight("self_attn.v_proj")]) * before
    gate_up = np.concatenate([weight("mlp.gate_proj"), weight("mlp.up_proj")]) * after
    return LayerWeights(
        qkv=_blocks(qkv.T, tile),
        out=_blocks(weight("self_attn.o_proj").T, tile),
        gate_up=_blocks(gate_up.T, tile),
        down=_blocks(weight("mlp.down_proj").T, tile),
    )


def _blocks(weight: Floats, tile: int) -> Floats:
    """A matrix (in, out) as blocks of columns (blocks, in, width) for small products."""
    rows, columns = weight.shape
    width = 1 << (_SMALL // (tile * rows)).bit_length() - 1
    width = min(width, columns & -columns)
    return np.ascontiguousarray(weight.reshape(rows, -1, width).transpose(1, 0, 2))


def _rotate(x: Floats, cosine: Floats, sine: Floats) -> Floats:
    half = x.shape[-1] // 2
    first, second = x[..., :half], x[..., half:]
    turned = np.empty_like(x)
    turned[..., :half] = first * cosine - second * sine
    turned[..., half:] = second * cosine + first * sine
    return turned
