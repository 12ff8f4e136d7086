"""Where sentences start and stop, and which of them must stay together."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable

from gapless.augment.text.edits import Span
from gapless.augment.text.lexicon.words import STOP_WORDS
from gapless.augment.text.tokens import quotes

_NEVER_LAST = """
mr mrs ms mx dr prof st sr sra rev fr hon pres gov sen rep gen col maj capt cmdr lt sgt cpl adm insp supt messrs mme
mlle vs v cf eg ie e.g i.e viz al fig figs eq eqs sec sect ch chap vol no nos nr art para pp p ed eds trans ca approx mt
ft
"""
NEVER_LAST = frozenset(_NEVER_LAST.split())
"""Abbreviations after which the sentence goes on."""

_SOMETIMES_LAST = """
etc inc ltd co corp llc plc bros jr esq phd ph.d m.d b.a m.a b.sc m.sc d.c u.s u.k u.n e.u u.s.a a.m p.m am pm b.c a.d
jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thur thurs fri sat sun ave blvd rd dept univ assn
est govt min max misc tel ext
"""
SOMETIMES_LAST = frozenset(_SOMETIMES_LAST.split())
"""Abbreviations that may end a sentence: they do if what follows starts like one."""

DISCOURSE = (
    "however|therefore|thus|hence|moreover|furthermore|also|besides|meanwhile|nevertheless|nonetheless|then|afterwards|"
    "consequently|accordingly|otherwise|instead|still|yet|but|and|or|nor|so|similarly|likewise|conversely|again|too|indeed|"
    "finally|in (?:addition|contrast|fact|other words|particular|short|turn|that case|conclusion|the end)|as a result|"
    "for (?:example|instance|this reason|that reason)|on the (?:other hand|contrary)|even so|that said|that is|"
    "because of (?:this|that)|after (?:this|that|all)|by contrast|to this end|at the same time|secondly|thirdly|"
    "lastly|next|what is more|above all|rather|either way|regardless"
)
"""How a sentence starts that answers the one before."""

_ANSWERS = re.compile(rf"""["'“‘(]?(?:{DISCOURSE})\b""", re.IGNORECASE)
_MORE_STARTERS = """
If But When While After Before Although Because Since Until Once Some Many Most Several Few All Both Each Every One
Two No Not Never However Another Would Could Should May Must
"""
_STARTERS = frozenset(word.capitalize() for word in STOP_WORDS.split()) | frozenset(_MORE_STARTERS.split())
_BREAK = re.compile(
    r"""(?= [.!?…。！？\n] ) (?:
      (?P<mark> [.!?…]+ ) ['"”’»)\]]*+ (?P<space> \s+ ) (?= (?P<next> ["'“‘«(\[]* \S ) )
    | (?P<wide> [。！？]+ [」』”’]*+ ) (?! [。！？] )
    | (?P<blank> \n [^\S\n]* \n \s* )
    | (?P<item> \n \s* ) (?= (?: [-*•–] | \d{1,3}[.)] | [a-h]\. | [a-zA-Z]\) ) [^\S\n] )
    )""",
    re.VERBOSE,
)
_BULLET = re.compile(r"[^\S\n]*(?:[-*•–]|\d{1,3}[.)]|[a-h]\.|[a-zA-Z]\))[^\S\n]+")
_FIRST_WORD = re.compile(r"[\"'“‘«(\[]*([^\W\d_]+)")
_BRACKETS = re.compile(r"\([^()\n]{1,400}\)|</?[a-zA-Z!][^<>\n]{0,300}>")


def split(source: str, whole: Iterable[Span] = ()) -> list[Span]:
    """Start and stop of every sentence, in order, without the white space between and the markers of list items.

    A full stop ends no sentence in abbreviations (Dr., e.g.), initials, decimals and list numbers, nor does any mark
    before a small letter, within quotation marks or within brackets. Empty lines and list items end one.

    Args:
        whole: further spans within which no sentence ends.
    """
    blocks = _merged([*quotes(source), *(match.span() for match in _BRACKETS.finditer(source)), *whole])
    starts = [start for start, _ in blocks]
    found: list[Span] = []
    at = _after_bullet(source, 0)
    for match in _BREAK.finditer(source):
        stop = (
            match.start()
            if match["mark"] is None and match["wide"] is None
            else match.end() - len(match["space"] or "")
        )
        block = bisect_right(starts, stop - 1) - 1
        if block >= 0 and blocks[block][0] < stop < blocks[block][1]:
            continue
        if match["mark"] is not None and not _ends(source, match):
            continue
        if source[at:stop].strip():
            found.append((at, stop))
        at = _after_bullet(source, match.end())
    stop = len(source.rstrip())
    if at < stop:
        found.append((at, stop))
    return found


def units(source: str, whole: Iterable[Span] = (), discourse: bool = True) -> list[Span]:
    """What may change places: sentences, and with `discourse` those that answer one another as one.

    A last line without an end mark, among sentences that have one, is left out: it would run into the next.
    """
    found: list[Span] = []
    for start, stop in split(source, whole):
        joined = discourse and found and "\n" not in source[found[-1][1] : start] and _ANSWERS.match(source, start)
        if joined:
            found[-1] = (found[-1][0], stop)
        else:
            found.append((start, stop))
    if len(found) > 1 and _open(source, found[-1]) and "\n" not in source[found[-2][1] : found[-1][0]]:
        found.pop()
    return found


def _open(source: str, sentence: Span) -> bool:
    return source[sentence[0] : sentence[1]].rstrip("\"'”’»)]")[-1:] not in ".!?…。！？"


def _after_bullet(source: str, at: int) -> int:
    """Where the sentence starts that follows: behind white space and the marker of a list item."""
    before = at
    while before and source[before - 1].isspace() and source[before - 1] != "\n":
        before -= 1
    if (before == 0 or source[before - 1] == "\n") and (bullet := _BULLET.match(source, at)):
        return bullet.end()
    while at < len(source) and source[at].isspace():
        at += 1
    return at


def _ends(source: str, match: re.Match[str]) -> bool:
    """Whether a mark with white space behind ends the sentence."""
    following = match["next"][-1]
    if following.islower():
        return False
    if match["mark"] != ".":
        return True
    stop = match.start("mark")
    words = source[max(0, stop - 24) : stop].split()
    last = words[-1].lstrip("([\"'“‘«") if words else ""
    low = last.lower()
    if low in NEVER_LAST:
        return low in ("no", "art", "ed", "p", "v") and not following.isdigit() and not _abbreviates(last, following)
    if low in SOMETIMES_LAST or ("." in low and max(map(len, low.split("."))) <= 2):
        first = _FIRST_WORD.match(source, match.end())
        return following in '"“‘«(' or (first is not None and first[1] in _STARTERS)
    if len(last) == 1 and last.isalpha() and last != "I":
        return False
    return not (last.isdigit() and _starts_line(source, stop - len(last)))


def _abbreviates(word: str, following: str) -> bool:
    """`p. X`, `v. X`, `ed. X` are abbreviations; "He said no." is a sentence."""
    return word.lower() in ("p", "v", "ed") or following.isdigit()


def _starts_line(source: str, at: int) -> bool:
    line = source.rfind("\n", 0, at) + 1
    return not source[line:at].strip()


def _merged(spans: list[Span]) -> list[Span]:
    found: list[Span] = []
    for start, stop in sorted(spans):
        if found and start < found[-1][1]:
            found[-1] = (found[-1][0], max(stop, found[-1][1]))
        else:
            found.append((start, stop))
    return found
