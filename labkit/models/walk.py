"""The linear layers of a decoder, in the order they run: find them, read them, replace them.

The only code that knows the names of layers. Techniques ask for sites by role ("q", "down", ...) and hand back modules
or tensors; they never spell a path. Works on our decoder, for all families; not on transformers' own models.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from labkit.models.decoder import MLP, Decoder, ExpertList, MoE, StackedExperts

ATTENTION_ROLES = ("q", "k", "v", "o")
MLP_ROLES = ("gate", "up", "down")


@dataclass(frozen=True)
class Site:
    """Where one linear layer stands: `role` is q, k, v, o, router, gate, up, down or lm_head."""

    path: str
    role: str
    layer: int | None = None
    expert: int | None = None

    @property
    def input_of(self) -> str:
        """The path of the first site that reads the same input: k and v read what q reads, up what gate reads."""
        stem = self.path.removesuffix(f"{self.role}_proj")
        return {"k": stem + "q_proj", "v": stem + "q_proj", "up": stem + "gate_proj"}.get(self.role, self.path)


def part_of(name: str) -> str:
    """The part of a model that a tensor belongs to, by its name in our decoder.

    >>> part_of("layers.0.mlp.experts.3.up_proj.weight"), part_of("layers.0.mlp_norm.weight"), part_of("lm_head.weight")
    ('experts', 'norms', 'head')
    """
    if name.startswith("embed_tokens"):
        return "embedding"
    if name.startswith("lm_head"):
        return "head"
    if "norm." in name:
        return "norms"
    if ".attention." in name:
        return "attention"
    return next((part for part in ("experts", "router") if f".{part}." in name), "mlp")


def linears(model: Decoder, roles: tuple[str, ...] | None = None) -> list[Site]:
    """Every linear layer in running order, experts one by one; `roles` keeps only those."""
    return [site for site in _sites(model) if roles is None or site.role in roles]


def _sites(model: Decoder) -> Iterator[Site]:
    for n, block in enumerate(model.layers):
        stem = f"layers.{n}."
        yield from (Site(f"{stem}attention.{r}_proj", r, n) for r in ATTENTION_ROLES)
        if isinstance(block.mlp, MoE):
            yield Site(f"{stem}mlp.router", "router", n)
            for e in range(block.mlp.moe.num_experts):
                yield from (Site(f"{stem}mlp.experts.{e}.{r}_proj", r, n, e) for r in MLP_ROLES)
        else:
            yield from (Site(f"{stem}mlp.{r}_proj", r, n) for r in MLP_ROLES)
    yield Site("lm_head", "lm_head")


def weight_of(model: Decoder, site: Site) -> Float[Tensor, "out in"]:
    """The weight at `site`; a view, so writing to it writes to the model, stacked experts included.

    Of a layer that packs its weight (one with a `dequantize` method) it is a copy in full precision.
    """
    experts = _stacked(model, site)
    if experts is None:
        module = model.get_submodule(site.path)
        return module.dequantize() if hasattr(module, "dequantize") else module.weight
    if site.role == "down":
        return experts.down[site.expert]
    return experts.gate_up[site.expert].chunk(2)[site.role == "up"]


def replace(model: Decoder, site: Site, module: nn.Module) -> None:
    """Put `module` (any map from the layer's input to its output) where `site` is.

    The experts of that layer become separate modules first if they are stacked. A head tied to the embedding table is
    untied, the table stays.
    """
    if _stacked(model, site) is not None:
        unstack_experts(model, site.layer)
    parent, _, name = site.path.rpartition(".")
    setattr(model.get_submodule(parent), name, module)


def unstack_experts(model: Decoder, layer: int | None = None) -> None:
    """Turn stacked experts into one module an expert, in one layer or in all; weights are shared views, not copies."""
    for n, block in enumerate(model.layers):
        stacked = block.mlp.experts if isinstance(block.mlp, MoE) else None
        if isinstance(stacked, StackedExperts) and layer in (None, n):
            block.mlp.experts = experts_as_modules(stacked).train(stacked.training)


def experts_as_modules(stacked: StackedExperts) -> ExpertList:
    """The same experts as a list of MLPs whose weights are views of the stacked tensors."""
    return ExpertList(_expert_mlp(stacked, e) for e in range(stacked.gate_up.shape[0]))


def _expert_mlp(stacked: StackedExperts, expert: int) -> MLP:
    gate, up = stacked.gate_up.data[expert].chunk(2)
    down, trained = stacked.down.data[expert], stacked.down.requires_grad
    mlp = MLP.__new__(MLP)
    nn.Module.__init__(mlp)
    for name, weight in (("gate_proj", gate), ("up_proj", up), ("down_proj", down)):
        linear = nn.Linear(*reversed(weight.shape), bias=False, device="meta")
        linear.weight = nn.Parameter(weight, requires_grad=trained)
        setattr(mlp, name, linear)
    return mlp


def _stacked(model: Decoder, site: Site) -> StackedExperts | None:
    if site.expert is None:
        return None
    experts = model.layers[site.layer].mlp.experts
    return experts if isinstance(experts, StackedExperts) else None
