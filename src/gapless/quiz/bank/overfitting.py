"""Questions about overfitting: learning by heart, the gap, and data from elsewhere."""

from gapless.quiz.question import Option, Question

QUESTIONS = (
    Question(
        "random-labels-fit",
        "overfitting",
        "number",
        "random-labels",
        "Every label of the training rows is drawn at random. What share of them does the network get right "
        "in the end?",
        "A network with more weights than rows can store any answer. Training accuracy says how much it can store.",
        of="training rows, all labels random",
        scale=100,
        unit="%",
        tolerance=3,
    ),
    Question(
        "random-labels-new",
        "overfitting",
        "choice",
        "random-labels",
        "The same network, trained on random labels of ten classes: what does it get of new rows?",
        "Nothing general was there to be learned, and so nothing general was.",
        options=(
            Option("about one in ten", "with ten classes that is chance"),
            Option("about half", "half would need a rule that holds on half of the digits; random labels follow none"),
            Option(
                "as much as of the training rows", "that is what no gap would mean; here the gap is as wide as it gets"
            ),
            Option("none at all", "to be wrong on all of them it would have to know the right answers"),
        ),
    ),
    Question(
        "read-the-curve",
        "overfitting",
        "choice",
        "gap-by-size",
        "Training accuracy is 100 % from epoch 20 on, new rows stay at 85 % and do not fall. What is it?",
        "Overfitting is the gap, not a U-turn: on small sets the curve of new rows often just stays flat below.",
        options=(
            Option("overfitting", "the gap of 15 points is what it means"),
            Option("underfitting", "then the training rows would be wrong as well"),
            Option(
                "no overfitting, for the curve does not turn down",
                "a loss with a U-turn is one sign of it, not the thing",
            ),
            Option("a leak of test rows into training", "a leak makes new rows look too good, not too bad"),
        ),
    ),
    Question(
        "gap-smallest-set",
        "overfitting",
        "figure",
        "gap-by-size",
        "The gap at several sizes of the training set. Which bar is n = 60?",
        "The gap shrinks about like a power of n: with fewer rows there is less to hold a network to.",
        of="gap at n = 60",
        among=("gap at n = 60", "gap at n = 250", "gap at n = 1,000"),
    ),
    Question(
        "gap-closed-shift-open",
        "overfitting",
        "choice",
        "other-hospital",
        "A regularized model has half the gap at hospital A. At hospital B the pictures are inverted. What "
        "do you expect there?",
        "Regularization closes the gap to new rows of the same kind. Rows of another kind are another problem.",
        options=(
            Option("it fails there as well", "the drop from A to B is a shift, not overfitting"),
            Option(
                "half the loss of the plain model",
                "the gap at A says nothing about pictures that neither model has seen",
            ),
            Option("no loss: it generalizes", "generalizing is meant within one distribution"),
            Option("it does better than at A", "nothing makes B easier"),
        ),
    ),
    Question(
        "matching-weather",
        "overfitting",
        "figure",
        "other-weather",
        "Trained with noise on the pictures. What is gained in four kinds of weather: which bar is noise?",
        "It helps under what was trained on, and little under the rest (Geirhos et al. 2018).",
        of="noise at 0.8",
        among=("noise at 0.8", "blur at 0.8", "contrast at 0.8", "fog at 0.8"),
    ),
    Question(
        "bigger-nets-verdict",
        "overfitting",
        "verdict",
        "bigger-nets",
        "Bigger networks overfit more. What does this machine say to that?",
        "Width adds room for learning by heart and makes smooth solutions easier to find at the same time "
        "(double descent).",
    ),
    Question(
        "bug-tuned-on-test",
        "overfitting",
        "bug",
        "gap-by-size",
        "The paper reports the accuracy that this prints. Which line makes it too good?",
        "The epoch is chosen by its accuracy on the test rows, so the best of 50 lucky numbers is reported.",
        code="""
train, rest = split(rows, 0.6, seed=0)
valid, test = split(rest, 0.5, seed=0)
model = build()
best = 0.0
for epoch in range(50):
    train_one_epoch(model, train)
    model.eval()
    best = max(best, accuracy(model, test))
print(best)
""",
        line=8,
        others={
            2: "test is apart from valid and from train.",
            7: "scoring is done in evaluation mode, as it should be.",
        },
    ),
)
