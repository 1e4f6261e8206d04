"""Right answers to lab 03 in other words than the solutions, and the wrong ones that learners really give."""

import math
from collections import Counter, defaultdict

import numpy as np


def _bm25_by_numpy(counts, holding, length, mean_length, documents, k1, b):
    c, df = np.array(counts, dtype=float), np.array(holding, dtype=float)
    idf = np.log1p((documents - df + 0.5) / (df + 0.5))
    return float(idf @ (c / (c + k1 * (1 - b + b * length / mean_length))))


def _bm25_by_loop(counts, holding, length, mean_length, documents, k1, b):
    score = 0.0
    for n in range(len(counts)):
        rare = math.log((documents + 1) / (holding[n] + 0.5))
        longer = 1 - b + b * (length / mean_length)
        score += rare * counts[n] / (counts[n] + k1 * longer)
    return score


def _bm25_wrong(rare=None, about=None, longer=None):
    def score(counts, holding, length, mean_length, documents, k1, b):
        total = 0.0
        for count, df in zip(counts, holding, strict=True):
            idf = rare(documents, df) if rare else math.log(1 + (documents - df + 0.5) / (df + 0.5))
            norm = longer(length / mean_length, b) if longer else 1 - b + b * length / mean_length
            total += idf * (about(count, norm, k1) if about else count / (count + k1 * norm))
        return total

    return score


def _nearest_by_sort(vectors, query, k):
    cosines = vectors @ query / np.linalg.norm(vectors, axis=1) / np.linalg.norm(query)
    return sorted(range(len(vectors)), key=lambda n: -round(cosines[n], 12))[:k]


def _nearest_by_units(vectors, query, k):
    units = vectors / np.sqrt((vectors**2).sum(axis=1, keepdims=True))
    return np.argsort(-np.round(units @ query, 12), kind="stable")[:k].tolist()


def _nearest_wrong(score):
    def nearest(vectors, query, k):
        return np.argsort(-np.round(score(vectors, query), 12), kind="stable")[:k].tolist()

    return nearest


def _cosines(vectors, query):
    return np.array([v @ query / np.sqrt((v @ v) * (query @ query)) for v in vectors])


def _fuse_by_default(rankings, k):
    scores = defaultdict(float)
    for ranking in rankings:
        for n, item in enumerate(ranking):
            scores[item] += 1 / (k + n + 1)
    return dict(scores)


def _fuse_by_counter(rankings, k):
    total = Counter()
    for ranking in rankings:
        total.update({item: 1 / (k + ranking.index(item) + 1) for item in ranking})
    return dict(total)


def _fuse_wrong(worth=lambda p, k: 1 / (k + p), keep=None):
    def fuse(rankings, k):
        found = {}
        for ranking in rankings:
            for p, item in enumerate(ranking, 1):
                found.setdefault(item, []).append(worth(p, k))
        return {item: float((keep or sum)(shares)) for item, shares in found.items()}

    return fuse


def _fuse_common(rankings, k):
    common = set(rankings[0]).intersection(*rankings[1:])
    return {item: share for item, share in _fuse_by_default(rankings, k).items() if item in common}


def _fuse_padded(rankings, k):
    everything = {item for ranking in rankings for item in ranking}
    scores = dict.fromkeys(everything, 0.0)
    for ranking in rankings:
        for item in everything:
            place = ranking.index(item) + 1 if item in ranking else len(ranking) + 1
            scores[item] += 1 / (k + place)
    return scores


def _recall_by_loop(ranking, relevant, k):
    found = 0
    for item in relevant:
        found += item in ranking[:k]
    return found / len(relevant)


def _recall_by_difference(ranking, relevant, k):
    missing = set(relevant) - set(ranking[:k])
    return 1 - len(missing) / len(set(relevant))


def _found(ranking, relevant, k):
    return sum(item in relevant for item in ranking[:k])


def _pack_by_room(chunk_tokens, question_tokens, budget):
    room, used = budget - question_tokens, []
    for n, tokens in enumerate(chunk_tokens):
        if tokens <= room:
            room -= tokens
            used.append(n)
    return used


def _pack_by_recursion(chunk_tokens, question_tokens, budget, first=0):
    if first == len(chunk_tokens):
        return []
    total = question_tokens + chunk_tokens[first]
    if total <= budget:
        return [first, *_pack_by_recursion(chunk_tokens, total, budget, first + 1)]
    return _pack_by_recursion(chunk_tokens, question_tokens, budget, first + 1)


def _pack_until(chunk_tokens, question_tokens, budget):
    used, total = [], question_tokens
    for n, tokens in enumerate(chunk_tokens):
        if total + tokens > budget:
            break
        used.append(n)
        total += tokens
    return used


def _pack_over(chunk_tokens, question_tokens, budget):
    used, total = [], question_tokens
    for n, tokens in enumerate(chunk_tokens):
        if total < budget:
            used.append(n)
            total += tokens
    return used


