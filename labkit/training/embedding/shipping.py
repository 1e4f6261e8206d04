"""From a trained encoder to the shipped one: its files in `data/models`, their cards, and the model card to read."""

from __future__ import annotations

from pathlib import Path

from labkit.measure.machines import machine
from labkit.measure.report import Report
from labkit.training.embedding.run import EmbeddingTraining
from labkit.training.shipping import put

SOURCE = "trained from nothing by labkit.training.embedding on labkit.world: strangers and training shires only"
SUMMARY = "text encoder of two layers that brings a question near the documents of the course world that answer it"
READ_THIS = (
    "Test questions of the course world about entities that training never met, in the phrasings of training. Relevant "
    "is every document that states a needed fact. Who is called by a description is found where a document uses it."
)


def ship_encoder(training: EmbeddingTraining, trial: Report) -> Path:
    """Copies the encoder to `data/models` and writes its cards; `trial` is how well it finds. Returns the folder.

    Raises `ValueError` naming a file that is too big, before anything is copied.
    """
    return put(training.name, training.folder, encoder_card(training, trial), SUMMARY, SOURCE)


def encoder_card(training: EmbeddingTraining, trial: Report) -> str:
    """The card as Markdown: what it is, how to use it, how well it finds, how it came to be."""
    parts = (
        f"# {training.name}\n\nA {SUMMARY}.\n\nSource: {SOURCE}. Licence: CC BY 4.0. Make it again: "
        f"`labkit train {training.name}`.",
        "## Use\n\n```python\nfrom sentence_transformers import SentenceTransformer\n\n"
        f'vectors = SentenceTransformer("data/models/{training.name}").encode(["Where is Kolm Light?"])\n```\n\n'
        "Without that package: `labkit.rag.load_embedder()`. Questions and documents are encoded alike.",
        f"## Quality\n\n```\n{trial}\n```\n\n{READ_THIS}",
        f"## Training\n\n```\n{training}\n```",
        f"## Machine\n\n```\n{machine()}\n```",
    )
    return "\n\n".join(parts) + "\n"
