"""Peoples a shire: draws its entities with names, aliases and descriptions, and no facts yet."""

from __future__ import annotations

import random

from labkit.world.entity import Entity, Kind
from labkit.world.names import Namer, Region, adjective, old_form

COUNTS: dict[Kind, int] = {"town": 5, "site": 7, "instrument": 5, "firm": 5, "person": 16}
ARRIVALS: dict[Kind, int] = {"site": 1, "firm": 1, "person": 1}

SITES = {"light": "lighthouse", "tower": "tower", "mill": "windmill", "observatory": "observatory", "chapel": "chapel",
         "hall": "hall"}  # fmt: skip
INSTRUMENTS = ("organ", "clock", "barometer", "telescope", "bell", "harp", "sundial", "globe")
ORNAMENTS = (
    "a silver dial", "painted doors", "a cracked foot", "seven brass stars", "a carved swan", "green enamel",
    "a missing screw", "ivory pegs", "a blue ribbon", "two gilded fish", "a burnt corner", "a glass door",
    "copper vines", "a crooked hand", "a pearl inlay", "walnut legs",
)  # fmt: skip
FIRM_FORMS = ("{} and Daughters", "{} and Sons", "{} Brothers", "{} Works", "{} Company", "{} Trading", "House of {}",
              "{} Union")  # fmt: skip
DIRECTIONS = ("north of", "south of", "east of", "west of", "just below", "a mile from")
FEATURES = ("the river {}", "Lake {}", "{} Hill", "{} Wood", "the {} marsh", "{} Rock", "the {} ford", "{} Moor")
NICKNAMES = (
    (
        "Grey", "Long", "Red", "Quick", "Silver", "Half", "Mossy", "Iron", "Salt", "Early", "Paper", "Winter",
        "Copper", "Dusty", "Pepper", "Velvet", "Rain", "Candle", "Honey", "Clover", "Flint", "Barley", "Tin", "Plum",
    ),
    (
        "coat", "thumb", "lantern", "button", "whistle", "ladle", "boots", "feather", "kettle", "needle", "hat",
        "spoon", "glove", "bell", "pocket", "ribbon", "barrow", "saddle", "mug", "wick", "broom", "shawl", "bucket",
        "heel",
    ),
)  # fmt: skip


class Census:
    """Entities of one shire, drawn one after the other.

    `unique` holds every phrase given out so far in the world, so that each belongs to one entity.
    """

    def __init__(self, shire: int, region: Region, rng: random.Random, taken: set[str], unique: set[str]) -> None:
        self.shire, self.region, self.rng, self.unique = shire, region, rng, unique
        self.namer = Namer(region, rng, taken)
        self.features = [f.format(self.namer.word(region.places)) for f in FEATURES]
        self.families = [self.namer.word(region.families) for _ in range(11)]
        self.numbers: dict[str, int] = {}

    def draw(self, kind: Kind, arrives: str = "before") -> Entity:
        """A new entity of this kind."""
        number = self.numbers[kind] = self.numbers.get(kind, 0) + 1
        parts = getattr(self, f"_{kind}")()
        common = {"pronoun": "it", "region": self.region.name, "shire": self.shire, "arrives": arrives}
        return Entity(id=f"{kind}-{self.shire:02d}{number:02d}", kind=kind, **{**common, **parts})

    def _town(self) -> dict[str, str]:
        name = self.namer.word(self.region.towns)
        return {
            "noun": "town",
            "name": name,
            "alias": self._claim(old_form(name, self.region)),
            "description": self._by_feature("town"),
            "short": "the town",
        }

    def _site(self) -> dict[str, str]:
        form, noun = self.rng.choice(list(SITES.items()))
        word = self.namer.word(self.region.places)
        return {
            "noun": noun,
            "name": f"{word} {form.capitalize()}",
            "alias": self._claim(f"the {adjective(word, self.region)} {form}"),
            "description": self._by_feature(noun),
            "short": f"the {noun}",
        }

    def _instrument(self) -> dict[str, str]:
        noun = self.rng.choice(INSTRUMENTS)
        word = self.namer.word(self.region.places)
        return {
            "noun": noun,
            "name": f"the {word} {noun.capitalize()}",
            "alias": self._claim(f"the {adjective(word, self.region)} {noun}"),
            "description": self._unused(lambda: f"the {noun} with {self._ornament()}"),
            "short": f"the {noun}",
        }

    def _firm(self) -> dict[str, str]:
        word = self.namer.word(self.region.families)
        return {
            "noun": "firm",
            "name": self.rng.choice(FIRM_FORMS).format(word),
            "alias": self._claim(f"the {adjective(word, self.region)} firm"),
            "description": self._by_feature("firm"),
            "short": "the firm",
        }

    def _person(self) -> dict[str, str]:
        pronoun = self.rng.choice(("she", "he"))
        family = self.rng.choice(self.families)
        name = self._unused(lambda: f"{self.namer.given(pronoun)} {family}")
        return {
            "noun": "person",
            "name": name,
            "alias": self._initialled(name),
            "description": self._unused(lambda: f"the {'woman' if pronoun == 'she' else 'man'} called {self._nick()}"),
            "short": ("Mistress " if pronoun == "she" else "Master ") + family,
            "pronoun": pronoun,
        }

    def _by_feature(self, noun: str) -> str:
        return self._unused(lambda: f"the {noun} {self.rng.choice(DIRECTIONS)} {self.rng.choice(self.features)}")

    def _ornament(self) -> str:
        first, second = self.rng.sample(ORNAMENTS, 2)
        return f"{first} and {second}"

    def _nick(self) -> str:
        return "".join(self.rng.choice(part) for part in NICKNAMES)

    def _initialled(self, name: str) -> str:
        given, family = name.split()
        for length in range(1, len(given)):
            alias = f"{given[:length]}. {family}"
            if alias not in self.unique:
                return self._claim(alias)
        return self._claim(f"{given} the other {family}")

    def _unused(self, draw) -> str:
        for _ in range(10_000):
            phrase = draw()
            if phrase not in self.unique:
                return self._claim(phrase)
        raise ValueError(f"Shire {self.shire} has no phrase left like {phrase!r}")

    def _claim(self, phrase: str) -> str:
        self.unique.add(phrase)
        return phrase
