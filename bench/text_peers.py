"""Synonym replacement by nlpaug or textaugment, timed on request. Run by bench/text.py with the peers' Python.

    python bench/text_peers.py NAME WORDNET_DIRECTORY

Reads one line of JSON with the texts, then answers every further line with the seconds of processor time for them all.
Both peers want NLTK's copy of WordNet; it is built from the files of a WordNet directory. The weights of NLTK's tagger,
which nlpaug runs on every text, cannot be had without a download: `nlpaug` trains the same tagger on the texts with one
tag a word from WordNet (a dozen tags instead of 45: faster than the real one); `nlpaug-untagged` calls every word a
noun at no cost. textaugment gets a short list of stop words.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

LEXNAMES = {
    3: "adj.all adj.pert",
    4: "adv.all",
    1: "noun.Tops noun.act noun.animal noun.artifact noun.attribute noun.body noun.cognition noun.communication "
    "noun.event noun.feeling noun.food noun.group noun.location noun.motive noun.object noun.person noun.phenomenon "
    "noun.plant noun.possession noun.process noun.quantity noun.relation noun.shape noun.state noun.substance "
    "noun.time",
    2: "verb.body verb.change verb.cognition verb.communication verb.competition verb.consumption verb.contact "
    "verb.creation verb.emotion verb.motion verb.perception verb.possession verb.social verb.stative verb.weather",
}
_STOP = "a an and are as at be by for from has he in is it its of on that the to was were will with"
STOP = _STOP.split()


def nltk_data(wordnet: Path) -> str:
    """A folder as NLTK's downloader would leave it."""
    folder = tempfile.mkdtemp()
    corpus = Path(folder) / "corpora" / "wordnet"
    corpus.mkdir(parents=True)
    for pattern in ("data.*", "index.*", "*.exc", "cntlist.rev"):
        for path in wordnet.glob(pattern):
            shutil.copy(path, corpus)
    names = [f"{name}\t{kind}" for kind, group in LEXNAMES.items() for name in group.split()] + ["adj.ppl\t3"]
    (corpus / "lexnames").write_text("".join(f"{number:02d}\t{name}\n" for number, name in enumerate(names)))
    return folder


def trained_tagger(texts: list[str]):
    """NLTK's perceptron tagger, trained on words with the most frequent part of speech WordNet gives them."""
    from nltk.corpus import wordnet
    from nltk.tag.perceptron import PerceptronTagger

    kinds = {"n": "NN", "v": "VB", "a": "JJ", "s": "JJ", "r": "RB"}
    endings = {"s": "S", "ing": "G", "ed": "D"}

    def tag(word: str) -> str:
        if word in STOP:
            return "DT"
        found = wordnet.synsets(word)
        ending = next((mark for end, mark in endings.items() if word.endswith(end)), "")
        return (kinds[found[0].pos()] + ending) if found else "NNP"

    tagger = PerceptronTagger(load=False)
    tagger.train([[(word, tag(word)) for word in text.split()] for text in texts if text.split()], nr_iter=2)
    return tagger


def augmenter(name: str, texts: list[str]):
    import nltk

    nltk.download = lambda *_, **__: True
    if name.startswith("nlpaug"):
        from nlpaug.augmenter.word import SynonymAug
        from nlpaug.model.word_dict.wordnet import WordNet

        if name == "nlpaug":
            tagger = trained_tagger(texts)
            WordNet.pos_tag = classmethod(lambda _, tokens: tagger.tag(tokens))
        else:
            WordNet.pos_tag = classmethod(lambda _, tokens: [(token, "NN") for token in tokens])
        synonym = SynonymAug(aug_src="wordnet", aug_p=0.15)
        return lambda text: synonym.augment(text)
    from textaugment import EDA

    eda = EDA(stop_words=STOP)
    return lambda text: eda.synonym_replacement(text, n=max(1, round(0.15 * len(text.split()))))


def main() -> None:
    name, wordnet = sys.argv[1], Path(sys.argv[2])
    folder = nltk_data(wordnet)
    os.environ["NLTK_DATA"] = folder
    try:
        texts = json.loads(sys.stdin.readline())
        replace = augmenter(name, texts)
        print(json.dumps({"example": [texts[0], replace(texts[0])]}), flush=True)
        for _ in sys.stdin:
            start = time.process_time()
            for text in texts:
                replace(text)
            print(time.process_time() - start, flush=True)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
