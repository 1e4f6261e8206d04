"""Right answers to lab 04 in other words than the solutions, and the wrong ones that learners really give."""

import math
from collections import Counter, OrderedDict

import numpy as np
import torch


def _top(logits, chosen):
    return logits.topk(chosen, dim=1).indices


def _route_then_softmax(logits, chosen):
    best, indices = logits.topk(chosen)
    return indices, best.softmax(-1)


def _route_by_sorting(logits, chosen):
    shares = torch.exp(logits - logits.amax(1, keepdim=True))
    order = shares.argsort(dim=1, descending=True)[:, :chosen]
    weights = torch.gather(shares, 1, order)
    return order, weights / weights.sum(1, keepdim=True)


def _weighed(logits, chosen, scores, normalise=True):
    weights = scores.gather(1, _top(logits, chosen))
    return _top(logits, chosen), weights / weights.sum(1, keepdim=True) if normalise else weights


def _route_least(logits, chosen):
    worst, indices = logits.topk(chosen, largest=False)
    return indices, (-worst).softmax(-1)


def _route_numbered(logits, chosen):
    indices = _top(logits, chosen).sort(dim=1).values
    return indices, logits.gather(1, indices).softmax(1)


def _violation_by_numpy(counts):
    loads = np.array(counts) / np.mean(counts)
    return float(loads.max() - 1)


def _violation_by_sorting(counts):
    even = sum(counts) / len(counts)
    return (sorted(counts)[-1] - even) / even


def _loss_by_loop(logits, chosen):
    p = torch.softmax(logits, dim=1)
    total = torch.zeros(())
    for e in range(logits.shape[1]):
        load = (_top(logits, chosen) == e).sum() / logits.shape[0]
        total = total + load * p[:, e].mean()
    return total * logits.shape[1]


def _loss_by_mask(logits, chosen):
    p = logits.softmax(1)
    mask = torch.zeros_like(p).scatter(1, p.topk(chosen).indices, 1.0)
    return (mask.mean(0) @ p.mean(0)) * p.shape[1]


def _loss_by_square(logits, chosen):
    mean = logits.softmax(1).mean(0)
    return mean.square().sum() * logits.shape[1]


def _loss_by_counts(logits, chosen):
    load = torch.bincount(_top(logits, chosen).flatten(), minlength=logits.shape[1]) / len(logits)
    return load.square().sum() * logits.shape[1]


def _loss_one(logits, chosen):
    load = torch.bincount(logits.argmax(1), minlength=logits.shape[1]) / len(logits)
    return (load * logits.softmax(1).mean(0)).sum() * logits.shape[1]


def _bias_by_sign(bias, counts, rate):
    even = sum(counts) / len(counts)
    return [float(b + rate * np.sign(even - c)) for b, c in zip(bias, counts, strict=True)]


def _bias_by_branches(bias, counts, rate):
    moved = list(bias)
    for e, count in enumerate(counts):
        if count * len(counts) > sum(counts):
            moved[e] -= rate
        elif count * len(counts) < sum(counts):
            moved[e] += rate
    return moved


def _bias_steps(bias, counts, step):
    even = sum(counts) / len(counts)
    return [b + step(even - c) for b, c in zip(bias, counts, strict=True)]


def _capacity(experts, chosen_experts, factor):
    return math.ceil(factor * len(chosen_experts) / experts)


def _above(chosen_experts, rows):
    return sum(n - rows for n in Counter(chosen_experts).values() if n > rows)


def _dropped_by_kept(experts, chosen_experts, factor):
    rows = _capacity(experts, chosen_experts, factor)
    return len(chosen_experts) - sum(min(n, rows) for n in Counter(chosen_experts).values())


def _dropped_by_bincount(experts, chosen_experts, factor):
    counts = np.bincount(chosen_experts, minlength=experts)
    return int(np.clip(counts - math.ceil(factor * len(chosen_experts) / experts), 0, None).sum())


def _hit_by_missing(experts, chosen, tokens):
    missed = 1.0
    for _ in range(tokens):
        missed *= (experts - chosen) / experts
    return experts - experts * missed


def _hit_by_logarithm(experts, chosen, tokens):
    if chosen == experts:
        return float(experts)
    return -experts * math.expm1(tokens * math.log1p(-chosen / experts))


def _hits_ordered(requests, held):
    near, hits = OrderedDict(), 0
    for expert in requests:
        hits += expert in near
        near[expert] = None
        near.move_to_end(expert)
        if len(near) > held:
            near.popitem(last=False)
    return hits


