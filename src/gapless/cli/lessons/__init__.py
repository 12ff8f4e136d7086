"""The lesson's commands: the lab, the quiz, the pages in the browser."""
