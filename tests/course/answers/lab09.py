"""Lab 09: right answers written otherwise than the notebook's, and the wrong ones that learners give."""

import math
from collections import deque


def _static_by_line(lengths, batch_size):
    line, steps, idle = deque(lengths), 0, 0
    while line:
        batch = [line.popleft() for _ in range(min(batch_size, len(line)))]
        steps += max(batch)
        idle += sum(max(batch) - length for length in batch)
    return steps, idle


def _static_by_total(lengths, batch_size):
    starts = range(0, len(lengths), batch_size)
    lasts = [max(lengths[n : n + batch_size]) for n in starts]
    rows = sum(last * len(lengths[n : n + batch_size]) for n, last in zip(starts, lasts, strict=True))
    return sum(lasts), rows - sum(lengths)


def _static_wrong(order=list, empty=False, useful=True, steps=None):
    def wrong(lengths, batch_size):
        line = order(lengths)
        batches = [line[n : n + batch_size] for n in range(0, len(line), batch_size)]
        rows = sum(max(b) * (batch_size if empty else len(b)) for b in batches)
        taken = steps(lengths, batch_size) if steps else sum(max(b) for b in batches)
        return taken, rows - (sum(lengths) if useful else 0)

    return wrong


def _continuous(lengths, batch_size):
    line, rows, steps, idle = list(lengths), [], 0, 0
    while line or rows:
        while line and len(rows) < batch_size:
            rows.append(line.pop(0))
        steps, idle = steps + 1, idle + batch_size - len(rows)
        rows = [left - 1 for left in rows if left > 1]
    return steps, idle


def _admit_by_count(waiting, seats, free_blocks, block_size):
    inside = 0
    for _, prompt, _ in waiting[: max(seats, 0)]:
        free_blocks -= math.ceil(prompt / block_size)
        if free_blocks < 0:
            break
        inside += 1
    return [request for request, *_ in waiting[:inside]]


def _admit_recursively(waiting, seats, free_blocks, block_size):
    if not waiting or not seats:
        return []
    blocks = (waiting[0][1] + block_size - 1) // block_size
    if blocks > free_blocks:
        return []
    return [waiting[0][0], *_admit_recursively(waiting[1:], seats - 1, free_blocks - blocks, block_size)]


