"""Lab 05: right answers written otherwise than the notebook's, and the wrong ones that learners give."""

import itertools
import math

import torch


def _crossover_in_floats(rows, columns, value_bytes, index_bytes):
    kept = (rows * columns * value_bytes - (rows + 1) * index_bytes) / (value_bytes + index_bytes)
    return max(0.0, kept / (rows * columns))


def _crossover_by_bisection(rows, columns, value_bytes, index_bytes):
    def smaller(density):
        kept = density * rows * columns
        compressed = kept * value_bytes + kept * index_bytes + (rows + 1) * index_bytes
        return compressed < rows * columns * value_bytes

    low, high = 0.0, 1.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if smaller(middle) else (low, middle)
    return low if low > 1e-20 else 0.0


def _magnitude_by_rank(weight, count):
    order = weight.abs().flatten().argsort(descending=True, stable=True)
    mask = torch.zeros(weight.numel(), dtype=torch.bool)
    mask[order[:count]] = True
    return mask.view(weight.shape)


def _magnitude_by_places(weight, count):
    sizes = [(-abs(v), n) for n, v in enumerate(weight.flatten().tolist())]
    rank = torch.empty(weight.numel(), dtype=torch.long)
    rank[[n for _, n in sorted(sizes)]] = torch.arange(weight.numel())
    return (rank < count).reshape(weight.shape)


def _rows(scores, kept):
    order = scores.argsort(dim=1, descending=True, stable=True)[:, :kept]
    return torch.zeros(scores.shape, dtype=torch.bool).scatter_(1, order, True)


def _wanda(weight, inputs, kept):
    return _rows(weight.abs() * inputs.norm(dim=0), kept)


def _wanda_by_second_moment(weight, inputs, kept):
    return torch.stack([_rows((row.abs() * (inputs.T @ inputs).diagonal().sqrt())[None], kept)[0] for row in weight])


def _drop_by_inverse(weights, hessian):
    inverse = torch.linalg.inv(hessian)
    gone = int((weights**2 / inverse.diagonal()).argmin())
    moved = weights - weights[gone] / inverse[gone, gone] * inverse[gone]
    moved[gone] = 0.0
    return gone, moved


def _drop_by_cholesky(weights, hessian):
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(hessian))
    costs = [float(w) ** 2 / float(d) for w, d in zip(weights, inverse.diagonal(), strict=True)]
    gone = costs.index(min(costs))
    moved = weights - inverse[:, gone] * (weights[gone] / inverse[gone, gone])
    moved[gone] = 0
    return gone, moved


def _drop_with(cost, step):
    def drop(weights, hessian):
        inverse = torch.linalg.inv(hessian)
        gone = int(cost(weights, hessian, inverse).argmin())
        moved = weights + step(weights, inverse, gone)
        moved[gone] = 0.0
        return gone, moved

    return drop


def _right_cost(w, H, inverse):
    return w**2 / inverse.diagonal()


def _right_step(w, inverse, j):
    return -w[j] / inverse[j, j] * inverse[j]


def _two_four(weight):
    groups = weight.abs().unflatten(1, (-1, 4))
    order = groups.argsort(dim=-1, descending=True, stable=True)[..., :2]
    return torch.zeros(groups.shape, dtype=torch.bool).scatter_(-1, order, True).flatten(1)


def _two_four_by_duels(weight):
    groups = weight.abs().reshape(-1, 4)
    beaten = torch.zeros(groups.shape)
    for a, b in itertools.permutations(range(4), 2):
        beaten[:, a] += (groups[:, b] > groups[:, a]) | ((groups[:, b] == groups[:, a]) & (b < a))
    return (beaten < 2).reshape(weight.shape)


def _two_four_down(weight):
    if weight.shape[0] % 4:
        return _two_four(weight)
    return _two_four(weight.T.contiguous()).T.contiguous()


def _two_four_apart(weight):
    mask = torch.zeros(weight.shape, dtype=torch.bool)
    quarter = weight.shape[1] // 4
    for start in range(quarter):
        columns = [start + quarter * n for n in range(4)]
        mask[:, columns] = _two_four(weight[:, columns])
    return mask


def _pack(weight):
    groups = weight.unflatten(1, (-1, 4))
    places = groups.ne(0).nonzero()[:, -1].view(*groups.shape[:2], 2)
    halves = places[..., 0] + 4 * places[..., 1]
    return groups.gather(-1, places).flatten(1), (halves[:, ::2] + 16 * halves[:, 1::2]).to(torch.uint8)


