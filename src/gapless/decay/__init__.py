"""Weight decay: which parameters, how strong, in which convention, and its relatives.

optimizer = torch.optim.AdamW(gapless.decay.groups(model, 0.05), lr=1e-3)
print(gapless.decay.account(model, 0.05))
"""

from gapless.decay.constraint import Constraint, MaxNorm, SoftThreshold, constrain
from gapless.decay.coupling import COUPLINGS, Coupling, convert, timescale, weight_decay_for
from gapless.decay.decoupled import Decoupled, decouple
from gapless.decay.groups import Account, Difference, Differences, Row, account, differences, groups
from gapless.decay.layerwise import layerwise, levels_of
from gapless.decay.leaves import leaves
from gapless.decay.penalty import L1, L2, L2SP, ElasticNet, Orthogonal, Penalty, Spectral, penalty
from gapless.decay.regroup import Regrouped, regroup
from gapless.decay.rules import EVERYTHING, HUGGING_FACE, REST, RULE_SETS, RULES, TIMM, Leaf, Rule, Use
from gapless.decay.schedule import DecaySchedule
from gapless.kinds import is_norm, normalises
from gapless.schedule import Constant, Cosine, Early, FlatCosine, Late, Linear

__all__ = [
    "COUPLINGS",
    "EVERYTHING",
    "HUGGING_FACE",
    "L1",
    "L2",
    "L2SP",
    "REST",
    "RULES",
    "RULE_SETS",
    "TIMM",
    "Account",
    "Constant",
    "Constraint",
    "Cosine",
    "Coupling",
    "DecaySchedule",
    "Decoupled",
    "Difference",
    "Differences",
    "Early",
    "ElasticNet",
    "FlatCosine",
    "Late",
    "Leaf",
    "Linear",
    "MaxNorm",
    "Orthogonal",
    "Penalty",
    "Regrouped",
    "Row",
    "Rule",
    "SoftThreshold",
    "Spectral",
    "Use",
    "account",
    "constrain",
    "convert",
    "decouple",
    "differences",
    "groups",
    "is_norm",
    "layerwise",
    "leaves",
    "levels_of",
    "normalises",
    "penalty",
    "regroup",
    "timescale",
    "weight_decay_for",
]