def _hits_by_distance(requests, held):
    hits = 0
    for n, expert in enumerate(requests):
        before = requests[:n]
        if expert in before:
            last = n - 1 - before[::-1].index(expert)
            hits += len(set(requests[last + 1 : n])) < held
    return hits


def _cached(requests, held, leaves, renew):
    near, hits = [], 0
    for expert in requests:
        if expert in near:
            hits += 1
            if renew:
                near.append(near.pop(near.index(expert)))
            continue
        if len(near) == held:
            if leaves is None:
                continue
            near.pop(leaves)
        near.append(expert)
    return hits


ANSWERS = {
    "route": [_route_then_softmax, _route_by_sorting],
    "max_violation": [_violation_by_numpy, _violation_by_sorting],
    "balance_loss": [_loss_by_loop, _loss_by_mask],
    "moved_bias": [_bias_by_sign, _bias_by_branches],
    "dropped": [_dropped_by_kept, _dropped_by_bincount],
    "experts_hit": [_hit_by_missing, _hit_by_logarithm],
    "hits": [_hits_ordered, _hits_by_distance],
}

MUTANTS = {
    "route": {
        "those of the chosen must sum to 1": lambda x, k: _weighed(x, k, x.softmax(1), normalise=False),
        "softmax over the tokens": lambda x, k: _weighed(x, k, x.softmax(0)),
        "the same weight": lambda x, k: (_top(x, k), torch.ones(len(x), k) / k),
        "the sigmoid": lambda x, k: _weighed(x, k, torch.sigmoid(x)),
        "divided the logits": lambda x, k: _weighed(x, k, x),
        "wanted least": _route_least,
        "order of their numbers": _route_numbered,
    },
    "max_violation": {
        "the ratio of largest": lambda c: max(c) / (sum(c) / len(c)),
        "experts in use": lambda c: max(c) / np.mean([n for n in c if n]).item() - 1,
        "difference in choices": lambda c: max(c) - float(np.mean(c)),
        "share of all choices": lambda c: max(c) / sum(c),
        "the idlest": lambda c: 1 - min(c) / (sum(c) / len(c)),
    },
    "balance_loss": {
        "in front of the sum": lambda x, k: _loss_by_mask(x, k) / x.shape[1],
        "choices a *token*": lambda x, k: _loss_by_mask(x, k) / k,
        "first choice alone": _loss_one,
        "probabilities with themselves": _loss_by_square,
        "load with itself": _loss_by_counts,
        "summed the probabilities": lambda x, k: _loss_by_mask(x, k) * len(x),
    },
    "moved_bias": {
        "the wrong way": lambda b, c, r: _bias_by_branches(b, c, -r),
        "in proportion": lambda b, c, r: _bias_steps(b, c, lambda gap: r * gap),
        "forgot the bias": lambda b, c, r: _bias_by_branches([0.0] * len(b), c, r),
        "exactly the even load": lambda b, c, r: _bias_steps(b, c, lambda gap: r if gap >= 0 else -r),
        "the busiest expert alone": lambda b, c, r: [x - r if n == max(c) else x for x, n in zip(b, c, strict=True)],
    },
    "dropped": {
        "rounded the capacity down": lambda e, c, f: _above(c, math.floor(f * len(c) / e)),
        "left the factor out": lambda e, c, f: _above(c, _capacity(e, c, 1)),
        "that find room": lambda e, c, f: len(c) - _dropped_by_bincount(e, c, f),
        "the experts that overflow": lambda e, c, f: sum(n > _capacity(e, c, f) for n in Counter(c).values()),
        "experts that are in use": lambda e, c, f: _above(c, _capacity(len(set(c)), c, f)),
        "all choices with all room": lambda e, c, f: max(0, len(c) - e * _capacity(e, c, f)),
    },
    "experts_hit": {
        "no two tokens": lambda e, k, t: float(min(k * t, e)),
        "that nobody wants": lambda e, k, t: e * ((e - k) / e) ** t,
        "for one expert": lambda e, k, t: _hit_by_missing(e, k, t) / e,
        "the same expert twice": lambda e, k, t: _hit_by_missing(e, 1, k * t),
        "go to one expert": lambda e, k, t: _hit_by_missing(e, 1, t),
    },
    "hits": {
        "that came first": lambda r, h: _cached(r, h, leaves=0, renew=False),
        "never threw anybody out": lambda r, h: _cached(r, h, leaves=None, renew=False),
        "the expert used last": lambda r, h: _cached(r, h, leaves=-1, renew=True),
        "stay for ever": lambda r, h: len(r) - len(set(r)),
        "had to be fetched": lambda r, h: len(r) - _hits_ordered(r, h),
        "gave the share": lambda r, h: _hits_ordered(r, h) / len(r),
    },
}
