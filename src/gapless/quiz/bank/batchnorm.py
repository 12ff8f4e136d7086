"""Questions about batch normalization: its statistics, what it makes possible, and why."""

from gapless.quiz.question import Option, Question

QUESTIONS = (
    Question(
        "norm-formula",
        "batchnorm",
        "formula",
        "batch-statistics",
        "A unit has mean m and variance v in the batch. What does batch norm make of x (without gamma, beta and eps)?",
        "Take off the mean, divide by the standard deviation: mean 0 and variance 1.",
        formula="(x - m) / sqrt(v)",
        variables={"x": (-3.0, 3.0), "m": (-1.0, 1.0), "v": (0.2, 4.0)},
    ),
    Question(
        "four-numbers",
        "batchnorm",
        "choice",
        "batch-statistics",
        "A batch holds 1, 3, 5, 7 for a unit. What does batch norm make of the 7 (gamma 1, beta 0)?",
        "The mean is 4 and the variance 5 (divided by 4, not by 3): 3 / sqrt(5) = 1.34.",
        options=(
            Option("1.34", "(7 - 4) / sqrt(5)"),
            Option("1.16", "that divides the squares by 3; batch norm normalises by the batch's own variance, over 4"),
            Option("0.6", "that divides by the variance; it is the standard deviation that makes the variance 1"),
            Option("1.0", "that would be the range, not the spread"),
        ),
    ),
    Question(
        "higher-rates-optimizer",
        "batchnorm",
        "choice",
        "higher-rates",
        "Batch norm bears far higher learning rates. On what does 'far' depend most?",
        "AdamW divides by the size of gradients already; much of what batch norm does is done.",
        options=(
            Option("the optimizer: much with SGD, less with AdamW", "AdamW evens the steps out by itself"),
            Option("the number of classes", "it changes the loss's scale a little, not its stability"),
            Option("nothing: the factor is 10 to 100 everywhere", "the factor is measured here for two optimizers"),
            Option("the number of epochs", "a rate that diverges does so in the first of them"),
        ),
    ),
    Question(
        "rates-figure",
        "batchnorm",
        "figure",
        "higher-rates",
        "How many times higher a rate may be with batch norm. Which bar is the largest rate that trains, under SGD?",
        "What trains at all and what trains best are two questions.",
        of="largest rate, SGD, times",
        among=("largest rate, SGD, times", "best rate, SGD, times", "best rate, AdamW, times"),
    ),
    Question(
        "careless-start-count",
        "batchnorm",
        "figure",
        "careless-start",
        "Initial weights multiplied by 0.01 to 100: at how many of nine scales does it train? Which bar is "
        "with batch norm?",
        "What a norm divides by grows with the weights, so their scale drops out.",
        of="scales that work, with batch norm",
        among=("scales that work, with batch norm", "without"),
    ),
    Question(
        "faster-verdict",
        "batchnorm",
        "verdict",
        "faster-training",
        "Training is 6 to 14 times faster with batch norm. What does this machine say to that?",
        "The figure is from a deep network on ImageNet, in steps, at rates that the plain network could not bear.",
    ),
    Question(
        "noise-exponent",
        "batchnorm",
        "number",
        "batch-noise",
        "The variance of one row's activation over batches of B falls like B^-c. What is c?",
        "The variance of a mean of B rows falls with 1 / B.",
        of="c in noise ~ B^-c",
        tolerance=0.1,
    ),
    Question(
        "covariate-shift-verdict",
        "batchnorm",
        "verdict",
        "covariate-shift",
        "Batch norm works because it reduces internal covariate shift. What does this machine say to that?",
        "Santurkar et al. (2018): with noise put behind the norm the drift is back, and the gain stays.",
    ),
    Question(
        "darker-pictures",
        "batchnorm",
        "choice",
        "other-statistics",
        "The new camera takes darker pictures and nobody has labeled any. What brings much of the accuracy back?",
        "Brightness sits in the means that the norms remember; they can be measured anew without a label.",
        options=(
            Option("measuring the norms' statistics anew on the new pictures", "the new means fit the new pictures"),
            Option("more epochs on the old pictures", "they never get dark"),
            Option("larger batches when the model is used", "in evaluation mode the batch plays no part"),
            Option("switching dropout on", "that adds noise and no light"),
        ),
    ),
    Question(
        "back-figure",
        "batchnorm",
        "figure",
        "other-statistics",
        "What statistics measured anew bring back in four kinds of weather. Which bar is noise?",
        "Brightness and contrast are means and spreads; noise is neither.",
        of="brought back, noise",
        among=("brought back, darker", "brought back, low contrast", "brought back, fog", "brought back, noise"),
    ),
    Question(
        "fold-shift",
        "batchnorm",
        "formula",
        "free-when-used",
        "A weight w stands before a norm with running variance v and gamma g. What does w become when it is "
        "folded (no eps)?",
        "The norm multiplies by g / sqrt(v), and a product of two numbers is a number.",
        formula="w * g / sqrt(v)",
        variables={"w": (-2.0, 2.0), "g": (0.5, 2.0), "v": (0.2, 4.0)},
    ),
    Question(
        "bug-tiny-batch",
        "batchnorm",
        "bug",
        "batch-statistics",
        "In use this model answers one picture at a time, and badly. Which line is the bug?",
        "In training mode the norm takes its statistics from the batch, here from a single picture.",
        code="""
model = resnet18(num_classes=10)
model.load_state_dict(torch.load("best.pt"))
model.train()
for picture in folder:
    x = normal(picture)[None]
    with torch.no_grad():
        print(names[model(x).argmax(1)])
""",
        line=3,
        others={5: "one picture is a batch of one, which is fine in evaluation mode.", 6: "no gradient is needed."},
    ),
)
