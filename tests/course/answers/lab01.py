"""Right answers to lab 01 in other words than the solutions, and the wrong ones that learners really give."""

import math
from statistics import linear_regression, mean


def _sizes(config):
    names = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads")
    return [config[name] for name in (*names, "head_dim", "vocab_size", "tie_word_embeddings")]


def _parameters(config, kv=None, mlp=3, tables=None, layers=None, wide=None, outputs=1):
    h, i, depth, n, groups, d, vocab, tied = _sizes(config)
    q = n * d if wide is None else wide
    attention = h * q + 2 * h * (groups if kv is None else kv) * d + outputs * q * h
    tables = (2 - tied) if tables is None else tables
    return tables * vocab * h + (depth if layers is None else layers) * (attention + mlp * h * i)


def _parameters_by_row(config):
    h, i, depth, n, groups, d, vocab, tied = _sizes(config)
    a_row_of_the_stream = 2 * n * d + 2 * groups * d + 3 * i
    return h * (depth * a_row_of_the_stream + vocab * (1 if tied else 2))


def _parameters_by_shape(config):
    h, i, depth, n, groups, d, vocab, tied = _sizes(config)
    layer = [(h, n * d), (h, groups * d), (h, groups * d), (n * d, h), (h, i), (h, i), (i, h)]
    total = vocab * h
    for _ in range(depth):
        total += sum(rows * columns for rows, columns in layer)
    if not tied:
        total += h * vocab
    return total


def _flops(config, weights, context, each=2, used=None, products=4, heads=None, layers=None):
    h, _, depth, n, _, d, vocab, tied = _sizes(config)
    used = (weights if tied else weights - vocab * h) if used is None else used
    look = products * (depth if layers is None else layers) * (n if heads is None else heads) * d * context
    return each * used + look


def _flops_by_layer(config, weights, context):
    h, i, depth, n, groups, d, vocab, _ = _sizes(config)
    layer = 2 * h * d * (2 * n + 2 * groups) + 6 * h * i + 2 * (2 * n * d * context)
    return depth * layer + 2 * vocab * h


def _flops_with_lookup_taken_off(config, weights, context):
    multiplying = weights
    if not config["tie_word_embeddings"]:
        multiplying -= config["vocab_size"] * config["hidden_size"]
    scores = config["num_attention_heads"] * config["head_dim"] * context
    return 2 * (multiplying + 2 * config["num_hidden_layers"] * scores)


def _cache(config, tokens, e, heads="num_key_value_heads", both=2):
    return both * config["num_hidden_layers"] * config[heads] * config["head_dim"] * tokens * e


def _cache_by_sum(config, tokens, e):
    one = config["num_key_value_heads"] * config["head_dim"] * e
    return sum(one + one for _ in range(config["num_hidden_layers"])) * tokens


def _cache_by_shape(config, tokens, bytes_per_element):
    shape = (config["num_hidden_layers"], tokens, config["num_key_value_heads"], config["head_dim"])
    keys = values = math.prod(shape) * bytes_per_element
    return keys + values


