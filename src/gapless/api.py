"""The Python door: what the command does, as a function.

    result = gapless.tune(task, minutes=5)
    print(result)
    result.recipe.attach(model)

(The file is not called tune.py: a module and a function of one name would hide each other in `gapless.tune`.)
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import TypeAdapter
from torch import nn

from gapless.augment.image import Policy as ImagePolicy
from gapless.augment.text import Policy as TextPolicy
from gapless.data import Task
from gapless.data.splits import complete
from gapless.data.task import with_model
from gapless.diagnose.diagnosis import Diagnosis
from gapless.diagnose.examples import picture_samples, text_samples
from gapless.diagnose.label_check import check_recipe
from gapless.errors import DataError, UsageError
from gapless.evidence.result import Interval, Result, VerdictWord
from gapless.policies.collect import result_of
from gapless.policies.options import MINUTES as POLICY_MINUTES
from gapless.policies.options import USUAL, Method, PolicyOptions
from gapless.policies.outcome import Answer, PolicyResult
from gapless.policies.stages import learn
from gapless.recipe import Recipe
from gapless.report import collect, html, text
from gapless.report.content import Content
from gapless.report.handover.commands import Commands, of_python
from gapless.report.handover.program import Source
from gapless.report.policies import page as policy_page
from gapless.report.policies.words import lines as policy_lines
from gapless.report.write import write
from gapless.run.driver import Interrupted, Listener
from gapless.run.engines.place import Place
from gapless.run.surroundings import default_workers, fresh_folder
from gapless.search.options import OWN, TuneOptions
from gapless.search.space import knobs, summary
from gapless.search.stages import tune as search
from gapless.search.supported import check
from gapless.train.fitting import Training, fit
from gapless.train.loop import Plan
from gapless.train.trained import TrainedModel


@dataclass(frozen=True)
class Tuned:
    """A run that came to its verdict. `print(tuned)` says it in a few lines; `folder` holds report.html.

    content: what the report shows; of a run that was loaded, without its trials. task: None where it was loaded.
    """

    content: Content = field(repr=False)
    folder: Path
    task: Task | None = field(default=None, repr=False, compare=False)

    @property
    def result(self) -> Result:
        """Everything that was measured; `result.json` is this."""
        return self.content.result

    @property
    def recipe(self) -> Recipe:
        """What is handed back: the best recipe where the verdict is "improved", else the plain model's."""
        return Recipe.from_dict(self.result.handed.recipe)

    @property
    def lr(self) -> float:
        """The learning rate of what is handed back."""
        return self.result.handed.lr

    @property
    def verdict(self) -> VerdictWord:
        return self.result.verdict

    @property
    def gain(self) -> Interval:
        """Best minus plain on the rows of the verdict, with its 95 % interval."""
        return self.result.gain

    @property
    def report(self) -> Path:
        """The report, one HTML file."""
        return self.folder / "report.html"

    def fit(
        self, task: Task | None = None, *, device: str | None = None, listener: Listener | None = None
    ) -> TrainedModel:
        """Trains what is handed back on all rows, those of the verdict included: its recipe, learning rate and length.

            model = tuned.fit()
            model.predict("new-customers.csv")
            model.save("churn-model")           # gapless.load_model("churn-model") has it back

        Before that, as many models as are needed are trained on four fifths of the rows, for the probabilities.

        Args:
            task: needed where the run was loaded; its rows and its model as they were in the run.
            device: None: that of the run. listener: hears how it goes on.

        Raises:
            UsageError: another task than that of the run, or none.
            DataError: the training diverges.
        """
        return train_handed(self.result, task or self.task, device, listener or Silent(), lambda: False)

    def __str__(self) -> str:
        return "\n".join(text.verdict(self.content))

    def _repr_html_(self) -> str:
        """What a notebook shows: the verdict's lines, and where the report lies."""
        return html.brief(self.content, self.report)


