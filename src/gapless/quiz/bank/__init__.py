"""All questions, one file a theme, in the order of the lesson."""

from gapless.quiz.bank import augmentation, batchnorm, decay, dropout, overfitting, together
from gapless.quiz.question import Question

BANK: tuple[Question, ...] = (
    *overfitting.QUESTIONS,
    *dropout.QUESTIONS,
    *batchnorm.QUESTIONS,
    *decay.QUESTIONS,
    *augmentation.QUESTIONS,
    *together.QUESTIONS,
)