def _pack_short(chunk_tokens, question_tokens, budget):
    room, used = budget - question_tokens, []
    for tokens, n in sorted((tokens, n) for n, tokens in enumerate(chunk_tokens)):
        if tokens <= room:
            room -= tokens
            used.append(n)
    return sorted(used)


def _claims_by_sets(gold, said, shown):
    claims, told = set(said), set().union(*shown)
    parts = claims & set(gold), claims & told, claims - set(gold) - told
    return tuple(len(part) / len(claims) for part in parts)


def _claims_by_counting(gold, said, shown):
    right = faithful = made_up = 0
    claims = list(dict.fromkeys(said))
    for claim in claims:
        stated = any(claim in chunk for chunk in shown)
        right += claim in gold
        faithful += stated
        made_up += claim not in gold and not stated
    return right / len(claims), faithful / len(claims), made_up / len(claims)


def _claims_repeated(gold, said, shown):
    stated = [any(claim in chunk for chunk in shown) for claim in said]
    true = [claim in gold for claim in said]
    neither = [not (t or s) for t, s in zip(true, stated, strict=True)]
    return tuple(sum(x) / len(said) for x in (true, stated, neither))


def _claims_recall(gold, said, shown):
    _, faithful, made_up = _claims_by_sets(gold, said, shown)
    return len(set(said) & set(gold)) / len(set(gold)), faithful, made_up


def _claims_true_only(gold, said, shown):
    right, _, made_up = _claims_by_sets(gold, said, shown)
    return right, len(set(said) & set(gold) & set().union(*shown)) / len(set(said)), made_up


def _claims_complement(which):
    def judge(gold, said, shown):
        right, faithful, _ = _claims_by_sets(gold, said, shown)
        return right, faithful, 1 - (right, faithful)[which]

    return judge


def _threshold_by_loop(confidence, wrong, thresholds, precision):
    best, most = None, -1
    for t in sorted(thresholds):
        held = [w for c, w in zip(confidence, wrong, strict=True) if c < t]
        if held and sum(held) / len(held) >= precision and sum(held) > most:
            best, most = t, sum(held)
    return best


def _threshold_by_numpy(confidence, wrong, thresholds, precision):
    c, w = np.array(confidence), np.array(wrong)
    caught = np.array([(w & (c < t)).sum() for t in thresholds])
    held = np.array([(c < t).sum() for t in thresholds])
    fine = [n for n in range(len(thresholds)) if held[n] and caught[n] / held[n] >= precision]
    if not fine:
        return None
    most = max(caught[n] for n in fine)
    return min(thresholds[n] for n in fine if caught[n] == most)


def _threshold_wrong(below=lambda c, t: c < t, fine=None, choose=None):
    """The right loop with another comparison, another condition or another choice."""

    def threshold(confidence, wrong, thresholds, precision):
        found = []
        for t in thresholds:
            held = [w for c, w in zip(confidence, wrong, strict=True) if below(c, t)]
            given = [w for c, w in zip(confidence, wrong, strict=True) if not below(c, t)]
            usual = bool(held) and sum(held) / max(1, len(held)) >= precision
            if fine(held, given, precision) if fine else usual:
                found.append((sum(held), t))
        if not found:
            return None
        return choose(found) if choose else min(found, key=lambda pair: (-pair[0], pair[1]))[1]

    return threshold


def _threshold_while(confidence, wrong, thresholds, precision):
    best, most = None, -1
    for t in thresholds:
        held = [w for c, w in zip(confidence, wrong, strict=True) if c < t]
        if not held:
            continue
        if sum(held) / len(held) < precision:
            return best
        if sum(held) > most:
            best, most = t, sum(held)
    return best


ANSWERS = {
    "bm25_score": [_bm25_by_numpy, _bm25_by_loop],
    "nearest": [_nearest_by_sort, _nearest_by_units],
    "fuse": [_fuse_by_default, _fuse_by_counter],
    "recall_at_k": [_recall_by_loop, _recall_by_difference],
    "pack": [_pack_by_room, _pack_by_recursion],
    "judge_claims": [_claims_by_sets, _claims_by_counting],
    "choose_threshold": [_threshold_by_loop, _threshold_by_numpy],
}

