"""Do experts speak domains? The mutual information between a token's domain and its expert, against chance.

Information estimated from counts is never 0, even where there is none, so it is held against the same figure with the
labels shuffled: only what is above the 99th percentile of the shuffles counts. Labels are shuffled a text at a time
where `texts` says which tokens belong together: the tokens of a text share their words, so single tokens are no
independent witnesses.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from labkit.measure.report import Report, Table
from labkit.moe.load import max_violation, normalised_entropy


@dataclass(frozen=True)
class LayerRouting:
    """One layer: information in nats, its 99th percentile under shuffled labels, and how even the load is.

    `shares[d, e]` is the part of domain d's choices that go to expert e.
    """

    information: float
    chance: float
    max_violation: float
    normalised_entropy: float
    shares: Float[Tensor, "domains experts"]

    @property
    def specialised(self) -> bool:
        return self.information > self.chance


@dataclass(frozen=True)
class Specialisation(Report):
    """Every layer with experts, in order."""

    domains: tuple[str, ...]
    layers: tuple[LayerRouting, ...]
    shuffles: int

    @property
    def share(self) -> float:
        """The part of the layers whose experts know their domains better than chance."""
        return sum(layer.specialised for layer in self.layers) / len(self.layers)

    def table(self) -> Table:
        rows = [
            [n, layer.information, layer.chance, layer.specialised, layer.max_violation, layer.normalised_entropy]
            for n, layer in enumerate(self.layers)
        ]
        columns = ["layer", "information (nats)", "99 % of shuffles below", "above chance", "MaxVio", "entropy of load"]
        note = f"{len(self.domains)} domains: {', '.join(self.domains)}; {self.shuffles} shuffles of their labels."
        return Table("What experts know about the domain of their tokens", columns, rows, note)


def mutual_information(
    counts: Float[Tensor, "*tables domains experts"],
) -> Float[Tensor, "*tables"]:
    """sum p(d, e) ln(p(d, e) / (p(d) p(e))) of tables of counts, in nats (Cover and Thomas, equation 2.28).

    >>> mutual_information(torch.tensor([[[5.0, 0.0], [0.0, 5.0]], [[4.0, 2.0], [4.0, 2.0]]]))  # all, ln 2; none
    tensor([0.6931, 0.0000])
    """
    joint = counts.double() / counts.double().sum(dim=(-2, -1), keepdim=True)
    entropies = (torch.special.entr(joint.sum(dim=side)).sum(dim=-1) for side in (-1, -2))
    information = sum(entropies) - torch.special.entr(joint).sum(dim=(-2, -1))
    return information.clamp(min=0).float()


def specialisation(
    choices: list[Int[Tensor, "tokens chosen"]],
    labels: Int[Tensor, " tokens"],
    domains: tuple[str, ...],
    experts: int,
    texts: Int[Tensor, " tokens"] | None = None,
    shuffles: int = 1000,
    seed: int = 0,
) -> Specialisation:
    """Each layer's choices held against the domain of each token, `labels[t]` an index into `domains`.

    Raises `ValueError` for fewer than two domains with tokens, or tokens of one text with several labels.
    """
    owner = torch.arange(len(labels)) if texts is None else texts.unique(return_inverse=True)[1]
    count = int(owner.max()) + 1
    of_text = torch.zeros(count, dtype=torch.long).scatter_(0, owner, labels)
    if not torch.equal(of_text[owner], labels):
        raise ValueError("A text has tokens of several domains; it is shuffled as a whole and so needs one.")
    if len(labels.unique()) < 2:
        raise ValueError("With fewer than two domains there is nothing to tell apart.")
    generator = torch.Generator().manual_seed(seed)
    orders = [torch.arange(count), *(torch.randperm(count, generator=generator) for _ in range(shuffles))]
    shuffled = torch.stack([of_text[order] for order in orders])
    layers = (_layer(layer, owner, shuffled, len(domains), experts) for layer in choices)
    return Specialisation(domains, tuple(layers), shuffles)


def _layer(indices: Tensor, owner: Tensor, shuffled: Tensor, domains: int, experts: int) -> LayerRouting:
    """`shuffled` holds the domain of each text, first the true ones, then every shuffle."""
    chosen, count = indices.shape[1], shuffled.shape[1]
    by_text = torch.zeros(count, experts)
    by_text.view(-1).index_add_(
        0, (owner.repeat_interleave(chosen) * experts + indices.flatten()), torch.ones(indices.numel())
    )
    counts = torch.stack([torch.zeros(domains, experts).index_add_(0, labels, by_text) for labels in shuffled])
    information = mutual_information(counts)
    return LayerRouting(
        information=float(information[0]),
        chance=float(information[1:].quantile(0.99)),
        max_violation=max_violation(indices, experts),
        normalised_entropy=normalised_entropy(indices, experts),
        shares=counts[0] / counts[0].sum(dim=1, keepdim=True).clamp(min=1),
    )