def _admit_wrong(blocks=lambda p, m, b: -(-p // b), skip=False, subtract=True, seated=True, order=list):
    def wrong(waiting, seats, free_blocks, block_size):
        inside = []
        for request, prompt, most in order(waiting):
            if seated and len(inside) == seats:
                break
            needed = blocks(prompt, most, block_size)
            if needed <= free_blocks:
                inside.append(request)
                free_blocks -= needed if subtract else 0
            elif not skip:
                break
        return inside

    return wrong


def _plan_with_generator(left, budget, chunk):
    def dealt():
        room = budget
        for request, wanted in left:
            if room <= 0:
                return
            yield request, min(wanted, chunk, room)
            room -= min(wanted, chunk, room)

    return list(dealt())


def _plan_by_sums(left, budget, chunk):
    wanted = [min(tokens, chunk) for _, tokens in left]
    plan = [(left[n][0], min(w, budget - sum(wanted[:n]))) for n, w in enumerate(wanted)]
    return [(request, tokens) for request, tokens in plan if tokens > 0]


def _plan_wrong(shared=True, chunked=True, zeros=False, order=list, whole=False, cap=False):
    def wrong(left, budget, chunk):
        plan, room = [], min(budget, chunk) if cap else budget
        for request, wanted in order(left):
            tokens = min(wanted, room, chunk if chunked else room)
            if whole and tokens < wanted:
                continue
            if tokens > 0 or zeros:
                plan.append((request, tokens))
            room -= tokens if shared else 0
        return plan

    return wrong


def _plan_equally(left, budget, chunk):
    if not left:
        return []
    share = min(budget // len(left), chunk)
    return [(request, min(wanted, share)) for request, wanted in left if min(wanted, share) > 0]


def _extend_by_token(table, free, start, count, block_size):
    table, free, slots = [*table], [*free], []
    for position in range(start, start + count):
        block, offset = divmod(position, block_size)
        while len(table) <= block:
            if not free:
                return None
            table += [free[0]]
            free = free[1:]
        slots.append(table[block] * block_size + offset)
    return table, free, slots


def _extend_by_room(table, free, start, count, block_size):
    short = start + count - len(table) * block_size
    missing = 0 if short <= 0 else (short - 1) // block_size + 1
    if len(free) < missing:
        return None
    table, free = table + free[:missing], free[missing:]
    flat = [block * block_size + offset for block in table for offset in range(block_size)]
    return table, free, flat[start : start + count]


def _extend_wrong(missing=None, slot=None, end=False, first=None, part=False):
    def wrong(table, free, start, count, size):
        more = (missing or (lambda t, s, c, b: max(-(-(s + c) // b) - len(t), 0)))(table, start, count, size)
        if more > len(free):
            if not part:
                return None
            more = len(free)
            count = (len(table) + more) * size - start
        taken = free[-more:][::-1] if end and more else free[:more]
        left = free[: len(free) - more] if end else free[more:]
        full = table + taken
        where = slot or (lambda t, p, b: t[p // b] * b + p % b)
        return full, left, [where(full, p, size) for p in range(start if first is None else first, start + count)]

    return wrong


def _cached_by_blocks(prompt, remembered, block_size):
    known, found = {tuple(prefix) for prefix in remembered}, 0
    for end in range(block_size, len(prompt), block_size):
        if tuple(prompt[:end]) not in known:
            break
        found = end
    return found


def _cached_recursively(prompt, remembered, block_size):
    def from_(end):
        longer = end + block_size
        return from_(longer) if longer < len(prompt) and prompt[:longer] in remembered else end

    return from_(0)


def _cached_wrong(most=lambda length, size: length - 1, known=None, stop=True, unit=1):
    def wrong(prompt, remembered, size):
        def is_known(end):
            if known is None:
                return prompt[:end] in remembered
            return prompt[end - size : end] in [known(prefix, size) for prefix in remembered]

        found = 0
        for end in range(size, most(len(prompt), size) + 1, size):
            if is_known(end):
                found += size
            elif stop:
                break
        return found // (size if unit != 1 else 1)

    return wrong


def _cached_tokenwise(prompt, remembered, block_size):
    best = 0
    for prefix in remembered:
        alike = 0
        while alike < min(len(prefix), len(prompt)) and prefix[alike] == prompt[alike]:
            alike += 1
        best = max(best, alike)
    return min(best, len(prompt) - 1)


def _goodput_by_loop(requests, ttft, tpot, seconds):
    good = 0
    for arrival, _, first, last, tokens in requests:
        if first - arrival > ttft:
            continue
        if tokens > 1 and (last - first) / (tokens - 1) > tpot:
            continue
        good += 1
    return good / seconds


def _goodput_by_numpy(requests, ttft, tpot, seconds):
    import numpy as np

    arrival, _, first, last, tokens = np.array(requests, dtype=float).T
    each = (last - first) / np.maximum(tokens - 1, 1)
    return float(((first - arrival <= ttft) & (each <= tpot)).sum() / seconds)


def _goodput_wrong(since=0, minus=1, single=True, both=True, strict=False, per_token=True, share=False):
    def wrong(requests, ttft, tpot, seconds):
        good = 0
        for request in requests:
            *_, first, last, tokens = request
            soon, each = first - request[since], (last - first) / max(tokens - minus, 1)
            kept = [soon < ttft if strict else soon <= ttft]
            if per_token:
                kept.append((each < tpot if strict else each <= tpot) and (single or tokens > 1))
            good += all(kept) if both else any(kept)
        return good / (len(requests) if share else seconds)

    return wrong


def _goodput_of_means(requests, ttft, tpot, seconds):
    count = len(requests)
    soon = sum(first - arrival for arrival, _, first, _, _ in requests) / count
    each = sum((last - first) / max(tokens - 1, 1) for *_, first, last, tokens in requests) / count
    return count / seconds if soon <= ttft and each <= tpot else 0.0


def _scores(trace, price, objective):
    from labkit.serving import BlockPool, Scheduler
    from labkit.throughput.objective import Objective, goodput
    from labkit.throughput.rehearsal import Price, rehearse
    from labkit.throughput.request import Request

    requests = [Request(at, "", read, written) for at, read, written in trace]
    for seats in (2, 8, 32):
        for budget in (16, 64, 256):
            run = rehearse(Scheduler(BlockPool(4096, 16), seats, budget), requests, Price(*price)).run
            good = goodput(run.records, Objective(*objective), run.seconds)
            yield (seats, budget), good, len(run.records) / run.seconds


def _choose_by_goodput(trace, price, objective):
    return max(_scores(trace, price, objective), key=lambda found: found[1])[0]


def _choose_last_of_equals(trace, price, objective):
    best = ((1, 1), -1.0)
    for pair, good, _ in _scores(trace, price, objective):
        best = (pair, good) if good >= best[1] else best
    return best[0]


def _choose_by_throughput(trace, price, objective):
    return max(_scores(trace, price, objective), key=lambda found: found[2])[0]


def _useful_by_trying(fixed, per_token, least):
    if per_token == 0:
        return None
    batch = 1
    while fixed / (fixed + 2 * batch * per_token) >= least:
        batch += 1
    return batch


def _useful_by_formula(fixed, per_token, least):
    if not per_token:
        return None
    return max(math.ceil((fixed / least - fixed) / (2 * per_token)), 1)


def _useful_wrong(small, guard=True):
    def wrong(fixed, per_token, least):
        if guard and per_token == 0:
            return None
        return next((batch for batch in range(1, 50_000) if small(batch, fixed, per_token, least)), None)

    return wrong


def _solved(fixed, per_token, least):
    return fixed * (1 - least) / (2 * per_token * least)


ANSWERS = {
    "static_batches": [_static_by_line, _static_by_total],
    "admit": [_admit_by_count, _admit_recursively],
    "plan_step": [_plan_with_generator, _plan_by_sums],
    "extend_table": [_extend_by_token, _extend_by_room],
    "cached_tokens": [_cached_by_blocks, _cached_recursively],
    "goodput": [_goodput_by_loop, _goodput_by_numpy],
    "choose_settings": [_choose_by_goodput, _choose_last_of_equals],
    "useful_batch": [_useful_by_trying, _useful_by_formula],
}

MUTANTS = {
    "static_batches": {
        "that is the cure": _continuous,
        "seats that nobody ever took": _static_wrong(empty=True),
        "you sorted the answers": _static_wrong(order=sorted),
        "every row that was computed": _static_wrong(useful=False),
        "divided all tokens by the batch size": _static_wrong(steps=lambda ls, size: -(-sum(ls) // size)),
        "the longest answer of all": _static_wrong(steps=lambda ls, size: max(ls)),
    },
    "admit": {
        "overtake": _admit_wrong(skip=True),
        "room for the whole answer": _admit_wrong(blocks=lambda p, m, b: -(-(p + m) // b)),
        "rounded the blocks down": _admit_wrong(blocks=lambda p, m, b: p // b),
        "always added a block": _admit_wrong(blocks=lambda p, m, b: p // b + 1),
        "against all free blocks": _admit_wrong(subtract=False),
        "forgot the seats": _admit_wrong(seated=False),
        "compared tokens with blocks": _admit_wrong(blocks=lambda p, m, b: p),
        "changed the order": _admit_wrong(order=lambda waiting: sorted(waiting, key=lambda each: each[1])),
    },
    "plan_step": {
        "the whole budget to each": lambda left, budget, chunk: [(r, min(w, chunk, budget)) for r, w in left],
        "all that is left of the budget": _plan_wrong(chunked=False),
        "who does not fit as a whole": _plan_wrong(whole=True),
        "0 tokens for somebody": _plan_wrong(zeros=True),
        "the short ones first": _plan_wrong(order=lambda left: sorted(left, key=lambda each: each[1])),
        "shared the budget equally": _plan_equally,
        "the whole step by a chunk": _plan_wrong(cap=True),
    },
    "extend_table": {
        "for the new tokens alone": _extend_wrong(missing=lambda t, s, c, b: -(-c // b)),
        "a block too many": _extend_wrong(missing=lambda t, s, c, b: max((s + c) // b + 1 - len(t), 0)),
        "side by side": _extend_wrong(slot=lambda t, p, b: t[0] * b + p),
        "positions in the text": _extend_wrong(slot=lambda t, p, b: p),
        "block's number to the offset": _extend_wrong(slot=lambda t, p, b: t[p // b] + p % b),
        "a negative number of blocks": _extend_wrong(missing=lambda t, s, c, b: -(-(s + c) // b) - len(t)),
        "the end of the list": _extend_wrong(end=True),
        "all tokens so far": _extend_wrong(first=0),
        "as many tokens as fit": _extend_wrong(part=True),
    },
    "cached_tokens": {
        "all of the prompt out of the cache": _cached_wrong(most=lambda length, size: length),
        "single tokens": _cached_tokenwise,
        "by their own tokens": _cached_wrong(known=lambda prefix, size: prefix[-size:]),
        "blocks anywhere": _cached_wrong(known=lambda prefix, size: prefix[-size:], stop=False),
        "behind a block that is missing": _cached_wrong(stop=False),
        "you returned blocks": _cached_wrong(unit="blocks"),
        "a whole block to compute": _cached_wrong(most=lambda length, size: length - size),
    },
    "goodput": {
        "from the sending": _goodput_wrong(since=1),
        "divided by all tokens": _goodput_wrong(minus=0),
        "left out answers of a single token": _goodput_wrong(single=False),
        "one limit suffice": _goodput_wrong(both=False),
        "a share of the requests": _goodput_wrong(share=True),
        "judged the means": _goodput_of_means,
        "less than the limit": _goodput_wrong(strict=True),
        "the first token alone": _goodput_wrong(per_token=False),
    },
    "choose_settings": {
        "the largest settings": lambda trace, price, objective: (32, 256),
        "the smallest settings": lambda trace, price, objective: (2, 16),
        "the middle of the grid": lambda trace, price, objective: (8, 64),
        "in time or not": _choose_by_throughput,
        "the other way round": lambda trace, price, objective: _choose_by_goodput(trace, price, objective)[::-1],
    },
    "useful_batch": {
        "as much as the fixed part": lambda f, t, least: None if t == 0 else max(1, math.ceil(f / t)),
        "one too early": lambda f, t, least: None if t == 0 else max(1, math.floor(_solved(f, t, least))),
        "what one more request brings": _useful_wrong(
            lambda n, f, t, least: (n + 1) * (f + n * t) < (1 + least) * n * (f + (n + 1) * t)
        ),
        "how much longer the step takes": _useful_wrong(
            lambda n, f, t, least: f + 2 * n * t > (1 + least) * (f + n * t)
        ),
        "you returned a fraction": lambda f, t, least: None if t == 0 else _solved(f, t, least),
        "divided by a price of 0": lambda f, t, least: math.floor(_solved(f, t, least)) + 1,
        "a perfect doubling": _useful_wrong(lambda n, f, t, least: (f + n * t) / (f + 2 * n * t) < 1 - least),
    },
}
