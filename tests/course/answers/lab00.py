"""Lab 00: right answers written otherwise than the notebook's, and the wrong ones that learners give."""

import math
from fractions import Fraction


def _count_by_parts(m, k, n, bytes_per_element):
    per_result = 2 * k
    travelling = (m + n) * k + m * n
    return per_result * m * n, travelling * bytes_per_element


def _count_by_matrix(m, k, n, bytes_per_element):
    traffic = 0
    for rows, columns in ((m, k), (k, n), (m, n)):
        traffic += rows * columns * bytes_per_element
    return m * n * k + m * n * k, traffic


def _triad_by_parts(elements, bytes_per_element, seconds):
    read, written = 2 * elements * bytes_per_element, elements * bytes_per_element
    return (read + written) / seconds


def _triad_by_rate(elements, bytes_per_element, seconds):
    elements_per_second = elements / seconds
    return elements_per_second * 3 * bytes_per_element


def _roof_by_case(intensity, peak, bandwidth):
    slope = bandwidth * intensity
    if slope < peak:
        return slope
    return peak


def _roof_sorted(intensity, peak, bandwidth):
    return sorted([float(peak), float(bandwidth * intensity)])[0]


def _share_of_rates(flops, num_bytes, seconds, peak, bandwidth):
    return max(flops / (seconds * peak), num_bytes / (seconds * bandwidth))


def _share_by_side(flops, num_bytes, seconds, peak, bandwidth):
    if flops * bandwidth >= num_bytes * peak:
        return flops / peak / seconds
    return num_bytes / bandwidth / seconds


def _rows_exactly(k, n, bytes_per_element, ridge):
    ridge = Fraction(ridge)
    gain = 2 * k * n - ridge * bytes_per_element * (k + n)
    if gain <= 0:
        return None
    return max(1, math.ceil(ridge * bytes_per_element * k * n / gain))


def _rows_by_search(k, n, bytes_per_element, ridge):
    if 2 * k * n <= ridge * bytes_per_element * (k + n):
        return None
    step, m = 1 << 40, 0
    while step:
        wider = m + step
        if 2 * wider * k * n < ridge * bytes_per_element * (wider * k + k * n + wider * n):
            m = wider
        step //= 2
    return m + 1


def _rows_unguarded(k, n, bytes_per_element, ridge):
    return math.ceil(ridge * bytes_per_element * k * n / (2 * k * n - ridge * bytes_per_element * (k + n)))


