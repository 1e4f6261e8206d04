"""`course-embed`: a text encoder that brings a question near the documents that answer it.

    train_embedding(minutes=45)            goes on from the last sitting; the same call begins, resumes and finishes

In the order of use: `contrasts` questions and the documents of their communities; `encoder` text to a vector of length
one; `objective` what training lowers; `recipe` shape and schedule; `run` the sittings; `saving` the folder that
sentence-transformers loads; `shipping` the model and its cards in `data/models`. How well the encoder finds, beside
word matching, is measured by `labkit.rag`.

Legend of shapes: `questions` and `documents` of one contrast, `texts` of either kind, `seq` tokens, `width` of a
vector.
"""

from __future__ import annotations

from labkit.lazy import lazy_names

_MODULE_OF = {
    "EMBEDDING": "labkit.training.embedding.recipe",
    "EmbeddingRecipe": "labkit.training.embedding.recipe",
    "EmbeddingTraining": "labkit.training.embedding.run",
    "TextEncoder": "labkit.training.embedding.encoder",
    "load_encoder": "labkit.training.embedding.saving",
    "train_embedding": "labkit.training.embedding.run",
    "train_embedding_recipe": "labkit.training.embedding.run",
}

__all__ = sorted(_MODULE_OF)
__getattr__, __dir__ = lazy_names(__name__, _MODULE_OF)
