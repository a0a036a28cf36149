"""Marks phrases by rules of spaCy: its tokeniser and its matcher, without a model.

Needs spaCy: ``pip install spacy``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import spacy
from spacy.matcher import Matcher

from standpoint_stage import Document, Stage, serve

USUAL = {
    "denial": [[{"LOWER": {"IN": ["denied", "denies", "rejects", "rejected"]}}]],
    "call": [[{"LOWER": {"REGEX": "^(call|urge)(s|d|ed)?$"}}, {"LOWER": {"IN": ["for", "on"]}}]],
}


class SpacyRules(Stage):
    name = "spacy-rules"
    version = "1.0.0"
    description = "marks phrases by rules of spaCy's matcher"
    writes = ["phrases"]

    @dataclass
    class Settings:
        language: str = field(default="en", metadata={"description": "Whose tokeniser it is."})
        rules: dict[str, list] = field(
            default_factory=lambda: dict(USUAL),
            metadata={"description": "Patterns of spaCy's matcher, by the label that they give."},
        )

    def start(self) -> None:
        self.nlp = spacy.blank(self.settings.language)
        self.matcher = Matcher(self.nlp.vocab)
        for label, patterns in self.settings.rules.items():
            self.matcher.add(label, patterns)

    def process(self, document: Document) -> None:
        doc = self.nlp.make_doc(document.text)
        strings = self.nlp.vocab.strings
        matches = [(doc[first:behind], strings[label]) for label, first, behind in self.matcher(doc)]
        document.write("phrases", [(m.start_char, m.end_char, label) for m, label in matches])


if __name__ == "__main__":
    serve(SpacyRules)
