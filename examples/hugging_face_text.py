"""A Hugging Face model in `gapless tune`: DistilBERT from a config, without weights, and a tokenizer made on the spot.

From the folder of this file, on texts of your own or on the sentences below:

    gapless tune reviews.csv --text review --target stars --model hugging_face_text:network
    gapless tune hugging_face_text:sentences --model hugging_face_text:network --minutes 5

python examples/hugging_face_text.py [trials] [epochs]: the second one in short. For weights of your own, replace the
config by `from_pretrained(folder)`, the tokenizer by the folder's, and leave out `learn`.
"""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from torch import Tensor, nn
from transformers import DistilBertConfig, DistilBertForSequenceClassification

from gapless import Rows, Task

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
WORDS, LONGEST = 2000, 64


class Classifier(nn.Module):
    """What a model for texts must have: `encode`, and a `forward` that takes what it returns and gives (B, classes)."""

    unknown_id = SPECIAL.index("[UNK]")  # with these two it can have word dropout
    special_ids = (SPECIAL.index("[PAD]"), SPECIAL.index("[CLS]"), SPECIAL.index("[SEP]"))

    def __init__(self, classes: int):
        super().__init__()
        config = DistilBertConfig(
            vocab_size=WORDS, dim=64, hidden_dim=128, n_layers=2, n_heads=2, max_position_embeddings=LONGEST
        )
        config.dropout = config.attention_dropout = config.seq_classif_dropout = 0.0  # the recipe's to choose
        config.num_labels = classes
        self.model = DistilBertForSequenceClassification(config)
        self.tokenizer = word_pieces([])

    def learn(self, texts: Sequence[str]) -> None:
        """Called once, with the texts to train on: the pieces of words come from them, the sizes stay."""
        self.tokenizer = word_pieces(texts)

    def encode(self, texts: Sequence[str]) -> dict[str, Tensor]:
        found = self.tokenizer.encode_batch(list(texts))
        return {
            "input_ids": torch.tensor([one.ids for one in found]),
            "attention_mask": torch.tensor([one.attention_mask for one in found]),
        }

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.model(input_ids=input_ids, attention_mask=attention_mask).logits


def word_pieces(texts: Sequence[str]) -> Tokenizer:
    """A WordPiece tokenizer with at most WORDS pieces, padded to the longest text of a batch."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=WORDS, special_tokens=list(SPECIAL), show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.enable_padding(pad_id=0, pad_token="[PAD]")
    tokenizer.enable_truncation(LONGEST)
    return tokenizer


def network() -> nn.Module:
    """What `--model hugging_face_text:network` builds; two classes."""
    return Classifier(2)


def sentences() -> Task:
    """Made-up reviews; a word of praise or blame decides, unless it is denied."""
    rng = np.random.default_rng(0)
    things = ("plot", "cast", "music", "ending", "pace", "dialogue", "camera", "humour", "story", "costumes")
    words = (("dull", "awful", "clumsy", "boring"), ("superb", "fine", "moving", "clever"))
    texts, labels = [], []
    for _ in range(200):
        says, denied = int(rng.integers(2)), bool(rng.random() < 0.3)
        place = f"The {rng.choice(things)} and the {rng.choice(things)} of number {rng.integers(1000)}"
        texts.append(f"{place} were {'never ' if denied else ''}{rng.choice(words[says])}.")
        labels.append(says ^ denied)
    return Task("sentences", Rows(np.array(texts, dtype=object), np.array(labels)), classes=("bad", "good"))


def main() -> None:
    trials, epochs = (sys.argv[1:] + ["14", "8"][len(sys.argv) - 1 :])[:2]
    here, command = Path(__file__).parent, Path(sys.executable).with_name("gapless")
    with tempfile.TemporaryDirectory() as out:
        tune = ["tune", "hugging_face_text:sentences", "--model", "hugging_face_text:network", "--workers", "1"]
        subprocess.run([command, *tune, "--trials", trials, "--epochs", epochs, "--out", out], cwd=here, check=True)


if __name__ == "__main__":
    main()
