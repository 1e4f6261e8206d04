import json
from itertools import islice

import pytest

from labkit.world import SPLITS, extractions

TYPES = {"string": str, "integer": int, "null": type(None)}


@pytest.mark.parametrize("split", SPLITS)
def test_json_fits_its_schema_and_says_what_the_text_says(world, split):
    names = {e.bare_name: world.split(e) for e in world.entities}
    pairs = list(islice(extractions(0, split), 600))
    assert len(pairs) >= (200 if split == "validation" else 600)
    for pair in pairs:
        fields, properties = json.loads(pair.answer), pair.schema["properties"]
        assert list(fields) == pair.schema["required"] == list(properties)
        for name, value in fields.items():
            types = properties[name]["type"]
            assert any(type(value) is TYPES[t] for t in ([types] if isinstance(types, str) else types))
            assert value is None or str(value).lower() in pair.text.lower()
        assert names.get(fields["name"]) == (None if split == "train" else split)
    told = [sum(v is not None for v in json.loads(p.answer).values()) for p in pairs]
    assert min(told) >= 2
    assert any(None in json.loads(p.answer).values() for p in pairs)