MUTANTS = {
    "bm25_score": {
        "how rare a word is": _bm25_wrong(rare=lambda n, df: 1.0),
        "the 1 inside the logarithm": _bm25_wrong(rare=lambda n, df: math.log((n - df + 0.5) / (df + 0.5))),
        "another variant": _bm25_wrong(rare=lambda n, df: math.log(n / df)),
        "multiplied by k1 + 1": _bm25_wrong(about=lambda c, norm, k1: c * (k1 + 1) / (c + k1 * norm)),
        "left out the length": _bm25_wrong(longer=lambda longer, b: 1),
        "swapped b": _bm25_wrong(longer=lambda longer, b: b + (1 - b) * longer),
        "upside down": _bm25_wrong(longer=lambda longer, b: 1 - b + b / longer),
        "every mention in full": _bm25_wrong(about=lambda c, norm, k1: c),
        "not how often": _bm25_wrong(about=lambda c, norm, k1: min(c, 1) / (1 + k1 * norm)),
    },
    "nearest": {
        "inner products": _nearest_wrong(lambda vectors, query: (vectors * query).sum(axis=1)),
        "the distance between the ends": _nearest_wrong(lambda vectors, query: -((vectors - query) ** 2).sum(axis=1)),
        "upside down": _nearest_wrong(lambda vectors, query: -_cosines(vectors, query)),
        "the size of the cosine": _nearest_wrong(lambda vectors, query: abs(_cosines(vectors, query))),
        "turned a sorted list around": lambda vectors, query, k: np.argsort(
            np.round(_cosines(vectors, query), 12), kind="stable"
        )[::-1][:k].tolist(),
        "returned all": lambda vectors, query, k: _nearest_by_sort(vectors, query, len(vectors)),
        "one too many": lambda vectors, query, k: _nearest_by_sort(vectors, query, k + 1),
        "in their own order": lambda vectors, query, k: sorted(_nearest_by_sort(vectors, query, k)),
        "returned the cosines": lambda vectors, query, k: sorted(_cosines(vectors, query).tolist(), reverse=True)[:k],
    },
    "fuse": {
        "places from 0": _fuse_wrong(worth=lambda p, k: 1 / (k + p - 1)),
        "left out k": _fuse_wrong(worth=lambda p, k: 1 / p),
        "the best share": _fuse_wrong(keep=max),
        "overwrote": _fuse_wrong(keep=lambda shares: shares[-1]),
        "number of rankings": lambda rankings, k: {
            i: s / len(rankings) for i, s in _fuse_by_default(rankings, k).items()
        },
        "stands in every ranking": _fuse_common,
        "the place after its last": _fuse_padded,
        "added up places": _fuse_wrong(worth=lambda p, k: k + p),
    },
    "recall_at_k": {
        "you divided by k; that is precision": lambda r, rel, k: _found(r, rel, k) / k,
        "how many were returned": lambda r, rel, k: _found(r, rel, k) / max(len(r[:k]), 1),
        "1 for any hit": lambda r, rel, k: 1.0 if _found(r, rel, k) else 0.0,
        "the whole ranking": lambda r, rel, k: _found(r, rel, None) / len(rel),
        "where more are relevant": lambda r, rel, k: _found(r, rel, k) / min(len(rel), k),
        "one place too early": lambda r, rel, k: _found(r, rel, k - 1) / len(rel),
        "one place too far": lambda r, rel, k: _found(r, rel, k + 1) / len(rel),
        "how many were found": lambda r, rel, k: float(_found(r, rel, k)),
    },
    "pack": {
        "the first chunk that does not fit": _pack_until,
        "goes over the budget": _pack_over,
        "forgot the question": lambda c, q, budget: _pack_by_room(c, 0, budget),
        "exactly the budget": lambda c, q, budget: _pack_by_room(c, q + 1, budget),
        "shortest first": _pack_short,
        "fits alone": lambda c, q, budget: [n for n in range(len(c)) if c[n] + q <= budget],
        "returned the lengths": lambda c, q, budget: [c[n] for n in _pack_by_room(c, q, budget)],
    },
    "judge_claims": {
        "everything false": _claims_complement(0),
        "everything that no chunk says": _claims_complement(1),
        "that is recall": _claims_recall,
        "only what is true": _claims_true_only,
        "as often as it is said": _claims_repeated,
        "first chunk alone": lambda gold, said, shown: _claims_by_sets(gold, said, shown[:1]),
        "swapped": lambda gold, said, shown: tuple(_claims_by_sets(gold, said, shown)[n] for n in (1, 0, 2)),
    },
    "choose_threshold": {
        "the highest threshold": _threshold_wrong(choose=lambda found: max(t for _, t in found)),
        "the first threshold that is precise": _threshold_wrong(choose=lambda found: min(t for _, t in found)),
        "stopped at the first": _threshold_while,
        "exactly at the threshold": _threshold_wrong(below=lambda c, t: c <= t),
        "holds nothing back": _threshold_wrong(fine=lambda h, g, p: not h or sum(h) / len(h) >= p),
        "answers given are right": _threshold_wrong(fine=lambda h, g, p: bool(g) and 1 - sum(g) / len(g) >= p),
        "that is recall": _threshold_wrong(fine=lambda h, g, p: sum(h) / (sum(h) + sum(g)) >= p),
        "exactly the mark": _threshold_wrong(fine=lambda h, g, p: bool(h) and sum(h) / len(h) > p),
    },
}
