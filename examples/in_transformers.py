"""A recipe in Hugging Face's Trainer: one line; a small BERT from its config on made-up reviews.

python examples/in_transformers.py [epochs]
"""

import sys
import tempfile
from itertools import product

from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast, Trainer, TrainingArguments
from transformers import DataCollatorWithPadding as Padding

from gapless import Recipe
from gapless.integrations.transformers import Gapless, Texts
from gapless.recipe import Augment, Decay, Dropout, Op

PLACES = ("plot", "cast", "music", "ending", "pace", "camera", "humour", "story", "lighting", "sound")
SAYS = {0: ("dull", "awful", "clumsy", "boring"), 1: ("superb", "fine", "moving", "clever")}
MODEL = Recipe(dropout=Dropout(hidden=0.2), decay=Decay(strength=0.05), augment=Augment(mixup=0.2))
WORDS = Recipe(augment=Augment(ops=(Op(op="typos", strength=0.1),)))


def main() -> None:
    epochs = float(sys.argv[1]) if len(sys.argv) > 1 else 10
    rows = [
        {"text": f"the {a} and the {b} were {word}", "labels": label}
        for label in SAYS
        for a, b, word in product(PLACES, PLACES, SAYS[label])
        if a < b
    ]
    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)]
    special = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    known = sorted({word for row in rows for word in row["text"].split()})
    pieces = dict.fromkeys([*special, *known, *letters, *(f"##{letter}" for letter in letters)])
    tokenizer = BertTokenizerFast(vocab={piece: i for i, piece in enumerate(pieces)})
    size = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    size["max_position_embeddings"] = 32
    config = BertConfig(vocab_size=len(pieces), **size)

    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder, num_train_epochs=epochs, learning_rate=1e-3, use_cpu=True, report_to="none", save_strategy="no"
        )
        train, new = Texts(rows[::4], WORDS, tokenizer), Texts(rows[1::4], Recipe(), tokenizer)
        trainer = Trainer(BertForSequenceClassification(config), arguments, Padding(tokenizer), train, new)
        Gapless(MODEL, classes=2).apply(trainer)
        trainer.train()
        print(trainer.evaluate()["eval_loss"])


if __name__ == "__main__":
    main()