def _rows_rounded_down(k, n, bytes_per_element, ridge):
    gain = 2 * k * n - ridge * bytes_per_element * (k + n)
    return None if gain <= 0 else max(1, int(ridge * bytes_per_element * k * n // gain))


def _rows_clamped(k, n, bytes_per_element, ridge):
    return max(1, _rows_unguarded(k, n, bytes_per_element, ridge))


def _rows_in_elements(k, n, bytes_per_element, ridge):
    return _rows_exactly(k, n, 1, ridge)


def _decode_by_token(weight_bytes, cache_bytes, batch, bandwidth):
    bytes_per_token = weight_bytes / batch + cache_bytes
    return bandwidth / bytes_per_token


def _decode_by_step(weight_bytes, cache_bytes, batch, bandwidth):
    steps = bandwidth / (weight_bytes + sum([cache_bytes] * batch))
    return steps * batch


def _knee_by_loop(rows, seconds, slack):
    limit = seconds[0] * (1 + slack)
    for i, s in enumerate(seconds):
        if s > limit:
            return rows[i - 1]
    return rows[-1]


def _knee_by_takewhile(rows, seconds, slack):
    from itertools import takewhile

    fine = takewhile(lambda pair: pair[1] <= (1 + slack) * seconds[0], zip(rows, seconds, strict=True))
    return [m for m, _ in fine][-1]


def _knee_last(rows, seconds, slack):
    best = rows[0]
    for m, s in zip(rows, seconds, strict=True):
        if s <= (1 + slack) * seconds[0]:
            best = m
    return best


def _knee_stepwise(rows, seconds, slack):
    best = rows[0]
    for i in range(1, len(rows)):
        if seconds[i] > seconds[i - 1] * (1 + slack):
            break
        best = rows[i]
    return best


def _knee_in_seconds(rows, seconds, slack):
    best = rows[0]
    for m, s in zip(rows, seconds, strict=True):
        if s > seconds[0] + slack:
            break
        best = m
    return best


def _knee_beyond(rows, seconds, slack):
    for m, s in zip(rows, seconds, strict=True):
        if s > seconds[0] * (1 + slack):
            return m
    return rows[-1]


def _knee_per_row(rows, seconds, slack):
    best = rows[0]
    for m, s in zip(rows, seconds, strict=True):
        if s / m <= seconds[0] / rows[0] * (1 + slack):
            best = m
    return best


def _knee_strict(rows, seconds, slack):
    best = rows[0]
    for m, s in zip(rows, seconds, strict=True):
        if s >= seconds[0] * (1 + slack):
            break
        best = m
    return best


ANSWERS = {
    "matmul_cost": [_count_by_parts, _count_by_matrix],
    "triad_bandwidth": [_triad_by_parts, _triad_by_rate],
    "attainable": [_roof_by_case, _roof_sorted],
    "share_of_roof": [_share_of_rates, _share_by_side],
    "ridge_rows": [_rows_exactly, _rows_by_search],
    "decode_ceiling": [_decode_by_token, _decode_by_step],
    "knee": [_knee_by_loop, _knee_by_takewhile],
}

MUTANTS = {
    "matmul_cost": {
        "one operation for each weight": lambda m, k, n, e: (m * n * k, e * (m * k + k * n + m * n)),
        "left out the results": lambda m, k, n, e: (2 * m * n * k, e * k * (m + n)),
        "the weights alone": lambda m, k, n, e: (2 * m * n * k, e * n * k),
        "elements, not bytes": lambda m, k, n, e: (2 * m * n * k, m * k + k * n + m * n),
        "travel again": lambda m, k, n, e: (2 * m * n * k, m * n * k * 3 * e),
        "swapped": lambda m, k, n, e: (e * (m * k + k * n + m * n), 2 * m * n * k),
    },
    "triad_bandwidth": {
        "forgot the one that is written": lambda n, e, s: n * e * 2 / s,
        "counted one array": lambda n, e, s: n * e / s,
        "elements, not bytes": lambda n, e, s: n * 3 / s,
        "counted operations": lambda n, e, s: 2 * n / s,
        "seconds per byte": lambda n, e, s: s / (n * e * 3),
        "gigabytes per second": lambda n, e, s: 3 * n * e / 1e9 / s,
        "counted four trips": lambda n, e, s: 4 * n * e / s,
    },
    "attainable": {
        "took the larger": lambda i, p, b: max(i * b, p),
        "the slope only": lambda i, p, b: b * i,
        "the flat part only": lambda i, p, b: p,
        "divided by the intensity": lambda i, p, b: min(p, b / i),
        "wait for each other": lambda i, p, b: (p * i * b) / (p + i * b),
    },
    "share_of_roof": {
        "arithmetic peak alone": lambda f, n, s, p, b: f / s / p,
        "traffic alone": lambda f, n, s, p, b: n / s / b,
        "added the two times": lambda f, n, s, p, b: f / p / s + n / b / s,
        "the faster of the two": lambda f, n, s, p, b: min(f / p, n / b) / s,
        "upside down": lambda f, n, s, p, b: s / max(f / p, n / b),
        "cut the share off": lambda f, n, s, p, b: min(1.0, max(f / p, n / b) / s),
        "returned a percentage": lambda f, n, s, p, b: 100 * max(f / p, n / b) / s,
        "returned the least time": lambda f, n, s, p, b: max(f / p, n / b),
    },
    "ridge_rows": {
        "the weights' bytes alone": lambda k, n, e, r: max(1, math.ceil(r * e / 2)),
        "whether it has a solution": _rows_clamped,
        "a negative number of rows": _rows_unguarded,
        "rounded down or": _rows_rounded_down,
        "elements, not bytes": _rows_in_elements,
        "there are two": lambda k, n, e, r: _rows_exactly(k, n, 2 * e, r),
    },
    "decode_ceiling": {
        "the steps per second": lambda w, c, n, b: b / (w + n * c),
        "again for every conversation": lambda w, c, n, b: n * b / (n * (w + c)),
        "share one cache": lambda w, c, n, b: n * b / (w + c),
        "left the caches out": lambda w, c, n, b: n * b / w,
        "the seconds of a step": lambda w, c, n, b: (w + n * c) / b,
    },
    "knee": {
        "a later lucky one": _knee_last,
        "compared each time with the one before": _knee_stepwise,
        "the first row count that is too slow": _knee_beyond,
        "the time per row": _knee_per_row,
        "is still fine": _knee_strict,
        "the position in the list": lambda rows, seconds, slack: rows.index(_knee_by_loop(rows, seconds, slack)),
        "a share of the first time": _knee_in_seconds,
        "it is an argument": lambda rows, seconds, slack: _knee_by_loop(rows, seconds, 0.5),
    },
}
