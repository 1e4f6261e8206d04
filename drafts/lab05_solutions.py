"""Reference solutions for the notebook of lab 05, until it is written."""

SOLUTIONS = {
    "crossover_density": """
def crossover_density(rows: int, columns: int, value_bytes: int, index_bytes: int) -> float:
    dense = rows * columns * value_bytes
    starts = (rows + 1) * index_bytes
    return max((dense - starts) / (value_bytes + index_bytes) / (rows * columns), 0.0)
""",
    "magnitude_mask": """
def magnitude_mask(weight, count):
    order = weight.abs().flatten().argsort(descending=True, stable=True)
    mask = torch.zeros(weight.numel(), dtype=torch.bool)
    mask[order[:count]] = True
    return mask.view(weight.shape)
""",
    "wanda_mask": """
def wanda_mask(weight, inputs, kept):
    score = weight.abs() * inputs.norm(dim=0)
    order = score.argsort(dim=1, descending=True, stable=True)[:, :kept]
    return torch.zeros_like(score, dtype=torch.bool).scatter_(1, order, True)
""",
    "drop_one": """
def drop_one(weights, hessian):
    inverse = torch.linalg.inv(hessian)
    j = int((weights**2 / inverse.diagonal()).argmin())
    moved = weights - weights[j] / inverse[j, j] * inverse[j]
    moved[j] = 0.0
    return j, moved
""",
    "two_four_mask": """
def two_four_mask(weight):
    groups = weight.abs().unflatten(1, (-1, 4))
    order = groups.argsort(dim=-1, descending=True, stable=True)[..., :2]
    return torch.zeros_like(groups, dtype=torch.bool).scatter_(-1, order, True).flatten(1)
""",
    "pack_24": """
def pack_24(weight):
    groups = weight.unflatten(1, (-1, 4))
    places = (groups != 0).nonzero()[:, 2].view(*groups.shape[:2], 2)
    half = places[..., 0] | places[..., 1] << 2
    return groups.gather(-1, places).flatten(1), (half[:, ::2] | half[:, 1::2] << 4).to(torch.uint8)
""",
    "cubic_density": """
def cubic_density(step, begin, steps, final):
    left = min(max(1 - (step - begin) / steps, 0.0), 1.0)
    return final + (1 - final) * left**3
""",
    "chain_macs": """
def chain_macs(widths, side, kernel):
    return sum(side * side * kernel * kernel * a * b for a, b in zip(widths, widths[1:]))
""",
    "needed_share": """
def needed_share(density, rows):
    return 1 - (1 - density) ** rows
""",
}
nb = {
    "cells": [{"cell_type": "code", "source": "import torch", "metadata": {}}]
    + [{"cell_type": "code", "metadata": {}, "source": f"@lab.check{s.rstrip()}\n"} for s in SOLUTIONS.values()]
}
