"""Questions about dropout: its scale, what it breaks, and when it is on."""

from gapless.quiz.question import Option, Question

QUESTIONS = (
    Question(
        "dropout-scale",
        "dropout",
        "formula",
        "dropout-expectation",
        "A unit is dropped with probability p. By what must those that stay be multiplied, so that the mean "
        "is the same?",
        "The mean of mask times factor is (1 - p) times the factor, and that must be 1.",
        formula="1 / (1 - p)",
        variables={"p": (0.05, 0.9)},
    ),
    Question(
        "dropout-variance",
        "dropout",
        "formula",
        "dropout-expectation",
        "And the variance of a unit of value x after dropout with that scale, in p and x?",
        "The second moment is x^2 / (1 - p); take off the square of the mean, x^2.",
        formula="p / (1 - p) * x^2",
        variables={"p": (0.05, 0.9), "x": (-3.0, 3.0)},
    ),
    Question(
        "dropout-after-relu",
        "dropout",
        "choice",
        "dropout-expectation",
        "Dropout keeps the mean of what enters a layer. Where is the mean no longer the same?",
        "A mean goes through sums unchanged, and not through what is bent.",
        options=(
            Option("behind the ReLU", "the mean of a bent function is not the function of the mean"),
            Option("behind the linear layer", "a linear layer of a mean is the mean of the linear layer"),
            Option("nowhere", "that holds for a linear network alone"),
            Option("in the mask", "its mean times the factor is 1 by design"),
        ),
    ),
    Question(
        "half-off-spread",
        "dropout",
        "number",
        "half-off",
        "100 units, p = 0.5. In one pass 50 are off on average. By how many does that vary (standard deviation)?",
        "Each unit is drawn by itself: the square root of 100 * 0.5 * 0.5 is 5.",
        of="standard deviation in one pass, of 100 units",
        tolerance=0.5,
    ),
    Question(
        "co-adaptation-worst",
        "dropout",
        "choice",
        "co-adaptation",
        "How can one test whether dropout breaks co-adaptation?",
        "Co-adaptation says that a unit is of use only beside certain others: take one away and see.",
        options=(
            Option(
                "delete one hidden unit after another and see what is lost", "a unit that others rely on costs much"
            ),
            Option("compare training accuracies", "they fall with dropout whatever the units do"),
            Option("count the units that are off in training", "that counts p, not what units rely on"),
            Option("look at the length of the weights", "long weights can be alone and short ones together"),
        ),
    ),
    Question(
        "ensemble-order",
        "dropout",
        "choice",
        "sub-networks",
        "100 masks averaged, dropout switched off, or five networks trained apart: which has the lowest log loss?",
        "Sub-networks share their weights, so they err together; networks of their own do not.",
        options=(
            Option("five networks trained apart", "their errors are less alike"),
            Option("100 masks averaged", "100 masks of one network differ less than five networks do"),
            Option("dropout switched off", "it comes near the average of masks at best"),
            Option("all are the same", "log loss tells them apart"),
        ),
    ),
    Question(
        "rate-of-inputs",
        "dropout",
        "choice",
        "dropout-rates",
        "'Rates up to 0.8 for inputs': what is wrong with that?",
        "Srivastava et al. (2014) keep 0.8 of the inputs. Read as a rate of dropping it destroys the picture.",
        options=(
            Option("0.8 is the share that is kept", "that is a rate of 0.2"),
            Option("nothing", "0.8 of the pixels gone costs far more than it gives; see the figure"),
            Option("inputs must never be dropped", "small rates do little harm, and on wide tables they help"),
            Option("it should be 0.5 as for hidden units", "half of the pixels gone is too much as well"),
        ),
    ),
    Question(
        "inputs-figure",
        "dropout",
        "figure",
        "dropout-rates",
        "What two rates change on new rows, at two sizes of the training set. Which bar is 0.8 on the inputs "
        "at n = 100?",
        "Dropped inputs are information that is gone, and small sets have none to spare.",
        of="inputs 0.8, n = 100",
        among=("hidden 0.35, n = 100", "hidden 0.35, n = 600", "inputs 0.8, n = 100", "inputs 0.8, n = 600"),
    ),
    Question(
        "two-points-verdict",
        "dropout",
        "verdict",
        "two-points",
        "Dropout takes about two points off the error. What does this machine say to that?",
        "Two points were measured on one network and one data set (AlexNet, 2012).",
    ),
    Question(
        "bug-eval-missing",
        "dropout",
        "bug",
        "off-at-test",
        "The printed accuracy differs each time, and is too low. Which line comes too late?",
        "Until model.eval() dropout stays on: every score is of a random sub-network.",
        code="""
model = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Dropout(0.5), nn.Linear(256, 10))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
for epoch in range(30):
    for x, y in train:
        optimizer.zero_grad()
        cross_entropy(model(x), y).backward()
        optimizer.step()
with torch.no_grad():
    right = (model(test_x).argmax(1) == test_y).float().mean()
model.eval()
print(right)
""",
        line=10,
        others={
            8: "no_grad only saves memory; it does not switch dropout off.",
            1: "dropout 0.5 before the head is usual.",
        },
    ),
    Question(
        "left-on-cost",
        "dropout",
        "number",
        "off-at-test",
        "Dropout with p = 0.5 is left on while testing. How many points of accuracy does that cost here?",
        "Every row is asked of one random half of the network.",
        of="lost at p = 0.5",
        scale=100,
        unit="points",
        tolerance=2,
    ),
    Question(
        "uncertainty-best",
        "dropout",
        "figure",
        "free-uncertainty",
        "How often four ways tell an unknown picture from a known one (AUROC). Which bar is the five plain networks?",
        "Passes with dropout are better than nothing where they are; networks of their own cost five trainings.",
        of="5 plain networks",
        among=("one plain network", "trained with dropout, off", "50 masks", "5 plain networks"),
    ),
    Question(
        "order-with-norm",
        "dropout",
        "choice",
        "dropout-with-batchnorm",
        "Dropout stands right before a batch norm. What goes wrong when the model is used?",
        "The norm's running variance was measured with dropout on, and dropout adds variance (Li et al. 2019).",
        options=(
            Option(
                "the norm meets less variance than it was trained with", "dropout is off now and its variance is gone"
            ),
            Option("the norm meets more variance", "dropout adds variance in training, not in use"),
            Option("nothing, for means stay the same", "means do; a norm also divides by the spread"),
            Option("dropout stays on", "model.eval() switches it off wherever it stands"),
        ),
    ),
)
