"""Generation: from logits to tokens, one step after another, or several at once by speculation.

What is where, in the order in which a token comes to be: `warping` the published ways to reshape logits, one function
each; `sampling` their combination and the choice; `stopping` when a row has ended; `rows` what each row of a batch has
so far; `feeding` the one way in which tokens reach the model; `stream` step after step, `generate` all of them with
their times; `drafting` cheap guesses at the next tokens, `verifying` which of them the model accepts; `window_cache` a
cache that forgets; `lean_decoding` the same decoder in few compiled operators; `costs` what a pass must take at least.
A cache and a random generator are arguments. A submodule never bears the name of a public function.

Legend of shapes: `batch` rows, `seq` tokens of a row that go through the model together, `vocab` entries, `drafted`
guessed tokens of a row, `places` any places that have logits, `slots` tokens a row of a cache can hold. Times are wall
time in seconds.
"""

from __future__ import annotations

from labkit.lazy import lazy_names

_MODULE_OF = {
    "DraftModel": "labkit.generation.drafting",
    "GREEDY": "labkit.generation.sampling",
    "Generation": "labkit.generation.generating",
    "PromptLookup": "labkit.generation.drafting",
    "Sampling": "labkit.generation.sampling",
    "WindowCache": "labkit.generation.window_cache",
    "generate": "labkit.generation.generating",
    "lean": "labkit.generation.lean_decoding",
    "stream": "labkit.generation.decoding",
    "text_pieces": "labkit.generation.text",
}

__all__ = sorted(_MODULE_OF)
__getattr__, __dir__ = lazy_names(__name__, _MODULE_OF)
