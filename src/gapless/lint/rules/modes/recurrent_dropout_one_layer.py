from __future__ import annotations

from collections.abc import Iterator

from gapless.lint.reading.models import NN
from gapless.lint.reading.program import Program
from gapless.lint.reading.values import given, number, opaque
from gapless.lint.rule import Hit, reads


@reads(
    level="warning",
    title="dropout of a recurrent network with a single layer",
    effect="torch drops between the layers of nn.LSTM, never behind the last: with one layer nothing is dropped at all",
    fix="put nn.Dropout behind it, or drop recurrent weights: gapless.dropout.WeightDrop(rnn, ['weight_hh_l0'], 0.5)",
    source="docs of torch.nn.LSTM: 'a Dropout layer on the outputs of each LSTM layer except the last layer'",
    broken="""
from torch import nn

rnn = nn.LSTM(64, 128, dropout=0.5, batch_first=True)
""",
    healthy="""
from torch import nn

rnn = nn.LSTM(64, 128, num_layers=2, dropout=0.5, batch_first=True)
""",
)
def recurrent_dropout_one_layer(program: Program) -> Iterator[Hit]:
    for call in program.calls_of(NN + "LSTM", NN + "GRU", NN + "RNN"):
        layers, rate = given(call, "num_layers", 2), number(program, given(call, "dropout"))
        if opaque(call) or not rate:
            continue
        if layers is None or number(program, layers) == 1:
            yield Hit(call, f"dropout={rate:g} has no effect with num_layers=1")
