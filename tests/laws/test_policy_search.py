"""The mathematics of policy search: probabilities against enumeration, PPO against a bandit, TPE against chance."""

from itertools import product

import numpy as np
import pytest
import torch

from gapless.augment.image import OPS, Choice, Policy
from gapless.augment.policies.controller import Controller
from gapless.augment.policies.density import match, merged
from gapless.augment.policies.ppo import Ppo
from gapless.augment.policies.space import Codes, Range, Space
from gapless.errors import UsageError

SIZES = (2, 3, 2, 3)
SPACE = Space((Range("rotate", 30.0), Range("flip_x", 1.0), Range("posterize", 4.0), Range("contrast", 0.5)))


def unsettled(seed: int) -> Controller:
    """A controller whose decisions are anything but uniform and depend on each other."""
    controller = Controller(SIZES, seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in controller.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.7)
    return controller


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_log_probabilities_agree_with_enumeration(seed: int) -> None:
    controller = unsettled(seed)
    every = torch.tensor(list(product(*map(range, SIZES))))
    with torch.no_grad():
        log_prob, entropy = controller.log_prob(every)
    p = log_prob.double().exp()
    assert float(p.sum()) == pytest.approx(1, abs=1e-5)
    assert float(p.max() / p.min()) > 10, "not the uniform distribution"
    drawn = controller.sample(20_000, torch.Generator().manual_seed(5))
    place = (drawn * torch.tensor([18, 6, 3, 1])).sum(1)
    seen = torch.bincount(place, minlength=36).double() / len(drawn)
    assert bool(((seen - p).abs() < 4.5 * (p * (1 - p) / len(drawn)).sqrt() + 1e-4).all())
    # the chain rule: the entropy of the whole is the expected sum of those of the decisions
    assert float((p * entropy).sum()) * len(SIZES) == pytest.approx(float(-(p * p.log()).sum()), abs=1e-4)


def test_the_first_draws_are_uniform_and_the_likeliest_is_the_likeliest() -> None:
    with torch.no_grad():
        fresh, _ = Controller(SIZES, 0).log_prob(torch.tensor([[0, 1, 1, 2], [1, 0, 0, 0]]))
    assert fresh.tolist() == pytest.approx([-float(np.log(36))] * 2, abs=1e-6)
    first = Controller((4,), 3)
    with torch.no_grad():
        first.heads["4"].bias[2] = 1.0
    assert first.likeliest().tolist() == [2]


# ── PPO ──

ARMS = (4, 5, 4, 5, 4, 5)
DRAWS = 320
"""In so many draws PPO earns 90 % of the optimum; uniform draws earn 57 to 63 % of it however many they are."""


def bandit(seed: int) -> np.ndarray:
    """What each choice of each decision is worth; the best sum is 1."""
    rng = np.random.default_rng(seed)
    worth = rng.random((len(ARMS), max(ARMS)))
    for row, n in zip(worth, ARMS, strict=True):
        row[n:] = 0
    return worth / sum(row[:n].max() for row, n in zip(worth, ARMS, strict=True))


def earned(worth: np.ndarray, codes: np.ndarray) -> np.ndarray:
    return worth[np.arange(len(ARMS)), codes].sum(1)


