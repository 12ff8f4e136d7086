"""Questions about weight decay: what it multiplies by, where it differs from a penalty, and where it does nothing."""

from gapless.quiz.question import Option, Question

QUESTIONS = (
    Question(
        "decay-factor-formula",
        "decay",
        "formula",
        "decay-factor",
        "L + l * (sum of w^2), SGD with rate a. By what does a step multiply a weight whose own gradient is zero?",
        "The gradient of l * w^2 is 2 * l * w, and a step takes off a times that.",
        formula="1 - 2 * a * l",
        variables={"a": (0.001, 0.5), "l": (0.001, 0.5)},
    ),
    Question(
        "decay-torch",
        "decay",
        "choice",
        "decay-factor",
        "The textbook has L + lambda * sum w^2. Which weight_decay gives the same with torch's SGD?",
        "torch adds weight_decay * w to the gradient; the textbook's gradient is 2 * lambda * w.",
        options=(
            Option("2 * lambda", "the 2 comes from the derivative of the square"),
            Option("lambda", "that is half of it: torch leaves the 2 out"),
            Option("lambda / 2", "that is a quarter of it"),
            Option("lambda times the learning rate", "SGD multiplies by the rate itself"),
        ),
    ),
    Question(
        "decay-steps",
        "decay",
        "formula",
        "decay-factor",
        "And after k such steps?",
        "Each step multiplies by the same factor.",
        formula="(1 - 2 * a * l)^k",
        variables={"a": (0.001, 0.3), "l": (0.001, 0.3), "k": (1.0, 30.0)},
    ),
    Question(
        "adam-l2",
        "decay",
        "choice",
        "decay-by-optimizer",
        "Why is an L2 penalty in Adam not the same as weight decay?",
        "The penalty is part of the gradient and is divided with it (Loshchilov and Hutter 2019).",
        options=(
            Option("weights with large gradients are shrunk less", "Adam divides the penalty by the gradients' size"),
            Option("Adam has no learning rate", "it has one, and both are multiplied by it"),
            Option(
                "it is the same after a factor of 2",
                "that is so for SGD; here the factor differs from weight to weight",
            ),
            Option("Adam ignores penalties", "it follows their gradient, at its own scale"),
        ),
    ),
    Question(
        "l2-figure",
        "decay",
        "figure",
        "decay-by-optimizer",
        "How far the weights end apart, penalty against decay, under two optimizers. Which bar is Adam?",
        "Under SGD both are the same up to rounding.",
        of="Adam, weights differ",
        among=("SGD, weights differ", "Adam, weights differ"),
    ),
    Question(
        "single-verdict",
        "decay",
        "verdict",
        "single-weights",
        "Weight decay keeps any single weight from dominating. What does this machine say to that?",
        "Decay takes the same share off all weights: large ones lose more, but not in relation.",
    ),
    Question(
        "sweet-spot-verdict",
        "decay",
        "verdict",
        "sweet-spot",
        "Weight decay has a sweet spot between 1e-4 and 1e-2. What does this machine say to that?",
        "What counts is the rate times the strength, so there is a ridge in the map and no spot (Wang and "
        "Aitchison 2024).",
    ),
    Question(
        "timescale",
        "decay",
        "formula",
        "sweet-spot",
        "AdamW with rate r and weight_decay d: after about how many steps is a weight without gradient down to 1/e?",
        "(1 - r d)^k is about exp(-r d k), which is 1/e for k = 1 / (r d).",
        formula="1 / (r * d)",
        variables={"r": (0.0005, 0.01), "d": (0.01, 0.5)},
    ),
    Question(
        "ridge-error",
        "decay",
        "figure",
        "ridge-optimum",
        "A linear teacher with four inputs for five rows. Which bar is the error at the best strength, as a "
        "share of none's?",
        "With almost as many inputs as rows the plain solution follows the noise.",
        of="error, best / none",
        among=("chosen / closed form", "error, best / none", "error, trained by steps / solved"),
    ),
    Question(
        "before-norm",
        "decay",
        "choice",
        "decay-before-norms",
        "A layer stands before a batch norm and its weights are multiplied by ten. What happens to the outputs?",
        "The norm divides by the spread, which is ten times as large as well.",
        options=(
            Option("nothing", "the scale drops out"),
            Option("they are ten times as large", "the norm takes that out again"),
            Option("they are more confident", "the logits never see the factor"),
            Option("they overfit more", "it is the same function"),
        ),
    ),
    Question(
        "effective-rate",
        "decay",
        "number",
        "decay-before-norms",
        "Before norms decay does not simplify the function; it raises the effective rate lr / |w|^2. By how "
        "many times here?",
        "A shorter weight is turned further by a step of the same length (van Laarhoven 2017).",
        of="effective rate, with / without",
        tolerance=0.2,
        unit="times",
    ),
    Question(
        "bug-decay-on-norms",
        "decay",
        "bug",
        "which-parameters",
        "Only weights of layers are to be decayed. Which line breaks that?",
        "Everything of the norms and every bias has one dimension; this condition takes those for decay as well.",
        code="""
decayed, spared = [], []
for name, parameter in model.named_parameters():
    if not parameter.requires_grad:
        continue
    if parameter.ndim >= 1:
        decayed.append(parameter)
    else:
        spared.append(parameter)
groups = [{"params": decayed, "weight_decay": 0.05}, {"params": spared, "weight_decay": 0.0}]
optimizer = torch.optim.AdamW(groups, lr=1e-3)
""",
        line=5,
        others={3: "frozen parameters need no group.", 9: "groups may have a decay each."},
    ),
)
