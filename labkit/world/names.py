"""Names that are nobody's: one syllable grammar a region, and a register so that no word serves twice.

Not a sampler of real languages: the syllables are invented, and each region only has a sound of its own.
"""

from __future__ import annotations

import dataclasses
import random
import re


@dataclasses.dataclass(frozen=True)
class Region:
    """The sounds of one region.

    `towns`, `families` and `places` are endings; `adjective` makes "the Kolmer light" of Kolm Light; `old_town` makes
    the older form of a town's name; `she` and `he` are endings of given names.
    """

    name: str
    starts: tuple[str, ...]
    middles: tuple[str, ...]
    towns: tuple[str, ...]
    families: tuple[str, ...]
    places: tuple[str, ...]
    she: tuple[str, ...]
    he: tuple[str, ...]
    adjective: str
    old_town: str


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


REGIONS = (
    Region(
        "Orrowen",
        _words("bel cor dan fel gar hal lor mern nor per tal verr wen sal dun hest"),
        _words("en ar il ow ess an"),
        _words("owen ath essa ombry ury ander"),
        _words("ock ane eth ridd amor ett"),
        _words("ow ain ast orn und"),
        _words("a is enna"),
        _words("o ric an"),
        "ish",
        "mund",
    ),
    Region(
        "Keskola",
        _words("kes tuv pol ras min jor vek lun hask sil tor nak pirr lem von ruk"),
        _words("a o u ela oma i"),
        _words("kamo vila atta limo nari aska"),
        _words("sko lanto mari vuo rinta pelo"),
        _words("ka ura issu no ava"),
        _words("ja li na"),
        _words("ko mo ri"),
        "inen",
        "linna",
    ),
    Region(
        "Dremmar",
        _words("brem gor grun hark krel mol strav zel vold tarn ost drem kurn wrel skol thrun"),
        _words("en im ov er ab un"),
        _words("gard vendt mark olt stedt huss"),
        _words("ek rik ober dahl nagel usk"),
        _words("ott en ung ast eld"),
        _words("ine ka ida"),
        _words("us olf ert"),
        "er",
        "burk",
    ),
    Region(
        "Illoria",
        _words("cal dor fen lum mol pel ros sav tav viz zor ber gal nev ild mar"),
        _words("a i o era ino ali"),
        _words("sso llara dine tavo rento mila"),
        _words("vetti sura landi pozzo rasta nesco"),
        _words("na lo ria ste va"),
        _words("lia na tta"),
        _words("ro no lio"),
        "ese",
        "vecca",
    ),
    Region(
        "Sheyd",
        _words("shar yar dov nesh lish rav kir tam ush zahn hadr bash om jal quor sef"),
        _words("a i u ar in ol"),
        _words("adim esh und amar ishta oran"),
        _words("ani eshi uri azar omad idri"),
        _words("im ad esh un ar"),
        _words("ira eh una"),
        _words("im ud ar"),
        "i",
        "abad",
    ),
    Region(
        "Thale",
        _words("thal wyn rhos cael pen tre gwer ysk lann del arl mab cor fyn hew idr"),
        _words("a e o wy ian en"),
        _words("wenno goch ris addan yth illis"),
        _words("vyr loch gan hydd wen mor"),
        _words("eth wyn gar wy edd"),
        _words("wen eth ys"),
        _words("yn or og"),
        "ic",
        "haven",
    ),
)

_VOWELS = "aeiouy"
_ECHO = re.compile(r"(..)\1")
"""Two letters said twice over, as in Lororn: hard to read."""
_REAL = frozenset({"Cornet", "Fentavo", "Galena", "Galesso", "Halo", "Lunette", "Marino", "Moldova", "Penn", "Roswell"})
"""Words of the grammar that a reader would take for something real."""


class Namer:
    """Draws words of a region that were never drawn before and are not `reserved`."""

    def __init__(self, region: Region, rng: random.Random, taken: set[str]) -> None:
        self.region = region
        self.rng = rng
        self.taken = taken

    def word(self, endings: tuple[str, ...]) -> str:
        """A new capitalised word: start, sometimes a middle, one of the endings."""
        for _ in range(10_000):
            parts = [self.rng.choice(self.region.starts), self.rng.choice(endings)]
            if self.rng.random() < 0.3:
                parts.insert(1, self.rng.choice(self.region.middles))
            word = _smooth(parts).capitalize()
            if word not in self.taken and word not in _REAL and not _ECHO.search(word):
                self.taken.add(word)
                return word
        raise ValueError(f"The region {self.region.name} has no names left: {len(self.taken)} are taken")

    def given(self, pronoun: str) -> str:
        """A given name, which many people may share."""
        endings = self.region.she if pronoun == "she" else self.region.he
        return _smooth([self.rng.choice(self.region.starts), self.rng.choice(endings)]).capitalize()


def adjective(word: str, region: Region) -> str:
    """ "Kolm" becomes "Kolmer": the ending replaces a last vowel.

    >>> adjective("Veska", REGIONS[2])
    'Vesker'
    """
    return word.rstrip(_VOWELS) + region.adjective


def old_form(town: str, region: Region) -> str:
    """The older form of a town's name: its stem and the region's ending for a town.

    >>> old_form("Veskowen", REGIONS[0])
    'Veskowenmund'
    """
    return town.rstrip(_VOWELS) + region.old_town


def _smooth(parts: list[str]) -> str:
    """Syllables joined; a vowel before a vowel gives way, and no letter stands three times."""
    word = ""
    for part in parts:
        if word and word[-1] in _VOWELS and part[0] in _VOWELS:
            word = word[:-1]
        while word and part[0] == word[-1] and (part[:2] == part[0] * 2 or word[-2:] == word[-1] * 2):
            word = word[:-1]
        word += part
    return word
