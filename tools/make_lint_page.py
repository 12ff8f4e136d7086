"""Writes docs/lint.md from the rules themselves: `python tools/make_lint_page.py`; a test compares the two."""

from pathlib import Path

from gapless.lint import LEVELS, RULES, Rule

PAGE = Path(__file__).parents[1] / "docs" / "lint.md"
_SUBJECTS = {
    "loss": "Losses and labels",
    "modes": "Dropout and modes",
    "statistics": "Batch norm's statistics",
    "decay": "Weight decay",
    "parameters": "What is trained",
    "loop": "The training loop",
    "schedule": "Schedules and the best epoch",
    "data": "Loaders and their draws",
    "split": "The split",
    "pictures": "Augmentation",
}
_HEAD = """# gapless lint

```
gapless lint train.py                    # or a folder; the script is read and not run
gapless lint train.py --fail-on error    # exit code 5 where there is an error; also warning, note
gapless lint mine:setup                  # a function that returns a gapless.lint.Setup: one batch of it is run
gapless lint src --format sarif          # for code hosts; --json for one JSON document
gapless lint train.py --rules adam-l2,eval-missing    # only these; --ignore leaves some out; --list prints all
```

```python
print(gapless.lint("train.py"))
print(gapless.lint(model, optimizer, loader, loss, validation=val_loader, epochs=30))
```

A finding says where, what it does to the model, what to write instead, and where that is known from. A rule that is
not certain says nothing. `# gapless: ignore[rule]` at the end of a line, or alone on the line above it, passes a
finding over; `# gapless: ignore-file[rule]` does so for the whole file.

As a pre-commit hook: `id: gapless-lint`. Exit codes: 0, or 5 with `--fail-on`; 2 for options that cannot be right;
3 for a file that cannot be read or a setup that does not run.

**error**: the program does not do what it says. **warning**: it costs accuracy or an honest figure. **note**: worth
knowing.
"""


def subject(rule: Rule) -> str:
    """The folder a rule is in."""
    function = rule.read or rule.check
    assert function is not None
    return function.__module__.split(".")[-2]


def page() -> str:
    """The whole page: the table of rules, then each with a broken and a healthy program."""
    parts = [_HEAD, "| rule | level | looks at | the mistake |\n|---|---|---|---|"]
    for rule in sorted(RULES, key=lambda rule: (list(_SUBJECTS).index(subject(rule)), LEVELS.index(rule.level))):
        looks = "the text" if rule.read else "one batch"
        parts.append(f"| [`{rule.name}`](#{rule.name}) | {rule.level} | {looks} | {rule.title} |")
    for name, title in _SUBJECTS.items():
        parts.append(f"\n## {title}")
        parts.extend(_section(rule) for rule in RULES if subject(rule) == name)
    return "\n".join(parts) + "\n"


def _section(rule: Rule) -> str:
    return f"""
### {rule.name}

{rule.level}: {rule.title}.

Effect: {rule.effect}.
Fix: {rule.fix}.
Source: {rule.source}.

```python
{rule.broken}
```

Instead:

```python
{rule.healthy}
```"""


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
