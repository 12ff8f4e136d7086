"""The controller of AutoAugment: a recurrent network that takes one decision after the other, each seeing those before.

Cubuk et al., AutoAugment, arXiv 1805.09501, section 3, after Zoph et al., arXiv 1707.07012. The paper's LSTM has 100
units; a small table on a small budget is learned sooner by a smaller one.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

HIDDEN = 48


class Controller(nn.Module):
    """A distribution over sequences of decisions.

    Args:
        decisions: how many choices each decision has, in order.
        seed: of the weights; the last layers begin at zero, so that the first draws are uniform.
    """

    def __init__(self, decisions: Sequence[int], seed: int, hidden: int = HIDDEN):
        super().__init__()
        self.decisions = tuple(decisions)
        sizes = sorted(set(self.decisions))
        with torch.random.fork_rng([]):
            torch.manual_seed(seed % 2**63)
            self.cell = nn.LSTMCell(hidden, hidden)
            self.begin = nn.Parameter(torch.zeros(hidden))
            self.place = nn.Embedding(len(self.decisions), hidden)
            self.taken = nn.ModuleDict({str(n): nn.Embedding(n, hidden) for n in sizes})
            self.heads = nn.ModuleDict({str(n): nn.Linear(hidden, n) for n in sizes})
        for head in self.heads.values():
            assert isinstance(head, nn.Linear)
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """n sequences (n, T), drawn."""
        with torch.no_grad():
            return self._walk(n, None, generator)[0]

    def log_prob(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probability (n,) of sequences (n, T), and the mean entropy (n,) of their decisions, in nats."""
        _, log_prob, entropy = self._walk(len(codes), codes, None)
        return log_prob, entropy

    def likeliest(self) -> Tensor:
        """(T,) the sequence in which each decision is the likeliest one, given those before."""
        with torch.no_grad():
            return self._walk(1, None, None)[0][0]

    def _walk(self, n: int, codes: Tensor | None, generator: torch.Generator | None) -> tuple[Tensor, Tensor, Tensor]:
        """Decision by decision: the given ones, drawn ones, or with neither the likeliest."""
        h = c = self.begin.new_zeros(n, self.cell.hidden_size)
        seen = self.begin.expand(n, -1)
        taken: list[Tensor] = []
        log_prob = entropy = self.begin.new_zeros(n)
        for number, size in enumerate(self.decisions):
            h, c = self.cell(seen + self.place.weight[number], (h, c))
            log_p = self.heads[str(size)](h).log_softmax(1)
            if codes is not None:
                code = codes[:, number]
            elif generator is not None:
                code = torch.multinomial(log_p.exp(), 1, generator=generator)[:, 0]
            else:
                code = log_p.argmax(1)
            taken.append(code)
            log_prob = log_prob + log_p.gather(1, code[:, None])[:, 0]
            entropy = entropy - (log_p.exp() * log_p).sum(1) / len(self.decisions)
            seen = self.taken[str(size)](code)
        return torch.stack(taken, 1), log_prob, entropy
