"""One decoder-only transformer for Llama, Qwen3, Mixtral, OLMoE and Qwen3-MoE checkpoints.

Not a zoo: the families differ in a handful of choices that `DecoderConfig` names, so there is one forward to read, to
trace and to optimise. The cache is an argument and decides how attention is done (`labkit.models.cache`); faster
linears, experts and attention take their places through `labkit.models.walk`.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import silu

from labkit.kernels.expert_dispatch import expert_dispatch, expert_dispatch_loop
from labkit.kernels.rms_norm import rms_norm
from labkit.kernels.rotary import rotary
from labkit.models.cache import Cache, KVCache, NoCache, Step
from labkit.models.config import DecoderConfig, MoeConfig
from labkit.models.rope import inverse_frequencies

Hidden = Float[Tensor, "batch seq hidden"]


class RMSNorm(nn.Module):
    """Root-mean-square normalisation with a gain per feature."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Float[Tensor, "*rows hidden"]) -> Float[Tensor, "*rows hidden"]:
        return rms_norm(x, self.weight, self.eps)


class Rotary(nn.Module):
    """Cosine and sine of the angle of each position."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        frequencies, self.factor = inverse_frequencies(config.rope, config.head_dim)
        self.register_buffer("frequencies", frequencies, persistent=False)

    def forward(self, positions: Int[Tensor, "batch seq"], dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Two tensors of shape (batch, 1, seq, half_head), computed in fp32."""
        angles = positions[:, None, :, None] * self.frequencies
        cos, sin = angles.cos(), angles.sin()
        if self.factor != 1:
            cos, sin = cos * self.factor, sin * self.factor
        return cos.to(dtype), sin.to(dtype)

    def _apply(self, fn, recurse: bool = True):
        """Move with the model but stay in fp32, and come back right after a life without memory (the meta device)."""
        moved = super()._apply(fn, recurse)
        if not self.frequencies.is_meta:
            exact, _ = inverse_frequencies(self.config.rope, self.config.head_dim)
            self.frequencies = exact.to(self.frequencies.device)
        return moved


class Attention(nn.Module):
    """Multi-head attention with grouped keys and values, rotary positions and optional query-key normalisation."""

    def __init__(self, config: DecoderConfig, layer: int) -> None:
        super().__init__()
        self.layer, self.head_dim, self.qk_norm, self.clip = layer, config.head_dim, config.qk_norm, config.clip_qkv
        q_size, kv_size = config.num_heads * config.head_dim, config.num_kv_heads * config.head_dim
        bias = config.attention_bias
        self.q_proj = nn.Linear(config.hidden_size, q_size, bias=bias)
        self.k_proj = nn.Linear(config.hidden_size, kv_size, bias=bias)
        self.v_proj = nn.Linear(config.hidden_size, kv_size, bias=bias)
        self.o_proj = nn.Linear(q_size, config.hidden_size, bias=bias)
        if config.qk_norm:
            each_head = config.qk_norm == "head"
            self.q_norm = RMSNorm(config.head_dim if each_head else q_size, config.norm_eps)
            self.k_norm = RMSNorm(config.head_dim if each_head else kv_size, config.norm_eps)

    def forward(self, x: Hidden, cos: Tensor, sin: Tensor, step: Step) -> Hidden:
        q, k, v = self.q_proj(x), self.k_proj(x), self.v_proj(x)
        if self.qk_norm == "all":
            q, k = self.q_norm(q), self.k_norm(k)
        if self.clip is not None:
            q, k, v = (t.clamp(-self.clip, self.clip) for t in (q, k, v))
        q, k, v = (t.unflatten(-1, (-1, self.head_dim)) for t in (q, k, v))
        if self.qk_norm == "head":
            q, k = self.q_norm(q), self.k_norm(k)
        q, k, v = (t.transpose(1, 2) for t in (q, k, v))
        out = step.attend(self.layer, rotary(q, cos, sin), rotary(k, cos, sin), v)
        return self.o_proj(out.transpose(1, 2).flatten(-2))


class MLP(nn.Module):
    """SwiGLU: down(silu(gate x) * up x) (arXiv 2002.05202)."""

    def __init__(self, hidden: int, inner: int, bias: bool = False) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(hidden, inner, bias=bias)
        self.up_proj = nn.Linear(hidden, inner, bias=bias)
        self.down_proj = nn.Linear(inner, hidden, bias=bias)

    def forward(self, x: Float[Tensor, "*rows hidden"]) -> Float[Tensor, "*rows hidden"]:
        return self.down_proj(silu(self.gate_proj(x)) * self.up_proj(x))


class StackedExperts(nn.Module):
    """All experts of a layer in two tensors, as grouped matrix products want them."""

    def __init__(self, hidden: int, moe: MoeConfig) -> None:
        super().__init__()
        inner = moe.intermediate_size
        self.gate_up = nn.Parameter(torch.empty(moe.num_experts, 2 * inner, hidden))
        self.down = nn.Parameter(torch.empty(moe.num_experts, hidden, inner))
        nn.init.normal_(self.gate_up, std=0.02)
        nn.init.normal_(self.down, std=0.02)

    def forward(self, x: Tensor, indices: Tensor, weights: Tensor) -> Float[Tensor, "tokens hidden"]:
        return expert_dispatch(x, indices, weights, self.gate_up, self.down)


