"""Marks words that soften a statement."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from standpoint_stage import Document, Stage, serve

USUAL = ["perhaps", "reportedly", "allegedly", "apparently", "might", "may"]


class Hedge(Stage):
    name = "hedge"
    version = "1.0.0"
    description = "marks words that soften a statement"
    reads = ["tokens"]
    writes = ["hedges"]

    @dataclass
    class Settings:
        words: list[str] = field(
            default_factory=lambda: list(USUAL),
            metadata={"description": "The words to mark, in lower case."},
        )

    def start(self) -> None:
        self.words = set(self.settings.words)
        logging.getLogger("hedge").info("%d words", len(self.words))

    def process(self, document: Document) -> None:
        tokens, words = document.tokens, self.words
        found = zip(tokens.texts(), tokens.starts, tokens.ends)
        document.write("hedges", [(s, e, "hedge") for word, s, e in found if word.lower() in words])


if __name__ == "__main__":
    serve(Hedge)
