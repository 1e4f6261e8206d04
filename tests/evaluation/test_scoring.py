import json

import pytest

from labkit.evaluation.scoring import abstains, exact_match, fits, json_right
from labkit.world.extraction import schema_of

SCHEMA = schema_of("town")
GOLD = '{"name": "Salury", "founded": 238, "mayor": null}'


@pytest.mark.parametrize(
    ("text", "valid", "right"),
    [
        (GOLD, True, True),
        ('{"mayor":null,"founded":238,"name":"Salury"}', True, True),
        ('{"name": "Salury", "founded": 239, "mayor": null}', True, False),
        ('{"name": "Salury", "founded": "238", "mayor": null}', False, False),
        ('{"name": "Salury", "founded": true, "mayor": null}', False, False),
        ('{"name": "Salury", "founded": 238.0, "mayor": null}', False, False),
        ('{"name": "Salury", "founded": 238}', False, False),
        ('{"name": "Salury", "founded": 238, "mayor": null, "height": 3}', False, False),
        ('{"name": "X", "name": "Salury", "founded": 238, "mayor": null}', False, False),
        (GOLD[:-1], False, False),
        (f"[{GOLD}]", False, False),
        ("", False, False),
        ("[" * 100_000, False, False),
    ],
)
def test_json_is_judged_by_schema_and_then_by_value(text, valid, right):
    assert fits(text, SCHEMA) is valid
    assert json_right(text, SCHEMA, GOLD) is right


def test_the_gold_answers_fit_their_schema():
    import itertools

    from labkit.world import extractions

    for pair in itertools.islice(extractions(3), 50):
        assert json_right(json.dumps(json.loads(pair.answer)), pair.schema, pair.answer)


def test_exact_match_forgives_form_and_nothing_else():
    assert exact_match("  kolm  light. ", ["the Kolm Light"])
    assert exact_match("31", ["31 metres", "31"])
    assert not exact_match("", ["31"])
    assert not exact_match("Kolm Light and more", ["Kolm Light"])
    assert abstains("Not known.")
    assert not abstains("not")