class ExpertList(nn.ModuleList):
    """All experts of a layer as modules, so that each linear can be quantized, adapted or replaced on its own."""

    def forward(self, x: Tensor, indices: Tensor, weights: Tensor) -> Float[Tensor, "tokens hidden"]:
        return expert_dispatch_loop(x, indices, weights, lambda e, rows: self[e](rows))


class MoE(nn.Module):
    """Sparse mixture of experts: each token goes to its top-k experts (arXiv 2401.04088)."""

    def __init__(self, hidden: int, moe: MoeConfig) -> None:
        super().__init__()
        self.moe = moe
        self.router = nn.Linear(hidden, moe.num_experts, bias=False)
        self.experts: StackedExperts | ExpertList = StackedExperts(hidden, moe)

    def route(self, x: Float[Tensor, "tokens hidden"]) -> tuple[Tensor, Tensor]:
        """Indices and weights of the chosen experts, both (tokens, chosen)."""
        probabilities = self.router(x).softmax(dim=-1, dtype=torch.float32)
        weights, indices = probabilities.topk(self.moe.num_experts_per_tok, dim=-1)
        if self.moe.norm_topk_prob:
            weights = weights / weights.sum(dim=-1, keepdim=True)
        return indices, weights.to(x.dtype)

    def forward(self, x: Hidden) -> Hidden:
        flat = x.flatten(0, -2)
        return self.experts(flat, *self.route(flat)).view_as(x)


class Block(nn.Module):
    """One layer: attention and MLP, each on the normalised stream and added back to it."""

    def __init__(self, config: DecoderConfig, layer: int) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(config.hidden_size, config.norm_eps)
        self.attention = Attention(config, layer)
        self.mlp_norm = RMSNorm(config.hidden_size, config.norm_eps)
        if config.is_moe(layer):
            self.mlp: nn.Module = MoE(config.hidden_size, config.moe)
        else:
            self.mlp = MLP(config.hidden_size, config.intermediate_size, config.mlp_bias)

    def forward(self, x: Hidden, cos: Tensor, sin: Tensor, step: Step) -> Hidden:
        x = x + self.attention(self.attention_norm(x), cos, sin, step)
        return x + self.mlp(self.mlp_norm(x))


class Decoder(nn.Module):
    """Tokens in, logits out.

    >>> _ = torch.manual_seed(0)
    >>> model = Decoder(DecoderConfig("llama", 96, 32, 48, 2, 4, 2, 8, 1e-6, 64)).eval()
    >>> tokens, cache = torch.tensor([[5, 6, 7]]), KVCache(model.config, batch=1, capacity=8)
    >>> whole, prefill, step = model(tokens), model(tokens[:, :2], cache), model(tokens[:, 2:], cache)
    >>> whole.shape, torch.allclose(whole[:, 2], step[:, 0], atol=1e-5)
    (torch.Size([1, 3, 96]), True)
    """

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Block(config, n) for n in range(config.num_layers))
        self.norm = RMSNorm(config.hidden_size, config.norm_eps)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.rotary = Rotary(config)
        if config.tie_word_embeddings:
            self.lm_head.weight = self.embed_tokens.weight

    @property
    def device(self) -> torch.device:
        """Where the embedding table is, and so where tokens must be."""
        return self.embed_tokens.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """Of the residual stream."""
        return self.embed_tokens.weight.dtype

    def new_cache(self, batch: int = 1, capacity: int | None = None) -> KVCache:
        """An empty cache for this model, by default as long as its context."""
        return KVCache(self.config, batch, capacity or self.config.max_position_embeddings, self.dtype, self.device)

    def forward(
        self,
        tokens: Int[Tensor, "batch seq"],
        cache: Cache | None = None,
        positions: Int[Tensor, "batch seq"] | None = None,
        last_only: bool = False,
        columns: Int[Tensor, " columns"] | None = None,
    ) -> Float[Tensor, "batch seq vocab"]:
        """Logits of the next token after each token; with `last_only` after the last column alone (seq is then 1).

        With `columns` after those alone (seq is then their number): rows side by side in one end in several places.

        With a cache the tokens follow what it holds, and it holds them afterwards. `positions` are needed only for
        padded batches (-1 is padding, whose logits mean nothing); see `positions_from_mask`.
        """
        step = (cache or NoCache()).begin(tokens, positions)
        x = self.embed_tokens(tokens)
        cos, sin = self.rotary(step.positions, x.dtype)
        for block in self.layers:
            x = block(x, cos, sin, step)
        step.end()
        if last_only:
            x = x[:, -1:]
        elif columns is not None:
            x = x[:, columns]
        return self.lm_head(self.norm(x))
