"""Completing Python: the same places every time, cut where their text says, asked of a model and of counts alike."""

import pytest
import torch

from labkit.data import standard_library
from labkit.evaluation.completion import completions, cuts
from labkit.evaluation.specialists import general_model, python_counts
from labkit.models import Decoder, DecoderConfig


@pytest.fixture(scope="module")
def model(tokenizer):
    torch.manual_seed(0)
    return Decoder(DecoderConfig("llama", len(tokenizer), 64, 64, 1, 2, 1, 32, 1e-6, 256)).eval()


def test_places_are_fixed_and_what_follows_is_what_the_module_says(tokenizer):
    places = cuts(tokenizer, 20, context=32)
    assert places == cuts(tokenizer, 20, context=32)
    library = standard_library()
    texts = [library.text(file) for file in library.split("test")]
    assert all(any(place.text + place.following in text for text in texts) for place in places)
    assert all(tokenizer(place.text)["input_ids"] == list(place.before) for place in places)


def test_a_model_is_asked_for_the_most_probable_token(tokenizer, model):
    places = cuts(tokenizer, 5, context=16)
    alone = [tokenizer.decode([int(model(torch.tensor([p.before]))[0, -1].argmax())]) for p in places]
    assert completions(model, tokenizer, places, batch_size=2) == alone


def test_no_place_where_modules_are_too_short(tokenizer):
    with pytest.raises(ValueError, match="more than"):
        cuts(tokenizer, 1, context=10**9)


def test_counts_complete_better_than_their_commonest_token(tokenizer):
    places, counts = cuts(tokenizer, 150), python_counts(tokenizer, modules=20)
    commonest = counts.answer("")
    right = sum(counts.answer(place.text) == place.following for place in places)
    assert right > 2 * sum(commonest == place.following for place in places)
    assert counts.knowledge_density < 0.05


def test_the_model_in_the_specialists_dress(tokenizer, model):
    dressed = general_model("tiny", model, tokenizer)
    assert dressed.learned_bytes == sum(p.numel() * 4 for p in model.parameters())
    assert (dressed.rules, dressed.entries) == (0, 0)
    assert isinstance(dressed.answer("What is 2 + 2?"), str)
