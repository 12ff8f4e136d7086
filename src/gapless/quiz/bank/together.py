"""Questions about the four pillars together, and about what one run can show."""

from gapless.quiz.question import Option, Question

QUESTIONS = (
    Question(
        "all-four-verdict",
        "together",
        "verdict",
        "all-four",
        "The four pillars together are best. What does this machine say to that?",
        "Gains are not simply added: two pillars often do the same work.",
    ),
    Question(
        "shapley-figure",
        "together",
        "figure",
        "all-four",
        "What each pillar gives, averaged over all subsets of the others. Which bar is augmentation?",
        "Augmentation brings news about the data; the others only hold the network back.",
        of="Shapley value, augment",
        among=(
            "Shapley value, dropout",
            "Shapley value, batchnorm",
            "Shapley value, decay",
            "Shapley value, augment",
        ),
    ),
    Question(
        "both-fall",
        "together",
        "choice",
        "the-trade",
        "Dropout grows from 0 to 0.95. What do the right answers on training rows and on new rows do?",
        "Up to the best strength training rows pay for new ones; beyond it nobody gains: underfitting.",
        options=(
            Option("new rows rise a little or stay, then both fall", "the trade ends at the optimum"),
            Option(
                "training rows fall, new rows rise all the way", "with 0.95 dropped there is nothing left to learn with"
            ),
            Option("both rise", "training rows never get easier by dropping units"),
            Option("neither changes", "see both ends of the figure"),
        ),
    ),
    Question(
        "what-to-do-underfit",
        "together",
        "choice",
        "the-trade",
        "70 % of the training rows right, 69 % of new ones; decay 1, dropout 0.7. What first?",
        "There is no gap to close: the network is held too tightly.",
        options=(
            Option("less regularization, or a longer training", "the training rows themselves are not learned"),
            Option("more dropout", "that makes underfitting worse"),
            Option("more rows", "more rows close a gap, and there is none"),
            Option("nothing: a gap of one point is perfect", "a model that always answers the same has no gap either"),
        ),
    ),
    Question(
        "what-to-do-gap",
        "together",
        "choice",
        "small-sets",
        "200 photos, 100 % of them right, 71 % of new ones. What is most likely to help first?",
        "Small sets gain most from variations that keep the label.",
        options=(
            Option("augmentation that keeps labels", "it stands in for rows that are missing"),
            Option("a longer training", "the training rows are all right already"),
            Option("a higher learning rate", "it changes how minima are reached, not how many rows there are"),
            Option("a test set that is easier", "then the number is better and the model is not"),
        ),
    ),
    Question(
        "strength-with-data",
        "together",
        "choice",
        "once-for-ever",
        "A recipe was tuned on 100 rows. There are 1,500 now. What should happen to its strengths?",
        "With more rows there is less chance to hold back, and holding costs the same.",
        options=(
            Option("they should be tuned again, and tend to be weaker", "the best strength falls as rows come in"),
            Option("they stay: a recipe belongs to the task", "it belongs to the task and the number of rows"),
            Option("they should grow with the rows", "more rows need less help"),
            Option("they should be multiplied by 15", "no rule of that kind was found"),
        ),
    ),
    Question(
        "one-seed",
        "together",
        "number",
        "more-seeds",
        "Dropout 0.3 and decay 0.3, compared by a single run each. In what share of the runs is the order wrong?",
        "Where two recipes are nearly as good, one run is close to a coin: why intervals are needed.",
        of="wrong order from one seed, one against the other",
        scale=100,
        unit="%",
        tolerance=5,
    ),
    Question(
        "more-rows-or-seeds",
        "together",
        "choice",
        "more-seeds",
        "Ten seeds on 50 new rows give an interval of ±6 points. What narrows it most?",
        "There are two kinds of chance, and the one of 50 rows is the larger here.",
        options=(
            Option("more new rows", "with 50 rows one row is two points, whatever the seeds say"),
            Option("a hundred seeds", "they ask the same 50 rows"),
            Option("leaving out the worst seed", "that is choosing the answer"),
            Option("a smaller learning rate", "chance in the rows stays"),
        ),
    ),
    Question(
        "bug-softmax-twice",
        "together",
        "bug",
        "the-trade",
        "It learns slowly and never gets sure of anything, with any recipe. Which line is the bug?",
        "cross_entropy takes logits and does its own softmax; of probabilities it makes nearly equal ones.",
        code="""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
    def forward(self, x):
        return self.layers(x.flatten(1)).softmax(1)
net = Net()
optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)
for x, y in loader:
    loss = functional.cross_entropy(net(x), y)
    optimizer.zero_grad(); loss.backward(); optimizer.step()
""",
        line=6,
        others={10: "the loss is right: it takes logits.", 11: "three steps in the right order."},
    ),
)