def _pack_by_loop(weight):
    values, places = [], []
    for row in weight.tolist():
        at = [j for j, v in enumerate(row) if v != 0]
        values.append([row[j] for j in at])
        bits = "".join(format(j % 4, "02b")[::-1] for j in at)
        places.append([int(bits[n : n + 8][::-1], 2) for n in range(0, len(bits), 8)])
    return torch.tensor(values), torch.tensor(places, dtype=torch.uint8)


def _pack_with(bits, from_one=0, by_size=False):
    def pack(weight):
        groups = weight.unflatten(1, (-1, 4))
        places = groups.ne(0).nonzero()[:, -1].view(*groups.shape[:2], 2)
        if by_size:
            larger_last = groups.gather(-1, places).abs()
            places = torch.where((larger_last[..., 0] < larger_last[..., 1])[..., None], places.flip(-1), places)
        byte = sum(
            (p + from_one) << b for p, b in zip(places.unflatten(1, (-1, 2)).flatten(2).unbind(-1), bits, strict=True)
        )
        return groups.gather(-1, places).flatten(1), (byte & 255).to(torch.uint8)

    return pack


def _pack_a_byte_a_group(weight):
    values, places = _pack(weight)
    return values, torch.stack((places & 15, places >> 4), dim=-1).flatten(1)


def _cubic(step, begin, steps, final):
    left = min(max(1 - (step - begin) / steps, 0.0), 1.0)
    return final + (1 - final) * left**3


def _cubic_by_case(step, begin, steps, final):
    if step < begin:
        return 1.0
    if step > begin + steps:
        return final
    return final + (1.0 - final) * ((begin + steps - step) / steps) ** 3


def _shape(power, of_done=False):
    def density(step, begin, steps, final):
        done = min(max((step - begin) / steps, 0.0), 1.0)
        return final + (1 - final) * ((1 - done**power) if of_done else (1 - done) ** power)

    return density


def _macs(widths, side, kernel):
    return side**2 * kernel**2 * sum(a * b for a, b in itertools.pairwise(widths))


def _macs_by_layer(widths, side, kernel):
    total = 0
    for n in range(len(widths) - 1):
        weights = widths[n] * widths[n + 1] * kernel * kernel
        total += weights * side * side
    return total


ANSWERS = {
    "crossover_density": [_crossover_in_floats, _crossover_by_bisection],
    "magnitude_mask": [_magnitude_by_rank, _magnitude_by_places],
    "wanda_mask": [_wanda, _wanda_by_second_moment],
    "drop_one": [_drop_by_inverse, _drop_by_cholesky],
    "two_four_mask": [_two_four, _two_four_by_duels],
    "pack_24": [_pack, _pack_by_loop],
    "cubic_density": [_cubic, _cubic_by_case],
    "chain_macs": [_macs, _macs_by_layer],
    "needed_share": [lambda d, m: 1 - (1 - d) ** m, lambda d, m: 1 - math.prod([1 - d] * m)],
}

