"""English inflection: from a form to what it may be a form of, and back; rules, with a table for what breaks them.

And the case of a word that takes the place of another.
"""

from __future__ import annotations

from typing import Literal

Pos = Literal["n", "v", "a", "r"]
Tag = Literal["", "s", "ing", "past", "part", "er", "est"]
"""No ending; plural or third person; -ing; past tense; past participle; comparative; superlative."""

_VOWELS = frozenset("aeiou")
_HISS = ("s", "x", "z", "ch", "sh")

IRREGULAR_VERBS = """
arise arose arisen|awake awoke awoken|bear bore borne|beat beat beaten|become became become|begin began begun
bend bent bent|bet bet bet|bind bound bound|bite bit bitten|bleed bled bled|blow blew blown|break broke broken
breed bred bred|bring brought brought|build built built|burst burst burst|buy bought bought|cast cast cast
catch caught caught|choose chose chosen|cling clung clung|come came come|cost cost cost|creep crept crept|cut cut cut
deal dealt dealt|dig dug dug|draw drew drawn|drink drank drunk|drive drove driven|eat ate eaten|fall fell fallen
feed fed fed|feel felt felt|fight fought fought|find found found|flee fled fled|fling flung flung|fly flew flown
forbid forbade forbidden|foresee foresaw foreseen|forget forgot forgotten|forgive forgave forgiven
forsake forsook forsaken|freeze froze frozen|give gave given|go went gone|grind ground ground|grow grew grown
hang hung hung|hear heard heard|hide hid hidden|hit hit hit|hold held held|hurt hurt hurt|keep kept kept
know knew known|lay laid laid|lead led led|let let let|leave left left|lend lent lent|lose lost lost|make made made
mean meant meant|meet met met|mislead misled misled|mistake mistook mistaken|overcome overcame overcome
overtake overtook overtaken|pay paid paid|put put put|read read read|rebuild rebuilt rebuilt|ride rode ridden
ring rang rung|rise rose risen|run ran run|say said said|see saw seen|seek sought sought|sell sold sold
send sent sent|set set set|shake shook shaken|shed shed shed|shine shone shone|shoot shot shot|show showed shown
shrink shrank shrunk|shut shut shut|sing sang sung|sink sank sunk|sit sat sat|sleep slept slept|slide slid slid
speak spoke spoken|spend spent spent|spin spun spun|split split split|spread spread spread|spring sprang sprung
stand stood stood|steal stole stolen|stick stuck stuck|sting stung stung|stride strode stridden|strike struck struck
string strung strung|strive strove striven|swear swore sworn|sweep swept swept|swim swam swum|swing swung swung
take took taken|teach taught taught|tear tore torn|tell told told|think thought thought|throw threw thrown
undergo underwent undergone|understand understood understood|undertake undertook undertaken|undo undid undone
uphold upheld upheld|wake woke woken|wear wore worn|weave wove woven|weep wept wept|win won won|wind wound wound
withdraw withdrew withdrawn|withhold withheld withheld|withstand withstood withstood|write wrote written
"""

VERBS: dict[str, tuple[str, str]] = {
    base: (past, part)
    for entry in IRREGULAR_VERBS.replace("\n", "|").split("|")
    if entry
    for base, past, part in [entry.split()]
}
"""Verb -> past tense and past participle."""

_PAST: dict[str, list[tuple[str, Tag]]] = {}
for _base, (_past, _part) in VERBS.items():
    _PAST.setdefault(_past, []).append((_base, "past"))
    _PAST.setdefault(_part, []).append((_base, "part"))

_ENDINGS: tuple[tuple[str, str, Pos, Tag], ...] = (
    ("s", "", "n", "s"),
    ("es", "", "n", "s"),
    ("ies", "y", "n", "s"),
    ("men", "man", "n", "s"),
    ("s", "", "v", "s"),
    ("es", "", "v", "s"),
    ("ies", "y", "v", "s"),
    ("ed", "e", "v", "past"),
    ("ed", "", "v", "past"),
    ("ied", "y", "v", "past"),
    ("ing", "e", "v", "ing"),
    ("ing", "", "v", "ing"),
    ("er", "", "a", "er"),
    ("er", "e", "a", "er"),
    ("ier", "y", "a", "er"),
    ("est", "", "a", "est"),
    ("est", "e", "a", "est"),
    ("iest", "y", "a", "est"),
)


def possible_bases(form: str) -> list[tuple[str, Pos, Tag]]:
    """What a lower-case form may be a regular or irregular form of; whether such words exist is for the table to say.

    A regular past form is also a participle; it is given once, as `past`.
    """
    found: list[tuple[str, Pos, Tag]] = [(form, "n", ""), (form, "v", ""), (form, "a", ""), (form, "r", "")]
    for base, tag in _PAST.get(form, ()):
        found.append((base, "v", tag))
    for ending, instead, pos, tag in _ENDINGS:
        if form.endswith(ending) and len(form) > len(ending) + 1:
            base = form[: -len(ending)] + instead
            if pos != "v" or tag != "past" or base not in VERBS:
                found.append((base, pos, tag))
            if tag in ("past", "ing", "er", "est") and not instead and base[-1] == base[-2] and base[-1] not in "aeiou":
                found.append((base[:-1], pos, tag))
    return found