class Silent:
    """Hears how a run goes on and says nothing."""

    def phase(self, name: str) -> None: ...

    def progress(self, share: float, left: float | None, note: str) -> None: ...


def tune(
    task: Task,
    *,
    model: str | Callable[[], nn.Module] | None = None,
    minutes: float | None = None,
    trials: int | None = None,
    epochs: int | None = None,
    batch_size: int = 64,
    optimizer: Literal["adamw", "sgd"] = "adamw",
    ema: float = 0.0,
    seed: int = 0,
    workers: int | None = None,
    device: str = "cpu",
    metric: str | None = None,
    recipe: Recipe | None = None,
    engine: Literal["local", "ray"] = "local",
    address: str | None = None,
    gpus_per_training: float = 0.0,
    diagnosis: Diagnosis | None = None,
    out: str | Path | None = None,
    listener: Listener | None = None,
) -> Tuned:
    """Finds the recipe that closes the gap, and proves it on rows it never tuned on; the same as `gapless tune`.

    With more than one worker the model must be a function at the top level of a module, and a script needs
    `if __name__ == "__main__":`, as Python's multiprocessing asks for.

    Args:
        task: with its rows. Without confirm rows a share is put aside for the verdict before anything else happens.
        model: `cnn`, `resnet`, `mlp`, `text-bag`, `text-cnn`, or a function that builds the model. None: the task's
            own, or the built-in one for this kind of data.
        minutes: for everything; 5 where neither is given. trials: instead, the number of trainings in the search.
        epochs: length of a training; None lets the data and the time decide.
        ema: judge averaged weights, of this decay (such as 0.99); 0: not.
        workers: processes that train; None: one a core, at most 8; on a cluster what fits. One worker trains in this
            process.
        engine: `local`, or `ray` for tasks on a Ray cluster that is up. address: of its head; None: RAY_ADDRESS, or
            the cluster of this machine. gpus_per_training: of the cluster; 0.25 lets four trainings share one.
        metric: what everything is judged by: one of `gapless.metrics.METRICS` that suits the target, such as
            `balanced-accuracy`, `auc` or `log-loss` for classes, `rmse` or `mae` for numbers. None: the task's own.
        recipe: one of your own, to be tried among the first.
        diagnosis: of the same task, by `gapless.diagnose`: the recipes that answer its findings open the search.
        out: the run's folder; an unfinished run in it goes on. None: a fresh one below gapless-runs/.
        listener: hears how the run goes on.

    Raises:
        UsageError: options that cannot be right, or the folder belongs to another run.
        DataError: the model does not work on the data, or the disk is full.
        BudgetError: the budget ends before there can be a result; says the smallest that would do.
    """
    folder = fresh_folder(task.name) if out is None else Path(out)
    place = Place(engine, address, gpus_per_training)
    many = place.workers() if workers is None else workers
    how = minutes, trials, epochs, batch_size, optimizer, ema, seed, many, device
    options = TuneOptions(folder, *how, place=place)
    if recipe is not None:
        recipe.augment.require(task.kind)
        options = replace(options, openings=((OWN, recipe),))
    if diagnosis is not None:
        options = replace(options, openings=(*options.openings, *diagnosis.openings))
    if task.confirm is None:
        task = complete(task, None, seed)
    task = with_model(task if metric is None else replace(task, metric=metric), model)
    commands = of_python(folder, _call(model, options, workers, metric), options.budget, trials)
    return carry_out(task, options, commands, listener or Silent(), lambda: False)


def _call(
    model: str | Callable[[], nn.Module] | None, options: TuneOptions, workers: int | None, metric: str | None
) -> str:
    """What was chosen, as arguments of `tune`: to repeat it."""
    usual = TuneOptions(options.out)
    name = getattr(model, "__name__", "model") if callable(model) else repr(model)
    chosen = {"model": name} if model is not None else {}
    for option in ("epochs", "batch_size", "optimizer", "ema", "seed", "device"):
        if (value := getattr(options, option)) != getattr(usual, option):
            chosen[option] = repr(value)
    chosen |= {word: repr(value) for word, value in (("workers", workers), ("metric", metric)) if value is not None}
    place = options.place
    where = {"engine": place.engine, "address": place.address, "gpus_per_training": place.gpus}
    chosen |= {word: repr(value) for word, value in where.items() if value and value != "local"}
    return "".join(f", {word}={value}" for word, value in chosen.items())


