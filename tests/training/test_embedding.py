import dataclasses
import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.training.embedding import EMBEDDING, load_encoder, train_embedding_recipe
from labkit.training.embedding.contrasts import contrasts
from labkit.training.embedding.encoder import encoder_config
from labkit.training.embedding.objective import info_nce, top_one
from labkit.training.embedding.run import embedding_step, initial_encoder
from labkit.training.embedding.saving import save_encoder
from labkit.training.optimiser import adamw
from labkit.training.stages import Stage
from labkit.world import World
from labkit.world.shire import split_of_shire

TEXTS = ["Where is Kolm Light?", "Kolm Light stands in Hestowander. " * 9, "x", "In 31 it was built."]


@pytest.fixture
def recipe():
    schedule = Stage("contrasts", {}, steps=4, warmup=2, peak=1e-3)
    return dataclasses.replace(EMBEDDING, config=encoder_config(64, 1), schedule=schedule, documents=8, questions=12)


@settings(deadline=None)
@given(seed=st.integers(0, 99), temperature=st.sampled_from([0.05, 1.0]))
def test_with_one_answer_each_the_loss_is_cross_entropy(seed, temperature):
    generator = torch.Generator().manual_seed(seed)
    similarity = torch.randn(5, 7, generator=generator)
    right = torch.randint(7, (5,), generator=generator)
    answered = torch.nn.functional.one_hot(right, 7).bool()
    expected = torch.nn.functional.cross_entropy(similarity / temperature, right)
    torch.testing.assert_close(info_nce(similarity, answered, temperature), expected)
    assert top_one(similarity, answered) == (similarity.argmax(1) == right).float().mean()


def test_several_answers_share_the_loss_and_none_is_refused():
    both = torch.tensor([[True, True, False]])
    assert info_nce(torch.zeros(1, 3), both, 1.0).item() == pytest.approx(math.log(3))
    with pytest.raises(ValueError, match="without an answer"):
        info_nce(torch.zeros(1, 3), ~both & both, 1.0)


def test_a_contrast_marks_what_its_documents_say_and_meets_nobody_of_the_held_out_shires():
    held_out = {
        word
        for shire in World().shires
        if split_of_shire(shire.number) != "train"
        for entity in shire.entities
        for word in (entity.name, entity.alias)
        if entity.kind != "person"  # a stranger may share a given name and a family's with one of them
    }
    for contrast in itertools.islice(contrasts(0, documents=16, questions=30), 8):
        assert contrast.answered.shape == (len(contrast.questions), 16)
        assert contrast.answered.any(dim=1).all()
        assert len(contrast.documents) == 16
        text = "\n".join((*contrast.questions, *contrast.documents))
        assert not [word for word in held_out if word in text]


def test_a_question_is_answered_where_its_fact_stands():
    """Of documents that a question is answered by, most name its subject; of others, few do."""
    named = {True: [0, 0], False: [0, 0]}
    for contrast in itertools.islice(contrasts(1, documents=16, questions=30), 6):
        for question, row in zip(contrast.questions, contrast.answered, strict=True):
            names = [w.strip("?,.") for w in question.split()[1:] if w[0].isupper()]
            for document, answered in zip(contrast.documents, row.tolist(), strict=True):
                named[answered][0] += any(name in document for name in names)
                named[answered][1] += 1
    assert named[True][0] / named[True][1] > 2 * named[False][0] / named[False][1]


def test_contrasts_from_the_middle_are_those_that_a_straight_run_sees():
    straight = list(itertools.islice(contrasts(5, 50, 9), 12))
    for start in (3, 9, 11):  # within a block, at the beginning of the second, and within it
        again = next(contrasts(5, 50, 9, start))
        assert again.questions == straight[start].questions
        assert again.documents == straight[start].documents
        assert torch.equal(again.answered, straight[start].answered)


def test_a_text_gets_the_same_vector_alone_and_among_others(recipe, tokenizer):
    encoder = initial_encoder(recipe, tokenizer).eval()
    together = encoder(TEXTS)
    torch.testing.assert_close(together, torch.cat([encoder([text]) for text in TEXTS]), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(together.norm(dim=1), torch.ones(len(TEXTS)))
    assert encoder([]).shape == (0, 64)
    with pytest.raises(ValueError, match="number 1 is empty"):
        encoder(["a", ""])


def test_sentence_transformers_and_transformers_alone_give_our_vectors(recipe, tokenizer, tmp_path):
    package = pytest.importorskip("sentence_transformers")
    encoder = initial_encoder(recipe, tokenizer).eval()
    torch.nn.init.normal_(encoder.projection.weight)
    folder = save_encoder(encoder, tmp_path)
    theirs = package.SentenceTransformer(str(folder), device="cpu").encode(TEXTS, convert_to_tensor=True)
    torch.testing.assert_close(theirs, encoder(TEXTS).detach(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(load_encoder(folder)(TEXTS), encoder(TEXTS))
    (folder / "modules.json").write_text("[]")
    with pytest.raises(ValueError, match="no encoder of the course"):
        load_encoder(folder)


def test_training_in_two_sittings_ends_in_the_same_vectors(recipe, tokenizer, tmp_path):
    straight = train_embedding_recipe(recipe, tokenizer, tmp_path / "straight", device="cpu")
    first = train_embedding_recipe(recipe, tokenizer, tmp_path / "stopped", minutes=0, device="cpu")
    second = train_embedding_recipe(recipe, tokenizer, tmp_path / "stopped", device="cpu")
    assert (straight.finished, first.finished, second.finished) == (True, False, True)
    assert second.progress.tokens == straight.progress.tokens
    torch.testing.assert_close(load_encoder(second.folder)(TEXTS), load_encoder(straight.folder)(TEXTS))


@pytest.mark.slow
def test_one_contrast_can_be_learned(recipe, tokenizer):
    encoder = initial_encoder(recipe, tokenizer)
    steps, contrast = adamw(encoder), next(contrasts(0, 8, 12))
    seen = [embedding_step(recipe, encoder, steps, contrast, 3e-3) for _ in range(60)]
    floor = contrast.answered.sum(dim=1).float().log().mean().item()  # a question with n answers costs log n at best
    assert seen[-1][0] < floor + 0.3 < seen[0][0]
    assert seen[-1][1] == 1.0


def test_a_loss_that_is_lost_stops_before_it_spoils_the_weights(recipe, tokenizer):
    encoder = initial_encoder(recipe, tokenizer)
    with torch.no_grad():
        encoder.projection.weight.fill_(float("nan"))
    before = encoder.transformer.embeddings.tok_embeddings.weight.detach().clone()
    with pytest.raises(ValueError, match="loss"):
        embedding_step(recipe, encoder, adamw(encoder), next(contrasts(0, 8, 12)), 1e-3)
    assert torch.equal(before, encoder.transformer.embeddings.tok_embeddings.weight)