def _hissing(word: str) -> str:
    """With -s: boxes, cities, plays."""
    if word.endswith(_HISS):
        return word + "es"
    if word.endswith("y") and word[-2:-1] not in _VOWELS:
        return word[:-1] + "ies"
    return word + "s"


def _stem(verb: str) -> str:
    """What -ed, -er and -est are put to: stop -> stopp, hope -> hop, cry -> cri."""
    if verb.endswith("e"):
        return verb[:-1]
    if verb.endswith("y") and verb[-2:-1] not in _VOWELS:
        return verb[:-1] + "i"
    return verb + verb[-1] if _doubles(verb) else verb


STRESSED_LAST = """
admit allot begin commit compel confer control defer deter emit equip excel expel forget incur infer occur omit outwit
patrol permit prefer propel rebel rebut recur refer regret repel submit transfer transmit upset
"""
_DOUBLED = frozenset(STRESSED_LAST.split())


def _doubles(verb: str) -> bool:
    """Whether the last consonant is doubled: short words of one vowel, and those stressed on the end."""
    if verb in _DOUBLED:
        return True
    if len(verb) < 3 or verb[-1] in "aeiouwxyh" or verb[-2] not in _VOWELS or verb[-3] in _VOWELS:
        return False
    return sum(letter in "aeiouy" for letter in verb) == 1


def _gerund(verb: str) -> str:
    if verb.endswith("ie"):
        return verb[:-2] + "ying"
    if verb.endswith("e") and not verb.endswith(("ee", "oe", "ye")) and len(verb) > 2:
        return verb[:-1] + "ing"
    return (verb + verb[-1] if _doubles(verb) else verb) + "ing"


def _syllables(word: str) -> int:
    """Groups of vowels, without a silent e."""
    groups, last = 0, False
    for letter in word[:-1] if word.endswith("e") else word:
        vowel = letter in "aeiouy"
        groups += vowel and not last
        last = vowel
    return max(groups, 1)


def inflected(base: str, pos: Pos, tag: Tag) -> str:
    """The form of a lower-case word, or of a phrase: its first word for verbs, its last for nouns.

    inflected("take part", "v", "past") = "took part"; inflected("beautiful", "a", "er") = "more beautiful".
    """
    if not tag:
        return base
    if pos == "v":
        head, space, rest = base.partition(" ")
        return _verb(head, tag) + space + rest
    if pos == "n":
        rest, space, head = base.rpartition(" ")
        return rest + space + _plural(head)
    if pos == "a" and tag in ("er", "est"):
        if " " in base or _syllables(base) > 2 or (_syllables(base) == 2 and not base.endswith("y")):
            return ("more " if tag == "er" else "most ") + base
        return _stem(base) + tag
    return base


_NOUNS = {
    "man": "men", "woman": "women", "child": "children", "person": "people", "foot": "feet", "tooth": "teeth",
    "goose": "geese", "mouse": "mice", "life": "lives", "wife": "wives", "knife": "knives", "half": "halves",
    "leaf": "leaves", "loaf": "loaves", "self": "selves", "shelf": "shelves", "thief": "thieves", "wolf": "wolves",
    "hero": "heroes", "echo": "echoes", "potato": "potatoes", "tomato": "tomatoes", "crisis": "crises",
    "analysis": "analyses", "basis": "bases", "thesis": "theses", "hypothesis": "hypotheses", "series": "series",
    "species": "species", "sheep": "sheep", "fish": "fish", "deer": "deer", "aircraft": "aircraft",
    "phenomenon": "phenomena", "criterion": "criteria", "gentleman": "gentlemen", "businessman": "businessmen",
}  # fmt: skip


_NO_MEN = ("human", "german", "roman", "shaman", "talisman", "ottoman", "caiman")


def _plural(noun: str) -> str:
    """men of men, and what ends in a plural's s already: earnings, athletics."""
    if noun in _NOUNS:
        return _NOUNS[noun]
    if noun.endswith("man") and not noun.endswith(_NO_MEN):
        return noun[:-3] + "men"
    if noun.endswith("s") and not noun.endswith(("ss", "us", "is", "as", "os", "ns")):
        return noun
    return _hissing(noun)


def _verb(verb: str, tag: Tag) -> str:
    if tag == "s":
        return {"have": "has", "do": "does", "go": "goes", "be": "is"}.get(verb, _hissing(verb))
    if tag == "ing":
        return _gerund(verb)
    if verb in VERBS:
        return VERBS[verb][0 if tag == "past" else 1]
    return _stem(verb) + "ed"


def regular_forms(verb: str) -> tuple[str, ...]:
    """All forms of a verb: base, -s, -ing, past, participle."""
    return tuple(dict.fromkeys((verb, *(_verb(verb, tag) for tag in ("s", "ing", "past", "part")))))


def cased_like(word: str, model: str) -> str:
    """The word in the case of the model: all capitals, a capital first, or as it is."""
    if len(model) > 1 and model.isupper():
        return word.upper()
    if model[:1].isupper():
        return word[:1].upper() + word[1:]
    return word