def carry_out(
    task: Task,
    options: TuneOptions,
    commands: Commands,
    listener: Listener,
    stop: Callable[[], bool],
    source: Source | None = None,
) -> Tuned:
    """The run of a task that has its model and its confirm rows: search, proof, and the files in the run's folder.

    Args:
        commands: what to type next.
        stop: asked now and then; True has what runs saved and raises `Interrupted`.
        source: the code that makes the task again; None where only the user knows it.
    """
    finished = search(task, options, listener, stop)
    listener.phase("writing the report")
    best = finished.best.recipe
    content = collect.content(
        task,
        options,
        finished,
        commands,
        picture_samples(task, best, options.seed),
        text_samples(task, best, options.seed),
        check_recipe(task, best, options.seed),
        source,
    )
    write(options.out, content)
    return Tuned(content, options.out, task)


def train_handed(
    result: Result, task: Task | None, device: str | None, listener: Listener, stop: Callable[[], bool]
) -> TrainedModel:
    """The model of what a run hands back, trained on all rows; see `Tuned.fit`. `stop` as in `carry_out`."""
    if task is None:
        raise UsageError("this run was loaded from its folder: give its data, fit(gapless.load(...))")
    if task.model is None:
        task = with_model(task, result.model.name)
    facts = result.task
    found = (task.name, task.kind, task.shape, task.classes, len(task.develop), len(task.confirm or ()))
    if found != (facts.name, facts.kind, facts.shape, facts.class_names, facts.train, facts.confirm):
        raise UsageError(
            f"the run is of {facts.name} with {facts.train:,} and {facts.confirm:,} rows, {len(facts.class_names)} "
            f"classes; the data is {task.name} with {len(task.develop):,} and {len(task.confirm or ()):,} rows, "
            f"{len(task.classes)} classes. Load it with the same options"
        )
    if (parameters := check(task)) != result.model.parameters:
        raise UsageError(
            f"the run's model, {result.model.name}, has {result.model.parameters:,} parameters, this one "
            f"{parameters:,}; give the same model"
        )
    how, side = result.training, result.handed
    plan = Plan(side.epochs, how.batch_size, cast(Any, how.optimizer), how.warmup, how.ema, device or how.device)
    listener.phase("training on all rows")
    begun = time.monotonic()

    def progress(share: float) -> None:
        if stop():
            raise Interrupted
        listener.progress(share, (time.monotonic() - begun) * (1 - share) / share, "")

    return fit(task, Training(Recipe.from_dict(side.recipe), side.lr, plan, result.seed), progress)


