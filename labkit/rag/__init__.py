"""Retrieval: from documents to the few chunks that answer a question, and exact measures of every step.

    store = open_store(folder, load_embedder())         LanceDB on disk; ingest(store, documents), search(store, query)
    assemble(question, chunks, budget, count)           a prompt that fits

What is where, in the order in which a question meets it: `document` and `spans` texts and places in them; `chunking`
three ways to cut; `bm25` word matching in five variants; `embedder` and `dense` vectors and the nearest of them;
`fusion` one ranking out of several; `store` all of that on disk, brought up to date; `prompt` what a model is shown.
`measures` judges rankings and `claims` answers; `trial` compares retrievers on the course world's held-out questions
and `shipping` so judges the shipped encoder. `packages` makes a corpus of the documentation that is installed on this
machine, `folder` one of a learner's own files.

Legend of shapes: `documents`, `queries`, `texts` rows, `width` of a vector, `postings` documents that hold a word.
"""

from __future__ import annotations

from labkit.lazy import lazy_names

_MODULE_OF = {
    "BM25": "labkit.rag.bm25",
    "Chunk": "labkit.rag.document",
    "Document": "labkit.rag.document",
    "assemble": "labkit.rag.prompt",
    "claim_measures": "labkit.rag.claims",
    "fixed_chunks": "labkit.rag.chunking",
    "folder_documents": "labkit.rag.folder",
    "ingest": "labkit.rag.store",
    "load_embedder": "labkit.rag.embedder",
    "nearest": "labkit.rag.dense",
    "ndcg_at_k": "labkit.rag.measures",
    "open_store": "labkit.rag.store",
    "package_documents": "labkit.rag.packages",
    "recall_at_k": "labkit.rag.measures",
    "reciprocal_rank": "labkit.rag.measures",
    "reciprocal_rank_fusion": "labkit.rag.fusion",
    "retrieval_trial": "labkit.rag.trial",
    "search": "labkit.rag.searching",
    "sentence_chunks": "labkit.rag.chunking",
    "structure_chunks": "labkit.rag.chunking",
}

__all__ = sorted(_MODULE_OF)
__getattr__, __dir__ = lazy_names(__name__, _MODULE_OF)