@pytest.mark.parametrize("seed", range(3))
def test_ppo_reaches_the_optimum_of_a_bandit_where_uniform_draws_do_not(seed: int) -> None:
    worth, noise = bandit(seed), np.random.default_rng(seed + 100)
    uniform = float(np.mean([row[:n].mean() for row, n in zip(worth, ARMS, strict=True)]) * len(ARMS))
    ppo = Ppo(ARMS, seed)
    for _ in range(DRAWS // 16):
        codes = ppo.ask(16)
        ppo.tell(codes, (earned(worth, codes) + 0.03 * noise.standard_normal(16)).tolist())
    assert uniform < 0.65
    assert float(earned(worth, ppo.ask(200)).mean()) > 0.9


def test_the_same_seed_draws_the_same() -> None:
    runs: list[bytes] = []
    for _ in range(2):
        ppo = Ppo(SPACE.decisions, 7)
        for _ in range(3):
            codes = ppo.ask(4)
            ppo.tell(codes, codes.sum(1).tolist())
        runs.append(SPACE.sub_policies(SPACE.codes(ppo.ask(1)[0])).to_toml().encode())
    assert runs[0] == runs[1]
    assert Ppo(SPACE.decisions, 8).ask(2).tolist() != Ppo(SPACE.decisions, 7).ask(2).tolist()


def test_rewards_that_are_all_alike_teach_nothing_and_break_nothing() -> None:
    ppo = Ppo(SIZES, 0)
    for _ in range(3):
        ppo.tell(ppo.ask(8), [0.5] * 8)
    with torch.no_grad():
        log_prob, _ = ppo.controller.log_prob(torch.tensor([[0, 1, 1, 2]]))
    assert float(log_prob) == pytest.approx(-float(np.log(36)), abs=0.05)


# ── density matching ──


def distance(codes: Codes) -> float:
    """Least where every operation is the last one of the table, likely and weak."""
    return float(((codes - np.array([3, 10, 0])) ** 2 / np.array([9, 100, 81])).mean())


def test_proposals_come_nearer_than_chance_and_are_the_same_again() -> None:
    found = match(SPACE, distance, 60, 5, seed=1)
    assert [value for value, _ in found] == sorted(value for value, _ in found)
    rng = np.random.default_rng(0)
    chance = [distance(SPACE.codes([int(rng.integers(n)) for n in SPACE.decisions])) for _ in range(60)]
    assert found[0][0] < 0.8 * min(chance)
    again = match(SPACE, distance, 60, 5, seed=1)
    assert all((a[1] == b[1]).all() for a, b in zip(found, again, strict=True))
    assert len(merged([found[0][1], found[0][1]])) == len(np.unique(found[0][1].reshape(5, -1), axis=0))


# ── the space ──


def test_every_code_is_a_policy_inside_the_ranges() -> None:
    for number in range(30):
        policy = SPACE.drawn(0, number)
        assert isinstance(policy, Policy)
        (choice,) = policy.steps
        assert isinstance(choice, Choice)
        assert [len(option) for option in choice.options] == [2] * 5
        highest = {r.op: r.high for r in SPACE.ranges}
        assert all(0 < s.strength <= highest[s.op] and s.magnitude == "full" for s in policy.every_step)
        assert all(s.strength == int(s.strength) for s in policy.every_step if OPS[s.op].law != "uniform")
        assert Policy.loads(policy.to_toml()) == policy
    assert SPACE.drawn(0, 1) == SPACE.drawn(0, 1) != SPACE.drawn(0, 2)


def test_a_spread_is_one_operation_up_to_a_share_of_its_range() -> None:
    policy = SPACE.spread(["rotate", "flip_x", "posterize"], 0.5)
    assert policy.pick == 1
    assert {s.op: s.strength for s in policy.steps} == {"rotate": 15.0, "flip_x": 1.0, "posterize": 2.0}
    texts = Space((Range("swap", 0.4), Range("delete", 0.2)))
    assert [s.strength for s in texts.spread(["delete"], 0.5).steps] == [0.1]
    with pytest.raises(UsageError, match="sub-policies are for pictures"):
        texts.sub_policies(np.zeros((5, 2, 3), np.int64))


def test_what_cannot_be_a_space_is_refused() -> None:
    for ranges, said in (
        ((), "at least one operation"),
        ((Range("rotate", 3.0), Range("rotate", 4.0)), "given twice"),
        ((Range("rotate", 3.0), Range("swap", 0.1)), "for pictures or for texts"),
    ):
        with pytest.raises(UsageError, match=said):
            Space(ranges)
    with pytest.raises(UsageError, match=r"no operation 'rotaet'.*rotate"):
        Range("rotaet", 3.0)
    with pytest.raises(UsageError, match="must end above 0 and at most at 180"):
        Range("rotate", 200.0)
    with pytest.raises(UsageError, match="no blur among"):
        SPACE.spread(["blur"], 0.5)
