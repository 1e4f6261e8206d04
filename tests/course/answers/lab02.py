"""Lab 02: right answers written otherwise than the notebook's, and the wrong ones that learners give."""

import math


def _processed_by_loop(prompt, new):
    without, cached, text = 0, 0, prompt
    for n in range(new):
        without += text
        cached += 1 if n else prompt
        text += 1
    return without, cached


def _processed_by_formula(prompt, new):
    return new * (2 * prompt + new - 1) // 2, prompt + new - 1


def _attend_by_hand(q, k, v, keys, values):
    import torch

    keys, values = torch.vstack([keys, k]), torch.vstack([values, v])
    scores = torch.stack([(row * q).sum() for row in keys]) / math.sqrt(q.shape[0])
    weights = (scores - scores.max()).exp()
    return (weights / weights.sum()) @ values, keys, values


def _attend_by_einsum(q, k, v, keys, values):
    import torch

    keys, values = torch.cat((keys, k.unsqueeze(0))), torch.cat((values, v.unsqueeze(0)))
    weights = torch.softmax(torch.einsum("nd,d->n", keys, q) * q.numel() ** -0.5, dim=0)
    return torch.einsum("n,nd->d", weights, values), keys, values


def _attend_wrong(scale=lambda q, keys: len(q) ** 0.5, own=True, softmax=True, front=False, old=False):
    def attend(q, k, v, keys, values):
        import torch

        pair = (lambda a, b: torch.cat([b[None], a])) if front else (lambda a, b: torch.cat([a, b[None]]))
        grown_keys, grown_values = pair(keys, k), pair(values, v)
        seen_keys, seen_values = (grown_keys, grown_values) if own else (keys, values)
        scores = seen_keys @ q / scale(q, seen_keys)
        out = (scores.softmax(0) if softmax else scores) @ seen_values
        return (out, keys, values) if old else (out, grown_keys, grown_values)

    return attend


def _step_by_rates(weight_bytes, cache_bytes, batch, flops_per_token, bandwidth, peak):
    steps_per_second = min(bandwidth / (weight_bytes + batch * cache_bytes), peak / (batch * flops_per_token))
    return 1 / steps_per_second, batch * flops_per_token * steps_per_second / peak


def _step_by_case(weight_bytes, cache_bytes, batch, flops_per_token, bandwidth, peak):
    fetch = (weight_bytes + sum([cache_bytes] * batch)) / bandwidth
    work = flops_per_token * batch / peak
    if work >= fetch:
        return work, 1.0
    return fetch, work / fetch


def _accept_by_loop(best, drafted):
    taken = []
    for guess, own in zip(drafted, best, strict=False):
        if guess != own:
            return [*taken, own]
        taken.append(guess)
    return [*taken, best[-1]]


def _accept_by_index(best, drafted):
    wrong = [n for n in range(len(drafted)) if drafted[n] != best[n]]
    return best[: (wrong[0] if wrong else len(drafted)) + 1]


def _judge_by_numpy(p, q, token):
    import numpy as np

    rest = np.clip(np.array(p) - np.array(q), 0, None)
    return float(min(1.0, p[token] / q[token])), (rest / rest.sum()).tolist()


def _judge_by_loop(p, q, token):
    rest = []
    for a, b in zip(p, q, strict=False):
        rest.append(a - b if a > b else 0.0)
    total = sum(rest)
    return (1.0 if p[token] >= q[token] else p[token] / q[token]), [r / total for r in rest]


def _chance(p, q, token):
    return min(1.0, p[token] / q[token])


def _rest(p, q):
    return [max(0.0, a - b) for a, b in zip(p, q, strict=False)]


def _scaled(weights):
    return [w / sum(weights) for w in weights]


def _speedup_by_case(acceptance, draft_length, draft_cost):
    tokens = draft_length + 1 if acceptance == 1 else (1 - acceptance ** (draft_length + 1)) / (1 - acceptance)
    return tokens / (draft_length * draft_cost + 1)


def _speedup_by_horner(acceptance, draft_length, draft_cost):
    tokens = 1.0
    for _ in range(draft_length):
        tokens = 1 + acceptance * tokens
    return tokens / (1 + draft_cost * draft_length)


def _closed(a, k):
    return (1 - a ** (k + 1)) / (1 - a)


def _even_by_case(acceptance, draft_length):
    if acceptance == 1:
        return 1.0
    return (_closed(acceptance, draft_length) - 1) / draft_length


def _even_by_sum(acceptance, draft_length):
    return sum(acceptance**n for n in range(1, draft_length + 1)) / draft_length


def _tokens(a, k):
    return sum(a**n for n in range(k + 1))


ANSWERS = {
    "tokens_processed": [_processed_by_loop, _processed_by_formula],
    "attend_step": [_attend_by_hand, _attend_by_einsum],
    "decode_step": [_step_by_rates, _step_by_case],
    "accept": [_accept_by_loop, _accept_by_index],
    "judge_guess": [_judge_by_numpy, _judge_by_loop],
    "speedup": [_speedup_by_case, _speedup_by_horner],
    "break_even": [_even_by_case, _even_by_sum],
}