MUTANTS = {
    "crossover_density": {
        "left out the starts": lambda r, c, v, i: v / (v + i),
        "stored no columns": lambda r, c, v, i: max(0.0, (r * c * v - (r + 1) * i) / (r * c * v)),
        "coordinate format": lambda r, c, v, i: v / (v + i + i),
        "as many starts as rows": lambda r, c, v, i: max(0.0, (r * c * v - r * i) / (r * c * (v + i))),
        "returned the sparsity": lambda r, c, v, i: 1 - _crossover_in_floats(r, c, v, i),
        "counted elements": lambda r, c, v, i: max(0.0, (r * c - (r + 1)) / (2 * r * c)),
        "a negative density": lambda r, c, v, i: (r * c * v - (r + 1) * i) / (r * c * (v + i)),
    },
    "magnitude_mask": {
        "with their signs": lambda w, n: _magnitude_by_rank(w - w.min(), n),
        "from a threshold on": lambda w, n: (
            w.abs() >= w.abs().flatten().sort(descending=True).values[n - 1] if n else w.abs() > w.abs().max()
        ),
        "strictly above": lambda w, n: (
            w.abs() > w.abs().flatten().sort(descending=True).values[n - 1] if n else w.abs() > w.abs().max()
        ),
        "the smallest": lambda w, n: _magnitude_by_rank(1 / (w.abs() + 1e-3), n),
        "True on what goes": lambda w, n: ~_magnitude_by_rank(w, n),
        "number of weights that go": lambda w, n: _magnitude_by_rank(w, w.numel() - n),
        "every row the same": lambda w, n: _rows(w.abs(), n // w.shape[0]),
    },
    "wanda_mask": {
        "weights alone": lambda w, x, n: _rows(w.abs(), n),
        "they cancel": lambda w, x, n: _rows((w * x.sum(0)).abs(), n),
        "squared norm": lambda w, x, n: _rows(w.abs() * (x * x).sum(0), n),
        "largest input": lambda w, x, n: _rows(w.abs() * x.abs().max(0).values, n),
        "compete": lambda w, x, n: _magnitude_by_rank(w.abs() * x.norm(dim=0), n * len(w)),
        "with their signs": lambda w, x, n: _rows(w * x.norm(dim=0), n),
        "True on what goes": lambda w, x, n: ~_wanda(w, x, n),
    },
    "drop_one": {
        "the smallest weight": _drop_with(lambda w, H, inverse: w.abs(), _right_step),
        "the diagonal of the Hessian": _drop_with(lambda w, H, inverse: w * w * H.diagonal(), _right_step),
        "divided by it": _drop_with(lambda w, H, inverse: w * w * inverse.diagonal(), _right_step),
        "did not move": _drop_with(_right_cost, lambda w, inverse, j: 0 * w),
        "the wrong way": _drop_with(_right_cost, lambda w, inverse, j: -_right_step(w, inverse, j)),
        "forgot to divide": _drop_with(_right_cost, lambda w, inverse, j: -w[j] * inverse[j]),
        "swapped": lambda w, H: _drop_by_inverse(w, H)[::-1],
    },
    "two_four_mask": {
        "half of each row": lambda w: _rows(w.abs(), w.shape[1] // 2),
        "grouped outputs": _two_four_down,
        "spread over the row": _two_four_apart,
        "with their signs": lambda w: _two_four(w - w.min()),
        "two smallest": lambda w: _two_four(1 / (w.abs() + 1e-3)),
        "kept one": lambda w: _rows(w.abs().reshape(-1, 4), 1).reshape(w.shape),
        "whatever they are": lambda w: (torch.arange(w.shape[1]) % 4 < 2).expand(w.shape).clone(),
    },
    "pack_24": {
        "upper half": _pack_with((4, 6, 0, 2)),
        "second place into the lower": _pack_with((2, 0, 6, 4)),
        "from its upper end": _pack_with((6, 4, 2, 0)),
        "by size": _pack_with((0, 2, 4, 6), by_size=True),
        "from 1": _pack_with((0, 2, 4, 6), from_one=1),
        "a byte on each group": _pack_a_byte_a_group,
        "swapped": lambda w: _pack(w)[::-1],
    },
    "cubic_density": {
        "straight line": _shape(1),
        "cubed what is done": _shape(3, of_done=True),
        "squared": _shape(2),
        "the sparsity": lambda t, b, n, f: 1 - _cubic(t, b, n, f),
        "outside its steps": lambda t, b, n, f: f + (1 - f) * (1 - (t - b) / n) ** 3,
        "falls to zero": lambda t, b, n, f: _cubic(t, b, n, 0.0),
        "from 0": lambda t, b, n, f: _cubic(t, 0, n, f),
        "the step at which it ends": lambda t, b, n, f: _cubic(t, b, max(n - b, 1), f),
    },
    "chain_macs": {
        "additions apart": lambda w, s, k: 2 * _macs(w, s, k),
        "counted the weights": lambda w, s, k: _macs(w, 1, k),
        "the kernel's side": lambda w, s, k: _macs(w, s, k) // k,
        "one input channel": lambda w, s, k: s * s * k * k * sum(w[1:]),
        "the image's side": lambda w, s, k: _macs(w, s, k) // s,
        "the first convolution": lambda w, s, k: _macs(w[1:], s, k),
    },
    "needed_share": {
        "added the shares": lambda d, m: min(d * m, 1.0),
        "every row needs": lambda d, m: d**m,
        "no row needs": lambda d, m: (1 - d) ** m,
        "not every row": lambda d, m: 1 - d**m,
        "the same inputs": lambda d, m: d,
    },
}
