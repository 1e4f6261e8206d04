"""Models: one decoder for five families, loaders that never surprise, and the walk over its linear layers.

What is where: `loading.load` loads a shipped, local or hub model and returns it with its tokenizer and a loading card;
`decoder` is the model; `cache` the KV cache that is passed to it; `walk` the only code that knows the names of layers.
What a decoder executes lives in `labkit.kernels`; what chooses the values of packed weights lives in the techniques.

Legend of shapes: `batch` rows, `seq` new tokens a row, `keys` tokens a row attends to, `tokens` rows times sequence
flattened, `vocab` entries, `hidden` features of the residual stream, `heads` query heads, `kv_heads` heads of keys and
values, `head` features a head, `half_head` half of them, `inner` features inside the MLP, `experts` experts in all,
`chosen` experts a token goes to, `capacity` tokens a row of the cache can hold.
"""