def _crossover(config, mlp=6, look=4, heads="num_attention_heads", off=0, layers=1):
    top = mlp * config["hidden_size"] * config["intermediate_size"] - off
    return max(top // (look * config[heads] * config["head_dim"] * layers) + 1, 1)


def _crossover_by_steps(config):
    mlp = 2 * 3 * config["hidden_size"] * config["intermediate_size"]
    each = 2 * 2 * config["num_attention_heads"] * config["head_dim"]
    context = max(mlp // each - 2, 0)
    while each * context <= mlp:
        context += 1
    return context


def _crossover_halved(config):
    half_mlp = 3 * config["hidden_size"] * config["intermediate_size"]
    half_look = 2 * config["num_attention_heads"] * config["head_dim"]
    return 1 + (half_mlp - half_mlp % half_look) // half_look


def _projections(config):
    heads = 2 * config["num_attention_heads"] + 2 * config["num_key_value_heads"]
    return 2 * config["hidden_size"] * config["head_dim"] * heads


def _crossover_equal(config):
    mlp = 6 * config["hidden_size"] * config["intermediate_size"]
    return -(-mlp // (4 * config["num_attention_heads"] * config["head_dim"]))


def _logs(values):
    return [math.log(v) for v in values]


def _line(sizes, losses, size):
    slope, start = linear_regression(_logs(sizes), _logs(losses))
    return start + slope * math.log(size), slope


def _extrapolate_by_law(sizes, losses, size):
    slope, start = linear_regression(_logs(sizes), _logs(losses))
    return math.exp(start) * size**slope


def _extrapolate_in_tens(sizes, losses, size):
    x, y = [math.log10(s) for s in sizes], [math.log10(v) for v in losses]
    slope = sum((a - mean(x)) * (b - mean(y)) for a, b in zip(x, y, strict=True)) / sum((a - mean(x)) ** 2 for a in x)
    return 10 ** (mean(y) + slope * (math.log10(size) - mean(x)))


def _extrapolate_straight(sizes, losses, size):
    slope, start = linear_regression(sizes, losses)
    return start + slope * size


def _extrapolate_half_log(sizes, losses, size):
    slope, start = linear_regression(_logs(sizes), losses)
    return start + slope * math.log(size)


def _extrapolate_other_half(sizes, losses, size):
    slope, start = linear_regression(sizes, _logs(losses))
    return math.exp(start + slope * size)


def _extrapolate_last(sizes, losses, size):
    slope = math.log(losses[-1] / losses[-2]) / math.log(sizes[-1] / sizes[-2])
    return losses[-1] * (size / sizes[-1]) ** slope


def _extrapolate_mixed(sizes, losses, size):
    slope, start = linear_regression([math.log10(s) for s in sizes], [math.log10(v) for v in losses])
    return math.exp(start + slope * math.log10(size))


def _extrapolate_hung(sizes, losses, size):
    return math.exp(math.log(losses[-1]) + _line(sizes, losses, size)[1] * math.log(size / sizes[-1]))


def _h(p):
    return 0.0 if p in (0.0, 1.0) else -p * math.log2(p) - (1 - p) * math.log2(1 - p)


def _bits_by_difference(count, alternatives, accuracy):
    if accuracy <= 1 / alternatives:
        return 0.0
    left = _h(accuracy)
    if accuracy < 1:
        left += (1 - accuracy) * math.log2(alternatives - 1)
    return count * (math.log2(alternatives) - left)


def _bits_by_terms(count, alternatives, accuracy):
    if alternatives * accuracy <= 1:
        return 0.0
    bits = accuracy * math.log(accuracy * alternatives, 2)
    if accuracy < 1.0:
        bits += (1 - accuracy) * math.log((1 - accuracy) * alternatives / (alternatives - 1), 2)
    return bits * count


def _bits_unclamped(count, alternatives, accuracy):
    left = _h(accuracy) + ((1 - accuracy) * math.log2(alternatives - 1) if alternatives > 2 else 0.0)
    return count * (math.log2(alternatives) - left)


def _bits_without_others(count, alternatives, accuracy):
    return 0.0 if accuracy <= 1 / alternatives else count * (math.log2(alternatives) - _h(accuracy))


def _bits_without_entropy(count, alternatives, accuracy):
    if accuracy <= 1 / alternatives:
        return 0.0
    return count * (math.log2(alternatives) - (1 - accuracy) * math.log2(alternatives - 1))


ANSWERS = {
    "parameters": [_parameters_by_row, _parameters_by_shape],
    "flops_per_token": [_flops_by_layer, _flops_with_lookup_taken_off],
    "kv_bytes": [_cache_by_sum, _cache_by_shape],
    "crossover": [_crossover_by_steps, _crossover_halved],
    "extrapolate": [_extrapolate_by_law, _extrapolate_in_tens],
    "stored_bits": [_bits_by_difference, _bits_by_terms],
}

MUTANTS = {
    "parameters": {
        "keys and values of its own": lambda c: _parameters(c, kv=c["num_attention_heads"]),
        "two matrices in the MLP": lambda c: _parameters(c, mlp=2),
        "twice where it is tied": lambda c: _parameters(c, tables=2),
        "left out the head": lambda c: _parameters(c, tables=1),
        "as wide as the stream": lambda c: _parameters(c, wide=c["hidden_size"]),
        "counted one layer": lambda c: _parameters(c, layers=1),
        "left out the output projection": lambda c: _parameters(c, outputs=0),
        "left out the table of tokens": lambda c: _parameters(c, tables=0),
    },
    "flops_per_token": {
        "one operation for each weight": lambda c, w, n: _flops(c, w, n, each=1),
        "a token's row is looked up": lambda c, w, n: _flops(c, w, n, used=w),
        "took the table away": lambda c, w, n: _flops(c, w, n, used=w - c["vocab_size"] * c["hidden_size"]),
        "left out attention": lambda c, w, n: _flops(c, w, n, products=0),
        "one of attention's two products": lambda c, w, n: _flops(c, w, n, products=2),
        "every query head looks": lambda c, w, n: _flops(c, w, n, heads=c["num_key_value_heads"]),
        "attention of one layer": lambda c, w, n: _flops(c, w, n, layers=1),
        "a step of training": lambda c, w, n: 3 * _flops(c, w, n),
    },
    "kv_bytes": {
        "query heads share": lambda c, n, e: _cache(c, n, e, heads="num_attention_heads"),
        "the keys alone": lambda c, n, e: _cache(c, n, e, both=1),
        "counted one layer": lambda c, n, e: _cache(c, n, e) // c["num_hidden_layers"],
        "elements, not bytes": lambda c, n, e: _cache(c, n, 1),
        "as wide as the stream": lambda c, n, e: 2 * c["hidden_size"] * c["num_hidden_layers"] * n * e,
        "a single token": lambda c, n, e: _cache(c, 1, e),
    },
    "crossover": {
        "two matrices in the MLP": lambda c: _crossover(c, mlp=4),
        "one of attention's two products": lambda c: _crossover(c, look=2),
        "every query head looks": lambda c: _crossover(c, heads="num_key_value_heads"),
        "four projections": lambda c: _crossover(c, off=_projections(c)),
        "attention in all layers": lambda c: _crossover(c, layers=c["num_hidden_layers"]),
        "where the two are equal": _crossover_equal,
        "rounded down": lambda c: _crossover(c) - 1,
    },
    "extrapolate": {
        "losses and sizes as they are": _extrapolate_straight,
        "logarithms of the sizes alone": _extrapolate_half_log,
        "logarithms of the losses alone": _extrapolate_other_half,
        "the last two sizes": _extrapolate_last,
        "the logarithm of the loss": lambda x, y, n: _line(x, y, n)[0],
        "mixed two logarithms": _extrapolate_mixed,
        "the slope of the line": lambda x, y, n: _line(x, y, n)[1],
        "on the last point": _extrapolate_hung,
    },
    "stored_bits": {
        "full bits for each right answer": lambda n, m, a: n * math.log2(m) * a,
        "left the accuracy out": lambda n, m, a: n * math.log2(m),
        "natural logarithms": lambda n, m, a: _bits_by_terms(n, m, a) * math.log(2),
        "worse than guessing": _bits_unclamped,
        "what a wrong answer leaves open": _bits_without_others,
        "nobody tells which answers are right": _bits_without_entropy,
        "the bits of one fact": lambda n, m, a: _bits_by_difference(1, m, a),
    },
}
