"""The tokenizer of the shipped models: byte-level BPE (Sennrich et al., 2016, arXiv 1508.07909) with a chat template.

Four choices make a small model's work easier. Every digit is its own token, so a number is spelled the same wherever
it stands. A word carries the space before it, and the template puts a space before every message, so an answer has
the very tokens that it has inside a document. A name at the start of a line, in brackets or in the quotes of JSON gets
a space too, and in front of it a sign, `GLUE`, that takes it away again: without it ` Vizro` is one token and `"Vizro`
begins with `Viz`, and what is spelled in other tokens cannot be copied. And names are learned from communities other
than the course world's, so that no name of the course world is better known than a stranger's (measured: 3.3 pieces a
name against 3.0).

`python -m labkit.training.tokenizer --out data` writes the shipped files and their cards.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from labkit.data import standard_library, write_card
from labkit.world import extractions, problems, readings
from labkit.world.reading import CURRICULUM

VOCAB_SIZE = 4096
PAD, END, SYSTEM, USER, ASSISTANT = SPECIAL = ("<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>")
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|' + message['role'] + '|> ' + message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ '<|end|>' }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
CONTEXT = 1024
GLUE = "\x1f"
"""The unit separator: a byte that no text of the course holds. Glue and a space are nothing."""
_GLUED = (('"', r'"(?=\p{L})'), ("\n", r"\n(?=\p{Lu})"), ("(", r"\((?=\p{Lu})"))  # what stands before a word, and where
_WORDS = Regex(r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")
_READINGS, _EXTRACTIONS, _PROBLEMS, _MODULES = 12_000, 4_000, 20_000, 200


def train_tokenizer(texts: Iterable[str], vocab_size: int = VOCAB_SIZE) -> PreTrainedTokenizerFast:
    """A tokenizer of exactly `vocab_size` entries, the special tokens first and all 256 bytes among the rest.

    Raises `ValueError` if the texts hold too few pairs for so many entries.
    """
    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(_WORDS, "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    # Only now: pieces are learned from text as it is written.
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Replace(Regex(place), f"{sign}{GLUE} ") for sign, place in _GLUED]
    )
    tokenizer.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Replace(f"{GLUE} ", "")])
    if tokenizer.get_vocab_size() != vocab_size:
        raise ValueError(f"The texts give {tokenizer.get_vocab_size()} entries, not {vocab_size}: add more text.")
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        extra_special_tokens=[SYSTEM, USER, ASSISTANT],
        chat_template=CHAT_TEMPLATE,
        model_max_length=CONTEXT,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )


def corpus() -> Iterator[str]:
    """The course's kinds of text, about strangers, and modules of the standard library's training split."""
    for reading in itertools.islice(readings(1, CURRICULUM[-1]), _READINGS):
        yield from (passage.text for passage in reading.passages)
        yield from (f" {ask.question} {ask.answer}" for ask in reading.asks)
    for pair in itertools.islice(extractions(1), _EXTRACTIONS):
        yield f"{pair.text} {pair.answer}"
    yield from (f" {problem.text} {problem.answer}" for problem in itertools.islice(problems(1), _PROBLEMS))
    library = standard_library()
    yield from map(library.text, itertools.islice(library.split("train"), _MODULES))


def write_tokenizer(out: Path) -> Path:
    """Trains the shipped tokenizer, writes it to `out`/tokenizer with a card for each file; returns the folder."""
    folder = out / "tokenizer"
    train_tokenizer(corpus()).save_pretrained(folder)
    library = standard_library()
    source = (
        "made by the course's own recipe from labkit.world (seed 1, no course entity) and from the text of Python "
        f"{library.version}'s standard library (digest {library.digest[:12]}), of which it keeps word pieces only"
    )
    for path in sorted(folder.iterdir()):
        write_card(
            f"tokenizer/{path.name}",
            summary=f"byte-level BPE of {VOCAB_SIZE:,} entries shared by the shipped models",
            source=source,
            make="python -m labkit.training.tokenizer --out data",
        )
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m labkit.training.tokenizer", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the data folder: writes OUT/tokenizer and its cards")
    print(write_tokenizer(parser.parse_args().out))


if __name__ == "__main__":
    main()
