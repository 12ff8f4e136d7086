"""A policy as operations for the guard: each of its steps by itself, and the whole of it.

What the guard calls the strength is the share of the policy's own strengths here: 1 is the policy as it is. A step by
itself is applied to every example, whatever its p; the whole policy is drawn as training draws it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from gapless import draws
from gapless.augment import image, text
from gapless.augment.image.augmix import AugMix
from gapless.augment.image.torch.interpreter import run
from gapless.augment.text.resources import Resources
from gapless.diagnose.labels import Examples, Op

WHOLE = "the whole policy"
_PURPOSE = "guard"
_AT_ONCE = 256


class _Step(Protocol):
    @property
    def op(self) -> str: ...
    @property
    def strength(self) -> float: ...
    @property
    def p(self) -> float: ...
    @property
    def idle(self) -> bool: ...


S = TypeVar("S", bound=_Step)


def text_ops(policy: text.Policy, resources: Resources | None = None) -> dict[str, Op]:
    """The operations of a text policy; `resources` is what they read besides the text."""

    def op(part: text.Policy) -> Op:
        def vary(share: float, texts: Examples, seed: int) -> Examples:
            words: Sequence[str] = [str(one) for one in texts]
            return part.scaled(share).apply(words, seed, 0, range(len(words)), resources)

        return vary

    return _ops(policy.steps, lambda step: op(replace(policy, steps=(replace(step, p=1.0),), pick=None)), op(policy))


def image_ops(policy: image.Policy | AugMix) -> dict[str, Op]:
    """The operations of a policy for pictures, uint8 (N, H, W, C) of one size, which they keep."""

    def op(part: image.Policy | AugMix) -> Op:
        def vary(share: float, pictures: Examples, seed: int) -> Examples:
            return _varied(_scaled(part, share), np.asarray(pictures, dtype=np.uint8), seed)

        return vary

    if isinstance(policy, AugMix):
        plain, whole = image.Policy((), fill=policy.fill), op(policy)
        return _ops(policy.steps, lambda step: op(replace(plain, steps=(replace(step, p=1.0),))), whole)
    kept = replace(policy, size=None)
    alone = replace(kept, pick=None)
    return _ops(kept.every_step, lambda step: op(replace(alone, steps=(replace(step, p=1.0),))), op(kept))


def _ops(steps: Iterable[S], alone: Callable[[S], Op], whole: Op) -> dict[str, Op]:
    """Each operation once, at the greatest strength that the policy has it with, then the whole if it is more."""
    going = [step for step in steps if not step.idle]
    strongest: dict[str, S] = {}
    for step in going:
        if step.op not in strongest or step.strength > strongest[step.op].strength:
            strongest[step.op] = step
    more = len(going) > 1 or any(step.p < 1 for step in going)
    return {name: alone(step) for name, step in strongest.items()} | ({WHOLE: whole} if more else {})


def _scaled(policy: image.Policy | AugMix, share: float) -> image.Policy | AugMix:
    if isinstance(policy, AugMix):
        return replace(policy, steps=tuple(step.scaled(share) for step in policy.steps))
    return policy.scaled(share)


def _varied(policy: image.Policy | AugMix, pictures: NDArray[np.uint8], seed: int) -> NDArray[Any]:
    found: list[NDArray[Any]] = []
    for start in range(0, len(pictures), _AT_ONCE):
        some = torch.from_numpy(np.ascontiguousarray(pictures[start : start + _AT_ONCE])).permute(0, 3, 1, 2)
        rows = np.arange(start, start + len(some))
        u = draws.uniforms(seed, _PURPOSE, 0, rows, policy.columns)
        if isinstance(policy, AugMix):
            varied = policy(u, some)
        else:
            varied = run(policy.program(u, some.shape[2], some.shape[3]), some)
        found.append(varied.permute(0, 2, 3, 1).numpy())
    return np.concatenate(found) if found else pictures
