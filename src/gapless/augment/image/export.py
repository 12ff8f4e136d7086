"""Policies as code for other libraries: what is equivalent there is written, what is not is said.

Equivalent means the same change drawn from the same range; order of draws, borders and rounding differ. Interpolation
and fill are left to the reader: both libraries take them as arguments.
"""

from __future__ import annotations

from collections.abc import Callable

from gapless.augment.image.declare import Export, Op, Range
from gapless.augment.image.policy import Choice, Policy, Step


def to_torchvision(policy: Policy) -> str:
    """Python code that builds the policy from `torchvision.transforms.v2`, for uint8 or float RGB pictures."""
    lines = _lines(policy, _torchvision, "v2.RandomChoice", "v2.Compose", "v2.Identity()")
    return "\n".join(
        ["from torchvision.transforms import v2", "", "augment = v2.Compose(", "    [", *lines, "    ]", ")"]
    )


def to_albumentations(policy: Policy) -> str:
    """Python code that builds the policy from albumentations 2.0, for uint8 RGB pictures."""
    lines = _lines(policy, _albumentations, "A.OneOf", "A.Sequential", "A.NoOp(p=1)")
    return "\n".join(["import albumentations as A", "", "augment = A.Compose(", "    [", *lines, "    ]", ")"])


Write = Callable[[Step, tuple[int, int] | None], str | None]


def _lines(policy: Policy, write: Write, choose: str, sequence: str, nothing: str) -> list[str]:
    entries: tuple[Step | Choice, ...] = policy.steps
    if policy.pick is not None:
        options = *((step,) for step in policy.steps if isinstance(step, Step)), ()
        entries = (Choice(options),) * policy.pick
    certain = ", p=1" if choose == "A.OneOf" else ""
    lines: list[str] = []
    for entry in entries:
        if isinstance(entry, Step):
            lines += [f"        {line}" for line in _step(entry, policy.size, write)]
            continue
        lines += [f"        {choose}(", "            ["]
        for option in entry.options:
            parts = [part for step in option for part in _step(step, policy.size, write)]
            calls = [part.rstrip(",") for part in parts if not part.startswith("#")]
            lines += [f"                {part}" for part in parts if part.startswith("#")]
            body = (
                nothing if not calls else calls[0] if len(calls) == 1 else f"{sequence}([{', '.join(calls)}]{certain})"
            )
            lines.append(f"                {body},")
        lines += ["            ]" + certain, "        ),"]
    return lines


def _step(step: Step, size: tuple[int, int] | None, write: Write) -> list[str]:
    if step.idle:
        return []
    code = write(step, size)
    if code is None:
        return [f"# {step.op}, strength {step.strength:g} {step.record.unit}, p {step.p:g}: no equivalent"]
    return [f"{code},"]


def _ranges(step: Step, size: tuple[int, int] | None) -> list[Range]:
    """The range of magnitudes; two of them where only the sign is drawn."""
    op, strength = step.record, float(step.strength)
    if op.law == "switch":
        return [Range(1.0, 1.0, size)]
    if step.magnitude == "full":
        return [Range(sign * strength, sign * strength, size) for sign in ((-1, 1) if op.signed else (1,))]
    return [Range(-strength if op.signed else 0.0, strength, size)]


def _calls(step: Step, size: tuple[int, int] | None, pick: Callable[[Op], Export]) -> list[str] | None:
    calls = [pick(step.record)(range_) for range_ in _ranges(step, size)]
    known = [call for call in calls if call is not None]
    return known if len(known) == len(calls) else None


def _torchvision(step: Step, size: tuple[int, int] | None) -> str | None:
    calls = _calls(step, size, lambda op: op.torchvision)
    if calls is None:
        return None
    named = [f"v2.{call}" for call in calls]
    code = named[0] if len(named) == 1 else f"v2.RandomChoice([{', '.join(named)}])"
    return code if step.p == 1 else f"v2.RandomApply([{code}], p={step.p:g})"


def _albumentations(step: Step, size: tuple[int, int] | None) -> str | None:
    calls = _calls(step, size, lambda op: op.albumentations)
    if calls is None:
        return None
    p = step.p if len(calls) == 1 else 1
    named = [f"A.{call[:-1]}{'' if call.endswith('()') else ', '}p={p:g})" for call in calls]
    return named[0] if len(named) == 1 else f"A.OneOf([{', '.join(named)}], p={step.p:g})"
