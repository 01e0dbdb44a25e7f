"""A question that has no answer, and the part of it to blame: the asker is told."""


class QuestionRefused(Exception):
    """``field`` of the question is wrong: ``sentence`` says how."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(f"{field}: {sentence}")
        self.field = field
        self.sentence = sentence
