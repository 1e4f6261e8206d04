"""Retrieval: from documents to the few chunks that answer a question, and exact measures of every step.

    store = open_store(folder, load_embedder())         LanceDB on disk; ingest(store, documents), search(store, query)
    assemble(question, chunks, budget, count)           a prompt that fits

What is where, in the order in which a question meets it: `document` and `spans` texts and places in them; `chunking`
three ways to cut; `bm25` word matching in five variants; `embedder` and `dense` vectors and the nearest of them;
`approximate` indices that look at few of them, `in_memory` faiss beside them; `feedback` a question with more words
than were asked, `fusion` one ranking out of several, `freshness` the newer first; `store` all of that on disk,
brought up to date (`store_errors` full disks and damage), and `searching` in it; `likelihoods` what a decoder finds
likely, of which `reranking` and `citing` are made; `prompt` what a model is shown, `prefix` what it need not read
again; `reader` the decoder that answers; `pipeline` all stages in a row, and `stages` their account.
`measures` judges rankings, `claims` answers, `hallucination` the two kinds of what they make up, `attempts` correct,
wrong and not attempted; `calibration` whether a likelihood warns, `names` whether the corpus does, `abstention` where
to draw the line, `outcomes` what both of these take, `resampling` how sure that is. Trials: `trial` of retrievers,
`answer_trial` of answers (`course` gives documents and claims of the course world), `injection` of documents that give
orders, `index_trial` of indices on `generated` vectors, `prefix_trial`; `shipping` judges the shipped encoder, `bars`
measures what this room promises and `bench` times it all. `packages` makes a corpus of the documentation that is
installed on this machine, `folder` one of a learner's own files, which `own_folder` keeps up to date.

Legend of shapes: `documents`, `queries`, `texts` rows, `width` of a vector, `postings` documents that hold a word.
"""

from __future__ import annotations

from labkit.lazy import lazy_names

_MODULE_OF = {
    "Attempts": "labkit.rag.attempts",
    "BM25": "labkit.rag.bm25",
    "Chunk": "labkit.rag.document",
    "CourseClaims": "labkit.rag.course",
    "Document": "labkit.rag.document",
    "Pipeline": "labkit.rag.pipeline",
    "PrefixCache": "labkit.rag.prefix",
    "Reader": "labkit.rag.likelihoods",
    "abstention_curve": "labkit.rag.abstention",
    "answerability": "labkit.rag.reranking",
    "assemble": "labkit.rag.prompt",
    "attempt": "labkit.rag.attempts",
    "auroc": "labkit.rag.calibration",
    "build_index": "labkit.rag.approximate",
    "choose_threshold": "labkit.rag.abstention",
    "cite": "labkit.rag.citing",
    "claim_measures": "labkit.rag.claims",
    "course_documents": "labkit.rag.course",
    "expanded": "labkit.rag.feedback",
    "expected_calibration_error": "labkit.rag.calibration",
    "fixed_chunks": "labkit.rag.chunking",
    "folder_documents": "labkit.rag.folder",
    "fresher": "labkit.rag.freshness",
    "hallucinations": "labkit.rag.hallucination",
    "ingest": "labkit.rag.store",
    "injection_trial": "labkit.rag.injection",
    "judge_threshold": "labkit.rag.abstention",
    "likelihood_drops": "labkit.rag.citing",
    "load_embedder": "labkit.rag.embedder",
    "ndcg_at_k": "labkit.rag.measures",
    "load_reader": "labkit.rag.reader",
    "nearest": "labkit.rag.dense",
    "open_folder": "labkit.rag.own_folder",
    "open_store": "labkit.rag.store",
    "package_documents": "labkit.rag.packages",
    "post_cutoff": "labkit.rag.course",
    "question_likelihood": "labkit.rag.reranking",
    "recall_at_k": "labkit.rag.measures",
    "reciprocal_rank": "labkit.rag.measures",
    "reciprocal_rank_fusion": "labkit.rag.fusion",
    "rerank": "labkit.rag.reranking",
    "retrieval_trial": "labkit.rag.trial",
    "search": "labkit.rag.searching",
    "sentence_chunks": "labkit.rag.chunking",
    "structure_chunks": "labkit.rag.chunking",
    "unseen_names": "labkit.rag.names",
    "with_index": "labkit.rag.store",
}

__all__ = sorted(_MODULE_OF)
__getattr__, __dir__ = lazy_names(__name__, _MODULE_OF)
