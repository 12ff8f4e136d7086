"""The words that carry a label, in one place: negations, quantities, polarity; and the words that carry structure.

By default no operation deletes, replaces, moves or misspells a word of the first three groups, and no operation puts
one in. Nouns and adjectives stand in all their forms; verbs stand once and are inflected below.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from types import MappingProxyType

from gapless.augment.text.lexicon.inflect import regular_forms


class Kind(IntEnum):
    """What a token is to the operations; those above `HELD` are protected."""

    FREE = 0
    STOP = 1
    HELD = 2
    NEGATION = 3
    NEGATED = 4
    POLARITY = 5
    NUMBER = 6
    NAME = 7
    ADDRESS = 8
    EMOJI = 9
    CONTRACTION = 10
    QUOTE = 11
    GIVEN = 12


NEGATIONS = """
not no never none nobody nothing nowhere neither nor without hardly barely scarcely rarely seldom cannot nope nah
aint arent cant couldnt didnt doesnt dont hadnt hasnt havent isnt mightnt mustnt neednt shouldnt wasnt werent wont
wouldnt lack lacks lacked lacking lackluster absent absence except excluding minus
"""

NEGATIVE_VERBS_OF_DOING = "fail refuse deny reject avoid prevent cease stop quit forbid prohibit decline neglect miss"
"""They turn what follows them around: "failed to impress"."""

CONDITIONS = """
but however although though nevertheless nonetheless despite yet unless if whether instead rather otherwise only
before after until because while whereas would could should might may must
"""
"""They say whether, when and against what a sentence holds."""

QUANTITIES = """
all any both each either every everybody everyone everything few fewer fewest half least less little lot lots many
more most much several some somebody someone something enough zero one two three four five six seven eight nine ten
eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy
eighty ninety hundred hundreds thousand thousands million millions billion billions trillion dozen dozens once twice
thrice first second third fourth fifth sixth seventh eighth ninth tenth double triple single pair always often
sometimes usually exactly almost nearly
"""

POSITIVE = """
good better best great greater greatest excellent amazing awesome fantastic fabulous wonderful wonderfully superb
terrific brilliant brilliantly outstanding perfect perfectly perfection incredible incredibly marvelous marvellous
magnificent splendid stunning stunningly beautiful beautifully gorgeous lovely nice nicer nicest nicely pleasant
pleasantly delightful delicious tasty enjoyable entertaining fun funny funnier funniest hilarious witty clever smart
fascinating interesting engaging compelling gripping captivating charming moving touching heartwarming inspiring
inspirational powerful thrilling exciting exhilarating refreshing original innovative imaginative inventive creative
intelligent insightful thoughtful honest sincere genuine authentic satisfying rewarding memorable remarkable
exceptional extraordinary impressive elegant graceful superior favorite favourite happy happier happiest happily happy
happiness glad joy joyful joyous cheerful pleased delighted satisfied grateful thankful thanks proud excited fine
friendly kind helpful useful easy easier easiest comfortable comfy clean reliable sturdy durable fast safe safely
secure valuable worth worthy worthwhile affordable success successful successfully win winner wins hit masterpiece
gem treasure triumph winning delight pleasure love loves hope hopeful optimistic positive positively strong stronger
strongest rich fresh bright brighter warm sweet cute adorable cool well wow yay hooray bravo kudos congratulations
yes agree correct right true accurate right truly ideal effective effectively smooth smoothly generous gentle
calm peaceful healthy lucky fortunate blessed favorable favourable super spectacular sensational phenomenal flawless
classic classy solid decent fair promising poignant hearty vivid deft deftly likable likeable laugh laughs lol
lmao haha hug hugs kiss benefit benefits advantage advantages gain gains bonus
"""

NEGATIVE = """
bad worse worst badly terrible terribly awful awfully horrible horribly horrendous dreadful dreadfully atrocious
abysmal appalling poor poorly poorer poorest lousy crappy crap shit shitty suck sucks sucked stupid stupidly dumb
idiotic idiot moronic silly ridiculous ridiculously absurd lame pathetic pointless useless worthless meaningless
senseless hopeless boring bored boredom dull duller dullest tedious tiresome tired bland flat lifeless slow slower
slowly sluggish stale predictable cliche cliched clichéd unoriginal derivative formulaic contrived forced fake phony
dishonest shallow superficial empty hollow vapid mindless brainless incoherent confusing confused mess messy sloppy
clumsy awkward amateurish inept incompetent ugly uglier ugliest gross disgusting nasty vile repulsive offensive rude
annoying irritating frustrating frustrated disappointing disappointingly disappointed disappointment letdown fails
failure failures failed flop flops disaster disastrous catastrophe waste wasted wasteful garbage trash rubbish junk
mediocre inferior weak weaker weakest weakly wrong wrongly false broken faulty defective flawed flaw flaws problem
problems trouble troubles issue issues error errors bug bugs crash crashes difficult difficulty hard harder hardest
hell painful painfully pain pains hurt hurts sad sadder saddest sadly sadness unhappy depressing depressed miserable
misery gloomy grim bleak tragic tragedy angry anger mad furious hate hates hatred fear fearful afraid scared scary
terrifying worried worry worries anxious nervous upset sick ill ill sorry regret regrets shame shameful ashamed guilty
lonely alone cruel evil violent violence brutal war death deaths dead die dies died dying kill kills killed killing
danger dangerous threat threats risk risks risky loss losses lose loses lost loser unfortunate unfortunately unlucky
negative negatively unpleasant uncomfortable unreliable unsafe expensive overpriced cheap cheaply cheesy corny trite
tepid turgid lackluster lacklustre overlong overwrought underwhelming unfunny uninspired uninteresting unconvincing
unwatchable unnecessary unbearable unfair untrue inaccurate incorrect impossible too sub-par subpar meh ugh ew boo
damn corrupt corruption crisis crime crimes criminal enemy enemies attack attacks abuse abuses fraud scandal insult
insulting excessive bloated heavy-handed plodding
"""

POSITIVE_VERBS = """
love like enjoy adore admire appreciate recommend praise impress amaze delight please satisfy charm thrill excite
inspire entertain engage succeed win improve help support thank welcome celebrate smile laugh approve agree benefit
trust care
"""

NEGATIVE_VERBS = """
hate dislike loathe despise detest disappoint bore annoy irritate frustrate disgust offend insult suffer fail ruin
destroy damage break waste lose complain regret worry fear hurt harm kill blame attack abuse disagree disapprove
reject crash struggle suck
"""

TITLE_WORDS = "mr mrs ms mx dr prof st sir lady lord dame sen gov rep gen col capt lt sgt rev"
TITLES = frozenset(TITLE_WORDS.split())
"""They belong to the name that follows."""

STOP_WORDS = """
a an the this that these those such same other another own which what who whom whose when where why how there here
i me my mine myself we us our ours ourselves you your yours yourself yourselves he him his himself she her hers
herself it its itself they them their theirs themselves and or so as than then too also just even still again ever
of at by for with against between into through during above below to from up down in out on off over under further
per via upon about within among amongst across along around behind beside besides beyond near onto toward towards since
am is are was were be been being have has had having do does did doing done will shall can let lets get gets got
gotten gonna wanna now very quite really soon perhaps maybe thus hence therefore etc vs
"""


TURNING_VERBS = frozenset(form for verb in NEGATIVE_VERBS_OF_DOING.split() for form in regular_forms(verb))
TURNING = frozenset(NEGATIONS.split()) | TURNING_VERBS
"""Words that turn around what follows; contractions in n't do so too."""


def _table() -> dict[str, int]:
    """The first group that names a word decides, in the order of the risk: negation, quantity, polarity, structure."""
    verbs = [form for verb in (POSITIVE_VERBS + NEGATIVE_VERBS).split() for form in regular_forms(verb)]
    groups: list[tuple[Kind, Sequence[str]]] = [
        (Kind.STOP, STOP_WORDS.split()),
        (Kind.POLARITY, (POSITIVE + NEGATIVE).split() + verbs),
        (Kind.NUMBER, QUANTITIES.split()),
        (Kind.NEGATION, [*CONDITIONS.split(), *TURNING]),
    ]
    return {word: int(kind) for kind, words in groups for word in words}


LEXICON: Mapping[str, int] = MappingProxyType(_table())
"""Lower-case word -> what it is; words that are not in it are free."""


def turns(low: str) -> bool:
    """Whether a lower-case word negates: one of the table, or a contraction in n't."""
    return low in TURNING or low.endswith(("n't", "n’t"))