MUTANTS = {
    "tokens_processed": {
        "fed the last token": lambda p, n: (sum(p + i for i in range(n)), p + n),
        "read the bare prompt": lambda p, n: (p * n, p + n - 1),
        "the token that a pass writes": lambda p, n: (sum(p + i for i in range(1, n + 1)), p + n - 1),
        "the length of the last one": lambda p, n: (n * (p + n - 1), p + n - 1),
        "forgot the prompt": lambda p, n: (sum(p + i for i in range(n)), n),
        "swapped": lambda p, n: (p + n - 1, sum(p + i for i in range(n))),
    },
    "attend_step": {
        "did not look at itself": _attend_wrong(own=False),
        "did not divide": _attend_wrong(scale=lambda q, keys: 1.0),
        "divided by the head's size": _attend_wrong(scale=lambda q, keys: len(q)),
        "root of the number of keys": _attend_wrong(scale=lambda q, keys: len(keys) ** 0.5),
        "used the scores as weights": _attend_wrong(softmax=False),
        "in front": _attend_wrong(front=True),
        "as it came": _attend_wrong(old=True),
    },
    "decode_step": {
        "again for every conversation": lambda w, c, n, f, b, p: _busy(max(n * (w + c) / b, n * f / p), n * f, p),
        "share one cache": lambda w, c, n, f, b, p: _busy(max((w + c) / b, n * f / p), n * f, p),
        "added the two times": lambda w, c, n, f, b, p: _busy((w + n * c) / b + n * f / p, n * f, p),
        "calculated one token": lambda w, c, n, f, b, p: _busy(max((w + n * c) / b, f / p), f, p),
        "the fetching alone": lambda w, c, n, f, b, p: _busy((w + n * c) / b, n * f, p),
        "a percentage": lambda *a: (_step_by_case(*a)[0], 100 * _step_by_case(*a)[1]),
        "the idle share": lambda *a: (_step_by_case(*a)[0], 1 - _step_by_case(*a)[1]),
        "tokens per second": lambda *a: (a[2] / _step_by_case(*a)[0], _step_by_case(*a)[1]),
    },
    "accept": {
        "the right guesses alone": lambda best, drafted: _accept_by_loop(best, drafted)[:-1],
        "one more token is known": lambda best, drafted: (
            drafted if drafted and drafted == best[:-1] else _accept_by_loop(best, drafted)
        ),
        "went on after a wrong guess": lambda best, drafted: (
            [d for d, b in zip(drafted, best, strict=False) if d == b] + _accept_by_loop(best, drafted)[-1:]
        ),
        "kept the wrong guess": lambda best, drafted: drafted[: len(_accept_by_loop(best, drafted))] or best[:1],
        "the model's last token": lambda best, drafted: [*_accept_by_loop(best, drafted)[:-1], best[-1]],
        "how many are right": lambda best, drafted: len(_accept_by_loop(best, drafted)) - 1,
        "the token after it": lambda best, drafted: _shifted(best, drafted),
    },
    "judge_guess": {
        "upside down": lambda p, q, t: (min(1.0, q[t] / p[t]), _scaled(_rest(p, q))),
        "cannot be above 1": lambda p, q, t: (p[t] / q[t], _scaled(_rest(p, q))),
        "the model's probability as the chance": lambda p, q, t: (p[t], _scaled(_rest(p, q))),
        "does not sum to 1": lambda p, q, t: (_chance(p, q, t), _rest(p, q)),
        "the replacement from p": lambda p, q, t: (_chance(p, q, t), list(p)),
        "nothing is missing": lambda p, q, t: (
            _chance(p, q, t),
            _scaled([abs(a - b) for a, b in zip(p, q, strict=False)]),
        ),
        "ruled the refused token out": lambda p, q, t: (
            _chance(p, q, t),
            _scaled([0.0 if n == t else a for n, a in enumerate(p)]),
        ),
    },
    "speedup": {
        "the power is k + 1": lambda a, k, c: _tokens(a, k - 1) / (k * c + 1),
        "the pass of the model itself": lambda a, k, c: _tokens(a, k) / (k * c),
        "paid for one guess": lambda a, k, c: _tokens(a, k) / (c + 1),
        "the tokens of a pass": lambda a, k, c: _tokens(a, k),
        "every guess count on its own": lambda a, k, c: (1 + a * k) / (k * c + 1),
        "divides zero by zero": lambda a, k, c: _closed(a, k) / (k * c + 1),
        "upside down": lambda a, k, c: (k * c + 1) / _tokens(a, k),
    },
    "break_even": {
        "take off the pass": lambda a, k: _tokens(a, k) / k,
        "all guesses together": lambda a, k: _tokens(a, k) - 1,
        "the first guess": lambda a, k: a,
        "begins at a^0": lambda a, k: _tokens(a, k - 1) / k,
        "divides zero by zero": lambda a, k: (_closed(a, k) - 1) / k,
        "the price of a token": lambda a, k: 1 / _tokens(a, k),
    },
}


def _busy(seconds, flops, peak):
    return seconds, flops / seconds / peak


def _shifted(best, drafted):
    n = 0
    while n < len(drafted) and drafted[n] == best[n + 1]:
        n += 1
    return [*drafted[:n], best[n]]
