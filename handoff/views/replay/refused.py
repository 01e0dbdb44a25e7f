"""The error for a question that cannot be answered."""


class QuestionRefused(Exception):
    """The question's ``field`` is invalid; ``sentence`` explains why."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(f"{field}: {sentence}")
        self.field = field
        self.sentence = sentence
