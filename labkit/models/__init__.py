"""Models: one decoder for five families, loaders that never surprise, and the walk over its linear layers.

What is where: `load` loads a shipped, local or hub model and returns it with its tokenizer and a loading card;
`decoder` is the model; `cache` the KV cache that is passed to it; `walk` the only code that knows the names of layers;
`quantized_linear` a layer of few bits, for `walk.replace` to put in place.
What a decoder executes lives in `labkit.kernels`; what chooses the values of packed weights lives in the techniques.
Nothing is imported until it is used, so that `import labkit` loads no torch.

Legend of shapes: `batch` rows, `seq` new tokens a row, `keys` tokens a row attends to, `tokens` rows times sequence
flattened, `vocab` entries, `hidden` features of the residual stream, `heads` query heads, `kv_heads` heads of keys and
values, `head` features a head, `half_head` half of them, `inner` features inside the MLP, `experts` experts in all,
`chosen` experts a token goes to, `capacity` tokens a row of the cache can hold, `out` and `in` features of a linear.
"""

from __future__ import annotations

from labkit.lazy import lazy_names
from labkit.models.quiet import quieten

quieten()
_MODULE_OF = {
    "Decoder": "labkit.models.decoder",
    "DecoderConfig": "labkit.models.config",
    "KVCache": "labkit.models.cache",
    "LoadError": "labkit.models.errors",
    "Loaded": "labkit.models.loading",
    "LoadingCard": "labkit.models.card",
    "MoeConfig": "labkit.models.config",
    "QuantizedLinear": "labkit.models.quantized_linear",
    "RopeConfig": "labkit.models.config",
    "list_models": "labkit.models.shipped",
    "load": "labkit.models.loading",
    "save": "labkit.models.saving",
}

__all__ = sorted(_MODULE_OF)
__getattr__, __dir__ = lazy_names(__name__, _MODULE_OF)