def load_result(folder: str | Path) -> Tuned:
    """A finished run, from its folder: verdict, recipe, figures; `fit` needs its data again.

    Raises:
        DataError: the folder holds no finished run, or its result is damaged.
    """
    place = Path(folder).expanduser()
    try:
        document = json.loads((place / "result.json").read_text("utf-8"))
        result = TypeAdapter(Result).validate_python(document)
        toml = (place / "recipe.toml").read_text("utf-8")
    except FileNotFoundError as error:
        goes_on = "; the same command with --out goes on with it" if (place / "journal.jsonl").exists() else ""
        raise DataError(f"{place}: holds no finished run (no {Path(str(error.filename)).name}){goes_on}") from error
    except (OSError, ValueError, RecursionError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{place / 'result.json'}: is not a result of this version of gapless ({said})") from error
    words = summary(Recipe.from_dict(result.best.recipe), knobs(result.task.kind, len(result.task.class_names)))
    return Tuned(Content(result, (), -1, (), toml, "", None, "", words=words), place)


# ── policies ──


@dataclass(frozen=True)
class LearnedPolicy:
    """What `learn_policy` found. `print(found)` says it in a few lines; `folder` holds policy.toml and report.html."""

    result: PolicyResult
    folder: Path

    @property
    def recipe(self) -> Recipe:
        """What is handed back, as a recipe: the learned policy where it improved, else nothing."""
        return Recipe.from_dict(self.result.policy)

    @property
    def policy(self) -> ImagePolicy | TextPolicy:
        """The same as a policy, with `to_torchvision()` and `to_albumentations()` where it is for pictures."""
        part = self.recipe.augment
        return part.text_policy() if self.result.kind == "text" else part.policy()

    @property
    def verdict(self) -> Answer:
        """`improved`, `no detectable gain`, `worse`, or `none` where the search itself found nothing."""
        return self.result.verdict

    @property
    def lines(self) -> list[str]:
        """The verdict in words."""
        return policy_lines(self.result)

    def __str__(self) -> str:
        return "\n".join(self.lines)


def learn_policy(
    task: Task,
    *,
    model: str | Callable[[], nn.Module] | None = None,
    minutes: float = POLICY_MINUTES,
    method: Method | None = None,
    ops: Sequence[str] = (),
    guard: bool = True,
    epochs: int | None = None,
    lr: float | None = None,
    batch_size: int = 64,
    optimizer: Literal["adamw", "sgd"] = "adamw",
    seed: int = 0,
    workers: int | None = None,
    device: str = "cpu",
    out: str | Path | None = None,
    listener: Listener | None = None,
) -> LearnedPolicy:
    """Learns an augmentation policy and proves it on rows it never saw; the same as `gapless policy`.

        found = gapless.learn_policy(task, minutes=5)
        print(found)                          # what it gained, and what the search earned over a random policy
        print(found.policy.to_torchvision())

    Args:
        task: pictures or texts, with classes. Without confirm rows a share is put aside, as `tune` does.
        model: as for `tune`.
        minutes: for everything, the verdict included.
        method: `strength`, one operation a picture, the set and the range of operations learned (after TrivialAugment,
            arXiv 2103.10158); `density`, Fast AutoAugment's (arXiv 1905.00397); `controller`, AutoAugment's with PPO
            (arXiv 1805.09501). None takes density for pictures. Texts have strength only.
        ops: operations to draw from; empty for the usual ones of this kind of data.
        guard: whether operations stay in the ranges in which labels survive on this data.
        epochs, lr: of a full training; what is None is settled first.
        workers: processes that train; None: one a core, at most 8. One worker trains in this process.
        out: the run's folder; an unfinished run in it goes on. None: a fresh one below gapless-runs/.
        listener: hears how the run goes on.

    Raises:
        UsageError: data without pictures, texts or classes; options that cannot be right; the folder of another run.
        DataError: the model does not work on the data, or the disk is full.
        BudgetError: the budget is too small; says the smallest that would do.
    """
    folder = fresh_folder(f"policy-{task.name}") if out is None else Path(out)
    how = epochs, lr, batch_size, optimizer, seed, default_workers() if workers is None else workers, device
    options = PolicyOptions(folder, minutes, method or USUAL.get(task.kind, "strength"), tuple(ops), guard, *how)
    if task.confirm is None:
        task = complete(task, None, seed)
    command = f"gapless.learn_policy(task, out={str(folder)!r})"
    return carry_out_policy(with_model(task, model), options, command, listener or Silent(), lambda: False)


def carry_out_policy(
    task: Task, options: PolicyOptions, command: str, listener: Listener, stop: Callable[[], bool]
) -> LearnedPolicy:
    """The search of a task that has its model and its confirm rows, and the files in its folder; see `carry_out`."""
    result = result_of(learn(task, options, listener, stop))
    listener.phase("writing the report")
    samples = picture_samples(task, Recipe.from_dict(result.learned), options.seed)
    policy_page.write(options.out, result, samples, command)
    return LearnedPolicy(result, options.out)
