"""Policies as code for other libraries: what is equivalent there is written, what is not is said.

Equivalent means the same change drawn from the same range, interpolated and filled alike; the order of draws, the
levels next to an edge, and rounding differ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gapless.augment.image.ops.declare import Export, Op, Range
from gapless.augment.image.policy import Choice, Policy, Step


def to_torchvision(policy: Policy) -> str:
    """Python code that builds the policy from `torchvision.transforms.v2` 0.21, for uint8 or float RGB pictures."""
    lines = _Writer(policy, _torchvision, "v2.RandomChoice", "v2.Compose", "v2.Identity()", "").lines()
    if policy.size is not None and not policy.resizes:
        lines.insert(0, f"        v2.Resize({policy.size}),")
    if policy.fill in ("edge", "reflect"):
        lines.insert(0, f"        # fill {policy.fill}: no equivalent, moved pictures are filled with black")
    return "\n".join(
        ["from torchvision.transforms import v2", "", "augment = v2.Compose(", "    [", *lines, "    ]", ")"]
    )


def to_albumentations(policy: Policy) -> str:
    """Python code that builds the policy from albumentations 2.0, for uint8 RGB pictures."""
    lines = _Writer(policy, _albumentations, "A.OneOf", "A.Sequential", "A.NoOp(p=1)", ", p=1").lines()
    if policy.size is not None and not policy.resizes:
        lines.insert(0, f"        A.Resize({policy.size[0]}, {policy.size[1]}, area_for_downscale='image', p=1),")
    return "\n".join(["import albumentations as A", "", "augment = A.Compose(", "    [", *lines, "    ]", ")"])


Write = Callable[[Step, Policy], str | None]


@dataclass(frozen=True)
class _Writer:
    """A library's words: `write` for a step, then what picks one, what does all, what does nothing, and what makes a
    group certain.
    """

    policy: Policy
    write: Write
    choose: str
    sequence: str
    nothing: str
    certain: str

    def lines(self) -> list[str]:
        lines: list[str] = []
        for entry in self._entries():
            if isinstance(entry, Step):
                lines += [f"        {line}" for line in self._step(entry)]
                continue
            lines += [f"        {self.choose}(", "            ["]
            for option in entry.options:
                lines += [f"                {line}" for line in self._option(option)]
            lines += [f"            ]{self.certain}", "        ),"]
        return lines

    def _entries(self) -> tuple[Step | Choice, ...]:
        if self.policy.pick is None:
            return self.policy.steps
        options = *((step,) for step in self.policy.steps if isinstance(step, Step)), ()
        return (Choice(options),) * self.policy.pick

    def _option(self, option: tuple[Step, ...]) -> list[str]:
        written = [line for step in option for line in self._step(step)]
        unknown = [line for line in written if line.startswith("#")]
        calls = [line.rstrip(",") for line in written if not line.startswith("#")]
        if len(calls) > 1:
            return [*unknown, f"{self.sequence}([{', '.join(calls)}]{self.certain}),"]
        return [*unknown, f"{calls[0] if calls else self.nothing},"]

    def _step(self, step: Step) -> list[str]:
        if step.idle:
            return []
        code = self.write(step, self.policy)
        if code is None:
            return [f"# {step.op}, strength {step.strength:g} {step.record.unit}, p {step.p:g}: no equivalent"]
        return [f"{code},"]


def _ranges(step: Step, policy: Policy) -> list[Range]:
    """The range of magnitudes; two of them where only the sign is drawn."""
    op, strength = step.record, float(step.strength)
    if step.magnitude == "full" or op.law in ("switch", "fixed"):
        signs = (-1, 1) if op.signed else (1,)
        return [Range(sign * strength, sign * strength, policy.fill, policy.reading, policy.size) for sign in signs]
    return [Range(-strength if op.signed else 0.0, strength, policy.fill, policy.reading, policy.size)]


def _calls(step: Step, policy: Policy, pick: Callable[[Op], Export]) -> list[str] | None:
    calls = [pick(step.record)(range_) for range_ in _ranges(step, policy)]
    known = [call for call in calls if call is not None]
    return known if len(known) == len(calls) else None


def _torchvision(step: Step, policy: Policy) -> str | None:
    calls = _calls(step, policy, lambda op: op.torchvision)
    if calls is None:
        return None
    named = [f"v2.{call}" for call in calls]
    code = named[0] if len(named) == 1 else f"v2.RandomChoice([{', '.join(named)}])"
    return code if step.p == 1 else f"v2.RandomApply([{code}], p={step.p:g})"


def _albumentations(step: Step, policy: Policy) -> str | None:
    calls = _calls(step, policy, lambda op: op.albumentations)
    if calls is None:
        return None
    p = step.p if len(calls) == 1 else 1
    named = [f"A.{call[:-1]}{'' if call.endswith('()') else ', '}p={p:g})" for call in calls]
    return named[0] if len(named) == 1 else f"A.OneOf([{', '.join(named)}], p={step.p:g})"
