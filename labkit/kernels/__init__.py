"""Operators a decoder executes, one a file: the reference first, then faster variants. Tensors in, tensors out.

Nothing here times, prints, allocates state or knows a model. Each file opens with its variants and the bytes and
floating-point operations (FLOPs) of each, counting a multiply and an add as two.

Legend of shapes: `batch` rows, `seq` new tokens a row, `keys` cached and new tokens a row, `tokens` rows times
sequence flattened, `hidden` features, `heads` query heads, `kv_heads` heads of keys and values, `head` features a
head, `experts` experts in all, `chosen` experts a token goes to, `inner` features inside an expert, `out` and `in`
features of a linear layer, `groups` of weights of a row that share a scale.
"""
