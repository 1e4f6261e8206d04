"""Lab 06: right answers written otherwise than the notebook's, and the wrong ones that learners give."""

import math


def _pack_by_byte(codes, bits):
    packed, held, filled = [], 0, 0
    for code in codes:
        held |= code << filled
        filled += bits
        while filled >= 8:
            packed.append(held % 256)
            held, filled = held // 256, filled - 8
    return [*packed, held] if filled else packed


def _pack_by_bit(codes, bits):
    packed = [0] * math.ceil(len(codes) * bits / 8)
    for n, code in enumerate(codes):
        for digit in range(bits):
            place = n * bits + digit
            packed[place // 8] += (code >> digit & 1) * 2 ** (place % 8)
    return packed


def _pack_bits_reversed(codes, bits):
    digits = "".join(format(code, f"0{bits}b") for code in codes)
    digits += "0" * (-len(digits) % 8)
    return [int(digits[n : n + 8], 2) for n in range(0, len(digits), 8)]


def _pack_without_cutting(codes, bits):
    room, packed = 8 // bits, []
    for start in range(0, len(codes), room):
        packed.append(sum(code * 2 ** (bits * n) for n, code in enumerate(codes[start : start + room])))
    return packed


def _round_by_split(weight, bits, group_size):
    import torch

    top = 2 ** (bits - 1) - 1
    codes, scales = [], []
    for part in weight.split(group_size, dim=1):
        scale = part.abs().max(dim=1, keepdim=True).values / top
        scales.append(scale)
        codes.append((part / scale.masked_fill(scale == 0, 1)).round() + top + 1)
    return torch.cat(codes, dim=1).to(torch.uint8), torch.cat(scales, dim=1)


def _round_by_repeat(weight, bits, group_size):
    import torch

    scales = weight.abs().unfold(1, group_size, group_size).amax(-1) / (2 ** (bits - 1) - 1)
    wide = scales.repeat_interleave(group_size, dim=1)
    units = torch.nan_to_num(weight / wide)
    return (units.round().clamp(1 - 2 ** (bits - 1), 2 ** (bits - 1) - 1) + 2 ** (bits - 1)).byte(), scales


def _round_wrong(size=None, largest=None, top=lambda b: 2 ** (b - 1) - 1, rounding=None, middle=True, guard=True):
    def wrong(weight, bits, group_size):
        import torch

        grouped = weight.unflatten(1, (-1, size(weight, group_size) if size else group_size))
        scales = (largest or (lambda g: g.abs().amax(-1, keepdim=True)))(grouped) / top(bits)
        units = grouped / (torch.where(scales == 0, 1, scales) if guard else scales)
        codes = (rounding or torch.round)(units) + (2 ** (bits - 1) if middle else 0)
        codes = codes.clamp(0, 2**bits - 1) if middle else codes.to(torch.int16)
        scales = scales.squeeze(-1)
        if size:
            scales = scales.repeat(1, weight.shape[1] // group_size // scales.shape[1])
        return codes.flatten(1).to(torch.uint8), scales

    return wrong


def _round_whole(weight, bits, group_size):
    import torch

    scale = weight.abs().max() / (2 ** (bits - 1) - 1)
    codes = (weight / scale).round() + 2 ** (bits - 1)
    scales = torch.full((len(weight), weight.shape[1] // group_size), scale.item(), dtype=weight.dtype)
    return codes.to(torch.uint8), scales


def _compensate_by_row(weight, column, rounded, factor):
    import torch

    rows = []
    for row, value in zip(weight.tolist(), rounded.tolist(), strict=True):
        error = (row[column] - value) / factor[column, column].item()
        later = [w - error * factor[column, n].item() for n, w in enumerate(row) if n > column]
        rows.append([*row[:column], value, *later])
    return torch.tensor(rows, dtype=weight.dtype)


def _compensate_by_outer(weight, column, rounded, factor):
    import torch

    error = (weight[:, column] - rounded) / factor[column, column]
    row = factor[column].clone()  # zero to the left; its own entry times the error is what rounding took away
    row[:column] = 0
    return weight - torch.outer(error, row)


def _compensate_wrong(divide=1, sign=-1, own=True, reach=None, move=True):
    def wrong(weight, column, rounded, factor):
        new = weight.clone()
        error = (weight[:, column] - rounded) / factor[column, column] ** divide
        end = weight.shape[1] if reach is None else column + 1 + reach
        if move:
            new[:, column + 1 : end] += sign * error[:, None] * factor[column, column + 1 : end]
        if own:
            new[:, column] = rounded
        return new

    return wrong


def _errors_by_einsum(weight, inputs, alphas, bits):
    import torch

    wanted, found = torch.einsum("ti,oi->to", inputs, weight), []
    for alpha in alphas:
        s = inputs.abs().mean(0).pow(alpha)
        scaled = weight * s[None]
        unit = (2 ** (bits - 1) - 1) / scaled.abs().max(1).values[:, None]
        rounded = torch.round(scaled * unit) / unit
        got = torch.einsum("ti,oi->to", inputs / s, rounded)
        found.append((torch.dist(got, wanted) / wanted.norm()).item())
    return found


def _errors_by_row(weight, inputs, alphas, bits):
    def error(alpha):
        s = (inputs.abs().sum(dim=0) / len(inputs)) ** alpha
        moved = 0.0
        for row in weight:
            step = max((row * s).abs().tolist()) / (2 ** (bits - 1) - 1)
            back = (row * s / step).round() * step / s
            moved += float(((inputs @ (back - row)) ** 2).sum())
        return math.sqrt(moved / float(((inputs @ weight.T) ** 2).sum()))

    return [error(alpha) for alpha in alphas]


def _errors_wrong(magnitude=lambda x: x.abs().mean(0), back=True, outputs=True, power=1):
    def wrong(weight, inputs, alphas, bits):
        import torch

        x, found = inputs if outputs else torch.eye(weight.shape[1], dtype=weight.dtype), []
        for alpha in alphas:
            s = magnitude(inputs) ** alpha
            step = (weight * s).abs().amax(1, keepdim=True) / (2 ** (bits - 1) - 1)
            rounded = (weight * s / step).round() * step
            rounded = rounded / s if back else rounded
            found.append(((x @ (rounded - weight).T).norm() / (x @ weight.T).norm()).item() ** power)
        return found

    return wrong


def _smooth_by_column(inputs, weight, alpha):
    import torch

    x, w = inputs.clone(), weight.clone()
    for channel in range(inputs.shape[1]):
        top_x, top_w = x[:, channel].abs().max().item(), w[:, channel].abs().max().item()
        if top_x and top_w:
            s = top_x**alpha * top_w ** (alpha - 1)
            x[:, channel], w[:, channel] = x[:, channel] / s, w[:, channel] * s
    return torch.as_tensor(x), torch.as_tensor(w)


def _smooth_by_log(inputs, weight, alpha):
    import torch

    log = alpha * inputs.abs().amax(0).log() - (1 - alpha) * weight.abs().amax(0).log()
    s = torch.where(log.isfinite(), log, 0).exp()
    return inputs / s, weight * s


def _smooth_wrong(scale, largest=lambda m: m.abs().amax(0), guard=True):
    def wrong(inputs, weight, alpha):
        import torch

        x, w = largest(inputs), largest(weight)
        s = scale(x, w, alpha)
        s = torch.where((x > 0) & (w > 0), s, 1) if guard else s
        return inputs / s, weight * s

    return wrong


def _smooth_whole(inputs, weight, alpha):
    s = inputs.abs().max().pow(alpha) / weight.abs().max().pow(1 - alpha)
    return inputs / s, weight * s


def _cross_by_seconds(weight_only_bytes, int8_bytes, row_flops, bandwidth, weight_only_rate, int8_rate):
    if not int8_rate > weight_only_rate:
        return None
    return max(1, math.ceil((int8_bytes / bandwidth) / (row_flops / weight_only_rate)))


def _cross_by_trying(weight_only_bytes, int8_bytes, row_flops, bandwidth, weight_only_rate, int8_rate):
    if int8_rate <= weight_only_rate:
        return None
    rows = 1
    while max(int8_bytes / bandwidth, rows * row_flops / int8_rate) > max(
        weight_only_bytes / bandwidth, rows * row_flops / weight_only_rate
    ):
        rows += 1
    return rows


def _cross_wrong(rows, whole=math.ceil, guard=True):
    def wrong(w, b, flops, bandwidth, rate, int8_rate):
        if guard and int8_rate <= rate:
            return None
        found = rows(w, b, flops, bandwidth, rate, int8_rate)
        return max(1, whole(found)) if whole else found

    return wrong


def _meet(w, b, flops, bandwidth, rate, int8_rate):
    return b * rate / bandwidth / flops


def _spend_by_recursion(losses, sizes, budget):
    from functools import cache

    @cache
    def best(layer, left):
        if layer == len(losses):
            return 0.0, ()
        found = (math.inf, ())
        for choice, (loss, size) in enumerate(zip(losses[layer], sizes[layer], strict=True)):
            if size <= left:
                rest, choices = best(layer + 1, left - size)
                found = min(found, (loss + rest, (choice, *choices)))
        return found

    return list(best(0, budget)[1])


def _spend_by_table(losses, sizes, budget):
    least, way = [0.0] * (budget + 1), [[] for _ in range(budget + 1)]
    for layer_losses, layer_sizes in zip(losses, sizes, strict=True):
        new = [(math.inf, [])] * (budget + 1)
        for left in range(budget + 1):
            for choice, size in enumerate(layer_sizes):
                if size <= left and least[left - size] + layer_losses[choice] < new[left][0]:
                    new[left] = least[left - size] + layer_losses[choice], [*way[left - size], choice]
        least, way = [n[0] for n in new], [n[1] for n in new]
    return way[budget]


def _spend_greedily(losses, sizes, budget, per_byte=True):
    choices = [min(range(len(s)), key=s.__getitem__) for s in sizes]
    left = budget - sum(s[c] for s, c in zip(sizes, choices, strict=True))
    while True:
        best = None
        for n, c in enumerate(choices):
            for other in range(len(sizes[n])):
                more, gain = sizes[n][other] - sizes[n][c], losses[n][c] - losses[n][other]
                if more > 0 and more <= left and gain > 0:
                    worth = gain / more if per_byte else gain
                    if best is None or (worth, n, other) > best[:3]:
                        best = (worth, n, other, more)
        if best is None:
            return choices
        choices[best[1]] = best[2]
        left -= best[3]


def _spend_equally(losses, sizes, budget):
    choice = max((c for c in range(len(sizes[0])) if sum(s[c] for s in sizes) <= budget), default=0)
    return [choice] * len(sizes)


def _spend_from_the_front(losses, sizes, budget):
    choices = []
    for n, (loss, size) in enumerate(zip(losses, sizes, strict=True)):
        later = sum(min(s) for s in sizes[n + 1 :])
        spent = sum(s[c] for s, c in zip(sizes, choices, strict=False))
        fits = [c for c in range(len(size)) if spent + size[c] + later <= budget]
        choices.append(min(fits, key=lambda c: loss[c]))
    return choices


def _spend_too_much(losses, sizes, budget):
    return _spend_by_table(losses, sizes, budget + max(map(max, sizes)))


ANSWERS = {
    "pack_codes": [_pack_by_byte, _pack_by_bit],
    "round_groups": [_round_by_split, _round_by_repeat],
    "compensate": [_compensate_by_row, _compensate_by_outer],
    "scaled_errors": [_errors_by_einsum, _errors_by_row],
    "smooth": [_smooth_by_column, _smooth_by_log],
    "crossover": [_cross_by_seconds, _cross_by_trying],
    "spend": [_spend_by_recursion, _spend_by_table],
}

MUTANTS = {
    "pack_codes": {
        "a byte of its own": lambda codes, bits: list(codes),
        "into the highest bits": _pack_bits_reversed,
        "across the border of a byte": _pack_without_cutting,
        "dropped the last byte": lambda codes, bits: _pack_by_bit(codes, bits)[: len(codes) * bits // 8],
        "the order of the bytes": lambda codes, bits: _pack_by_bit(codes, bits)[::-1],
        "a byte that holds nothing": lambda codes, bits: [*_pack_by_bit(codes, bits), 0],
    },
    "round_groups": {
        "gave a whole row": _round_wrong(size=lambda weight, _: weight.shape[1]),
        "gave the whole matrix": _round_whole,
        "a large negative one": _round_wrong(largest=lambda g: g.amax(-1, keepdim=True)),
        "one code fewer": _round_wrong(top=lambda b: 2 ** (b - 1)),
        "half of them are for negative": _round_wrong(top=lambda b: 2**b - 1),
        "cut the decimals off": _round_wrong(rounding=lambda units: units.trunc()),
        "bytes without a sign": _round_wrong(middle=False),
        "a group of zeros": _round_wrong(guard=False),
    },
    "compensate": {
        "moved no other": _compensate_wrong(move=False),
        "the wrong way": _compensate_wrong(sign=1),
        "did not divide": _compensate_wrong(divide=0),
        "divided by the diagonal twice": _compensate_wrong(divide=2),
        "left the column itself": _compensate_wrong(own=False),
        "only the next column": _compensate_wrong(reach=1),
    },
    "scaled_errors": {
        "you compared weights": _errors_wrong(outputs=False),
        "left the scales in": _errors_wrong(back=False),
        "AWQ takes the mean": _errors_wrong(magnitude=lambda x: x.abs().amax(0)),
        "scaled loud channels down": _errors_wrong(magnitude=lambda x: 1 / x.abs().mean(0)),
        "plus and minus cancel": _errors_wrong(magnitude=lambda x: x.mean(0).abs()),
        "the share of squares": _errors_wrong(power=2),
    },
    "smooth": {
        "multiplied the inputs": _smooth_wrong(lambda x, w, a: w ** (1 - a) / x**a),
        "raised both maxima to alpha": _smooth_wrong(lambda x, w, a: (x / w) ** a),
        "left the weights out": _smooth_wrong(lambda x, w, a: x**a),
        "swapped the exponents": _smooth_wrong(lambda x, w, a: x ** (1 - a) / w**a),
        "you took means": _smooth_wrong(lambda x, w, a: x**a / w ** (1 - a), largest=lambda m: m.abs().mean(0)),
        "one scale for all channels": _smooth_whole,
        "divided by zero": _smooth_wrong(lambda x, w, a: x**a / w ** (1 - a), guard=False),
    },
    "crossover": {
        "it is still ahead there": _cross_wrong(lambda w, b, f, bandwidth, r, r8: w * r / bandwidth / f),
        "ahead for a while": _cross_wrong(lambda w, b, f, bandwidth, r, r8: b * r8 / bandwidth / f),
        "cheaper at all": _cross_wrong(_meet, guard=False),
        "you rounded down": _cross_wrong(_meet, whole=math.floor),
        "a fraction": _cross_wrong(_meet, whole=None),
        "added fetching and calculating": _cross_wrong(
            lambda w, b, f, bandwidth, r, r8: (b - w) / bandwidth / (f / r - f / r8)
        ),
    },
    "spend": {
        "every layer its best": lambda losses, sizes, budget: [layer.index(min(layer)) for layer in losses],
        "its smallest format": lambda losses, sizes, budget: [layer.index(min(layer)) for layer in sizes],
        "all layers the same": _spend_equally,
        "the first layers": _spend_from_the_front,
        "saves most for its bytes; that is close": _spend_greedily,
        "whatever it costs": lambda losses, sizes, budget: _spend_greedily(losses, sizes, budget, per_byte=False),
        "more than the budget": _spend_too_much,
    },
}
