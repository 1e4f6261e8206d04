"""Training: the one recipe that makes the shipped models, on a CPU or a GPU, over as many sittings as it takes.

    train("course-dense", minutes=75)      goes on from the last sitting; the same call begins, resumes and finishes

What is where, in the order in which a batch comes to be: `tokenizer` the shared BPE and its chat template; `two_hop`,
`roll_call` and `sources` what a model learns from; `examples` tokens and which of them the loss counts; `packing` many
examples in a row, none seeing another; `stages` the curriculum and `recipes` the models; `stream` batches that depend
on seed, stage and number alone; `induction` and `growth` where weights start from; `objective`, `balance` (of experts),
`optimiser` and `loop` the steps; `checkpoint` what a stopped run goes on from; `run` all of it; `shipping` from there
to `data/models`; `scaling` the same text for several widths; `embedding` the encoder of questions and documents. Not
here: what changes a trained model (`labkit.distillation`, `labkit.adaptation`, ...).

Legend of shapes: `batch` rows, `seq` tokens a row, `learned` tokens of a batch that the loss counts, `answers` runs of
neighbouring learned tokens, `heads`, `kv_heads` and `head` as in `labkit.models`.
"""

from __future__ import annotations

from labkit.lazy import lazy_names

_MODULE_OF = {
    "RECIPES": "labkit.training.recipes",
    "Recipe": "labkit.training.recipes",
    "Stage": "labkit.training.stages",
    "Training": "labkit.training.run",
    "train": "labkit.training.run",
    "train_recipe": "labkit.training.run",
}

__all__ = sorted(_MODULE_OF)
__getattr__, __dir__ = lazy_names(__name__, _MODULE_OF)
