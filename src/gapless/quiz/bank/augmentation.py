"""Questions about data augmentation: what it changes, what it must not change, and what it is worth."""

from gapless.quiz.question import Option, Question

QUESTIONS = (
    Question(
        "rotated-corner-x",
        "augmentation",
        "formula",
        "rotation-matrix",
        "The point (x, y) is turned by t (radians, against the clock). What is its new x?",
        "The first row of the rotation matrix: cos t, -sin t.",
        formula="x * cos(t) - y * sin(t)",
        variables={"x": (-2.0, 2.0), "y": (-2.0, 2.0), "t": (-3.0, 3.0)},
    ),
    Question(
        "rotated-corner",
        "augmentation",
        "choice",
        "rotation-matrix",
        "The corner (1, 1) is turned by 90 degrees against the clock, with y upwards. Where is it?",
        "x' = cos 90 - sin 90 = -1 and y' = sin 90 + cos 90 = 1.",
        options=(
            Option("(-1, 1)", "the length stays, and the corner goes one quadrant on"),
            Option("(1, -1)", "that is with the clock"),
            Option("(0, 1.41)", "that is 45 degrees"),
            Option("(-1, -1)", "that is 180 degrees"),
        ),
    ),
    Question(
        "turned-twice",
        "augmentation",
        "choice",
        "rotation-matrix",
        "A picture is turned by 10 degrees and then by 10 more. Why is that worse than 20 degrees at once?",
        "Matrices multiply exactly; pixels are computed anew between their neighbors each time.",
        options=(
            Option("each turn blurs the pixels once", "resampling is a small blur; merged operations pay for it once"),
            Option("two turns are not the sum of their angles", "for points they are, to rounding"),
            Option("it is not: both are the same", "the points are; the pixels are not"),
            Option("the label changes", "20 degrees are 20 degrees"),
        ),
    ),
    Question(
        "six-and-nine",
        "augmentation",
        "choice",
        "labels-survive",
        "Digits turned by up to 180 degrees: what goes wrong?",
        "An operation is good only while the label is still true of the picture.",
        options=(
            Option("6 and 9 become each other", "the label is wrong for such a picture"),
            Option("nothing: more variation is always better", "variation that changes the label is noise on labels"),
            Option("the pictures get too dark", "turning moves pixels and keeps their brightness"),
            Option("batch norm can no longer count them", "their mean and spread hardly change"),
        ),
    ),
    Question(
        "lost-figure",
        "augmentation",
        "figure",
        "labels-survive",
        "How many points a network loses on digits that were varied. Which bar is 'turned 180 degrees'?",
        "Beyond the usual range a digit is another one, or none.",
        of="lost, turned 180 degrees",
        among=("lost, turned 15 degrees", "lost, scaled 0.8 to 1.2", "lost, turned 180 degrees"),
    ),
    Question(
        "worth-rows",
        "augmentation",
        "number",
        "augmentation-worth",
        "Gentle augmentation at n = 120 digits is worth how many times the rows?",
        "It is the size at which the plain network would do as well, over 120.",
        of="worth at n = 120, times",
        tolerance=0.3,
        unit="times",
    ),
    Question(
        "worth-verdict",
        "augmentation",
        "verdict",
        "augmentation-worth",
        "Augmentation is worth doubling the data. What does this machine say to that?",
        "It depends on the operations, and on how many rows there are already.",
    ),
    Question(
        "learned-verdict",
        "augmentation",
        "verdict",
        "learned-policies",
        "Learned policies beat hand-made ones. What does this machine say to that?",
        "One operation drawn at random each time is hard to beat (Müller and Hutter 2021).",
    ),
    Question(
        "small-sets-figure",
        "augmentation",
        "figure",
        "small-sets",
        "What augmentation gains at three sizes of the training set. Which bar is n = 1,000?",
        "Where rows are plenty, the variations are among them already.",
        of="gain at n = 1,000",
        among=("gain at n = 50", "gain at n = 350", "gain at n = 1,000"),
    ),
    Question(
        "negations",
        "augmentation",
        "choice",
        "text-operations",
        "Words of reviews are deleted at random as augmentation. What is the danger?",
        "'not good' without its first word is praise under the label of a complaint.",
        options=(
            Option("a deleted 'not' turns the opinion", "the label is then wrong"),
            Option("the texts get shorter", "that does a bag of words no harm"),
            Option("words get another embedding", "the table stays as it is"),
            Option("there is none", "see how many opinions were turned, with and without protection"),
        ),
    ),
    Question(
        "range-only",
        "augmentation",
        "choice",
        "learned-invariance",
        "Trained with turns of up to 30 degrees. How steady are its answers for pictures turned by 90?",
        "What is learned is the range, not the rotation: no one told the network of a group.",
        options=(
            Option("hardly steadier than without", "90 degrees were never seen"),
            Option("as steady as within 30 degrees", "that would need a network that knows rotations by its build"),
            Option("perfectly steady", "not even within 30 degrees"),
            Option("far less steady than without", "what is outside is neither practised nor unlearned"),
        ),
    ),
    Question(
        "mixup-target",
        "augmentation",
        "formula",
        "mixing-pictures",
        "Mixup: picture a with weight l and picture b with the rest. The loss of the mixture, in l, A and B "
        "(losses for each label)?",
        "Cross-entropy is linear in the target, so the mixed target gives the mixed loss.",
        formula="l * A + (1 - l) * B",
        variables={"l": (0.0, 1.0), "A": (0.1, 3.0), "B": (0.1, 3.0)},
    ),
    Question(
        "bug-hard-labels",
        "augmentation",
        "bug",
        "mixing-pictures",
        "Mixup that makes the network worse. Which line is the bug?",
        "The picture is part a and part b, and the label says a alone.",
        code="""
for x, y in loader:
    share = torch.distributions.Beta(0.2, 0.2).sample()
    other = torch.randperm(len(x))
    mixed = share * x + (1 - share) * x[other]
    loss = cross_entropy(model(mixed), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
""",
        line=5,
        others={2: "Beta(0.2, 0.2) is the usual draw.", 3: "each picture gets a partner of the same batch."},
    ),
    Question(
        "bug-varied-test",
        "augmentation",
        "bug",
        "labels-survive",
        "The accuracy on new pictures is lower than it should be and differs each time. Which line is the bug?",
        "New pictures are scored as they are; varied ones are another, harder set.",
        code="""
varied = Compose([RandomRotation(15), RandomResizedCrop(32), ToTensor()])
plain = Compose([Resize(32), ToTensor()])
train = ImageFolder("train", transform=varied)
test = ImageFolder("test", transform=varied)
model = fit(build(), train)
model.eval()
print(accuracy(model, test))
""",
        line=4,
        others={3: "training pictures are meant to be varied.", 2: "that is what the test pictures should have got."},
    ),
)
