"""The model in PyTorch, for training only; the names of its weights are Hugging Face's."""

# mypy: disable-error-code="misc"
# (where torch is not installed, its classes have no types)

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..shape import Shape


class Norm(nn.Module):
    """Root-mean-square normalisation with a learned scale."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(shape.hidden))
        self.epsilon = shape.norm_epsilon

    def forward(self, x: Tensor) -> Tensor:
        return functional.rms_norm(x, self.weight.shape, self.weight, self.epsilon)


class Attention(nn.Module):
    """Causal attention with rotary positions and shared key-value heads."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.q_proj = nn.Linear(shape.hidden, shape.heads * shape.head_size, bias=False)
        self.k_proj = nn.Linear(shape.hidden, shape.kv_heads * shape.head_size, bias=False)
        self.v_proj = nn.Linear(shape.hidden, shape.kv_heads * shape.head_size, bias=False)
        self.o_proj = nn.Linear(shape.heads * shape.head_size, shape.hidden, bias=False)

    def forward(self, x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        batch, length, _ = x.shape

        def heads(y: Tensor, count: int) -> Tensor:
            return y.view(batch, length, count, self.shape.head_size).transpose(1, 2)

        q = rotate(heads(self.q_proj(x), self.shape.heads), cosine, sine)
        k = rotate(heads(self.k_proj(x), self.shape.kv_heads), cosine, sine)
        v = heads(self.v_proj(x), self.shape.kv_heads)
        # Written out: torch's fused attention is three times slower here on one CPU core.
        groups = self.shape.heads // self.shape.kv_heads
        q = (q * self.shape.head_size**-0.5).unflatten(1, (self.shape.kv_heads, groups))
        scores = q @ k.unsqueeze(2).transpose(-1, -2)
        future = torch.ones(length, length, dtype=torch.bool).triu(1)
        weights = scores.float().masked_fill(future, -torch.inf).softmax(-1)
        out = (weights.to(v.dtype) @ v.unsqueeze(2)).flatten(1, 2)
        projected: Tensor = self.o_proj(out.transpose(1, 2).reshape(batch, length, -1))
        return projected


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Turn pairs (i, i + half) of a head by the angle of their position."""
    first, second = x.chunk(2, -1)
    return torch.cat([first * cosine - second * sine, second * cosine + first * sine], -1)


class FeedForward(nn.Module):
    """Gated feed-forward layer."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(shape.hidden, shape.inner, bias=False)
        self.up_proj = nn.Linear(shape.hidden, shape.inner, bias=False)
        self.down_proj = nn.Linear(shape.inner, shape.hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))
        return out


class Layer(nn.Module):
    """Attention and feed-forward, each normalised first and added to the stream."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.input_layernorm = Norm(shape)
        self.self_attn = Attention(shape)
        self.post_attention_layernorm = Norm(shape)
        self.mlp = FeedForward(shape)

    def forward(self, x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), cosine, sine)
        out: Tensor = x + self.mlp(self.post_attention_layernorm(x))
        return out


class Llama(nn.Module):
    """Token ids (batch, length) to logits of the selected positions (count, vocabulary)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embed_tokens = nn.Embedding(shape.vocabulary, shape.hidden)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.norm = Norm(shape)
        angles = torch.outer(
            torch.arange(shape.context, dtype=torch.float32),
            shape.rope_base
            ** (-torch.arange(0, shape.head_size, 2, dtype=torch.float32) / shape.head_size),
        )
        self.register_buffer("cosine", angles.cos(), persistent=False)
        self.register_buffer("sine", angles.sin(), persistent=False)
        self.apply(self._initialise)
        for name, parameter in self.named_parameters():
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                parameter.data.div_((2 * shape.layers) ** 0.5)

    @staticmethod
    def _initialise(module: nn.Module) -> None:
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.03)

    def forward(self, tokens: Tensor, selected: Tensor) -> Tensor:
        x = self.embed_tokens(tokens)
        cosine = self.get_buffer("cosine")[: tokens.shape[1]]
        sine = self.get_buffer("sine")[: tokens.shape[1]]
        if torch.is_autocast_enabled("cpu"):
            cosine, sine = cosine.bfloat16(), sine.bfloat16()
        for layer in self.layers:
            x = layer(x, cosine, sine)
        logits: Tensor = functional.linear(self.norm(x)[selected], self.embed_tokens.weight)
        return logits
