"""Where the words of a text stand, and what else is a token: one pattern, one pass."""

from __future__ import annotations

import re

MARKS = (
    "\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0711\u0730-\u074a"
    "\u07a6-\u07b0\u07eb-\u07f3\u07fd\u0816-\u082d\u0859-\u085b\u0898-\u0903\u093a-\u0963\u0971-\u0e4f\u0e50-\u109f\u135d-\u135f"
    "\u1712-\u1715\u1732-\u1734\u1752\u1753\u1772\u1773\u17b4-\u17d3\u17dd\u180b-\u180f\u1885\u1886\u18a9\u1920-\u193b\u1a17-\u1a1b"
    "\u1a55-\u1a7f\u1ab0-\u1b44\u1b6b-\u1b73\u1b80-\u1bad\u1be6-\u1bf3\u1c24-\u1c37\u1cd0-\u1cf9\u1dc0-\u1dff\u200c\u200d"
    "\u20d0-\u20f0\u2cef-\u2cf1\u2d7f\u2de0-\u2dff\u302a-\u302f\u3099\u309a\ua66f-\ua672\ua674-\ua67d\ua69e\ua69f\ua6f0\ua6f1"
    "\ua802\ua806\ua80b\ua823-\ua827\ua82c\ua880\ua881\ua8b4-\ua8c5\ua8e0-\ua8f1\ua8ff\ua926-\ua92d\ua947-\ua953\ua980-\ua983"
    "\ua9b3-\ua9c0\ua9e5\uaa29-\uaa36\uaa43\uaa4c\uaa4d\uaa7b-\uaa7d\uaab0-\uaac1\uaaeb-\uaaef\uaaf5\uaaf6\uabe3-\uabed"
    "\ufb1e\ufe00-\ufe0f\ufe20-\ufe2f"
)
"""Signs that belong to the letter before them, of the scripts in Unicode's first plane; some stand by whole blocks."""

_FRACTIONS = "\u00b2\u00b3\u00b9\u00bc-\u00be\u2070-\u2089\u2150-\u215e"
_SIGNS = "\u2139\u2776-\u2793\U0001f100-\U0001f10c"  # emoji that Unicode counts as letters or numbers
_LETTER = rf"[^\W\d_{_FRACTIONS}{_SIGNS}]"
_EMOJI = (
    "\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u21ff\u231a-\u23ff\u24c2\u25a0-\u27bf\u2900-\u297f\u2b00-\u2bff\u3030\u303d"
    "\u3297\u3299\U0001f000-\U0001faff"
)
_TOP = "com|org|net|edu|gov|io|co|uk|de|fr|eu|info|biz|tv|me|app|dev|ai|us|ca|au|in|jp"

# The first branch takes the ordinary word and is sure that nothing longer starts there; possessive repeats keep every
# branch linear in what it reads, so that no text is slow. Plain letters before a blank are most of most texts.
TOKEN = re.compile(
    rf"""
    (?! [\s,.] ) (?:
      (?P<word> [a-zA-Z]++ (?=[ ,]) | {_LETTER}++ (?:['’-]{_LETTER}++)*+ (?! [\w@{MARKS}] | [.:/\\][\w/\\] | ['’-]\w ))
    | (?P<address>
        (?: [a-zA-Z][a-zA-Z0-9+.-]{{1,15}}+ :// | (?<!\w)www\. ) [^\s<>"“”«»。！？]++
      | \w [\w.+-]{{0,63}}+ @ [\w-]{{1,63}}+ (?: \. [\w-]{{1,63}}+ )++
      | [\w-]{{1,63}}+ (?: \. [\w-]{{1,63}} ){{0,5}}? \. (?:{_TOP}) \b (?: / [^\s<>"“”«»。！？]*+ )?
      | (?<![\w/\\]) (?: [a-zA-Z]:\\ | ~?/ ) [\w.-]++ (?: [/\\] [\w.-]++ )++
      | (?<!\w) [@\#$] (?=[^\W\d]) [\w{MARKS}]++
      | < /? [a-zA-Z!] [^<>\n]{{0,300}}+ >
      | & \#? \w{{1,10}}+ ;
      )
    | (?P<emoji>
        [{_EMOJI}] [{_EMOJI}\u200d\ufe0e\ufe0f\u20e3\U000e0020-\U000e007f]*+
      | (?<!\w) (?:
          [:;=8] ['’]?[-o^]? [)(\]\[dDpP/\\|*oO3] | [xX]3 | [)(\]\[] -? [:;=] | <3 | \^_?\^ | :'\( | [oO]_[oO]
        ) (?!\w)
      )
    | (?P<number>
        (?: (?<![\w.]) [+−-] )? [$€£¥₹]? [^\W\d{_FRACTIONS}]*+ [\d{_FRACTIONS}] \w*+
        (?: [.,:/’'-] \w*?\d \w*+ )*+ [%‰°€£]?
      )
    | (?P<code> [^\W_]*+ _ \w*+ )
    | (?P<points> (?: [a-zA-Z]\. ){{2,}}+ )
    | (?P<any> {_LETTER}++ (?: [{MARKS}] | {_LETTER} )*+ (?: ['’-] (?: {_LETTER}[{MARKS}]*+ )++ )*+ )
    )
    """,
    re.VERBOSE,
)
"""word and any: words. points: "U.S.". address: URLs, mail, paths, @mentions, #tags, markup. Digits make a number.

A token is what it is by itself, wherever it stands.
"""

PARTS = re.compile(f"({re.sub(r'[?]P<[a-z]+>', '?:', TOKEN.pattern)})", re.VERBOSE)
"""The same for `split`: a text as gap, token, gap, token, ..., gap."""

QUOTE = re.compile(
    r"""
    (?= ["“„«‘'`] ) (?:
      “[^“”\n]{1,400}”  |  «[^«»\n]{1,400}»  |  „[^„“”\n]{1,400}[“”]  |  ''(?=\S)[^'\n](?:[^'\n]|'(?!')){0,399}''
    | (?<![\w"])"(?=\S)[^"\n]{1,400}(?<=\S)"(?!\w)
    | (?<![\w‘])‘(?=\S)(?:[^‘’\n]|’(?=\w)){1,400}’(?!\w)
    | (?<![\w'])'(?=[^\s'])(?:[^'\n]|'(?=\w)){1,400}(?<=[^\s'])'(?![\w'])
    | `[^`\n]{1,400}`
    )
    """,
    re.VERBOSE,
)
"""Quoted words between marks of a pair, within a line."""

_MARKS_OF_QUOTES = re.compile(r"""["“„«‘`'](?<!\w')""")


def quotes(source: str) -> list[tuple[int, int]]:
    """Where quotations start and stop, marks included, in order, apart from each other."""
    if not _MARKS_OF_QUOTES.search(source):
        return []
    return [match.span() for match in QUOTE.finditer(source)]
