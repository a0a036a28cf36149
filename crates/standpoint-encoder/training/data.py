"""Reads the labelled sets and brings them to one form: a sentence, spans in it, questions about them.

Offsets are characters of the sentence, the end exclusive. A question of sentiment is a span and a
class; a question of stance is a holder (`None` for the author's own voice), a target and a class.
"""

import gzip
import json
import random
import re
from dataclasses import dataclass, field
from pathlib import Path

NEGATIVE, NEUTRAL, POSITIVE = 0, 1, 2
VOICES = ("author", "quoted", "reported")
TIMES = ("past", "present", "future")
UNKNOWN = -100  # what the loss passes over


@dataclass(frozen=True)
class Question:
    """What is asked of a sentence; spans are indices into `Sentence.spans`."""

    target: int
    label: int
    holder: int | None = None
    strong: int = UNKNOWN
    voice: int = UNKNOWN
    time: int = UNKNOWN


@dataclass(frozen=True)
class Sentence:
    text: str
    spans: tuple[tuple[int, int], ...]
    questions: tuple[Question, ...] = field(default=())
    group: str = ""  # what equals in all sentences that must stay on one side of a split


def records(path: Path):
    for candidate in (path, path.with_name(path.name + ".gz")):
        if candidate.exists():
            opened = gzip.open(candidate, "rt", encoding="utf-8") if candidate.suffix == ".gz" else candidate.open(encoding="utf-8")
            with opened as lines:
                return [json.loads(line) for line in lines]
    raise FileNotFoundError(f"{path} (or .gz): is this the data folder?")


def newsmtsc(path: Path) -> list[Sentence]:
    """Questions about one sentence are joined, so that it is encoded once."""
    by_text: dict[str, tuple[list, list]] = {}
    for row in records(path):
        begin, end = row["from"], row["to"]
        if row["sentence"][begin:end] != row["mention"]:
            continue
        spans, questions = by_text.setdefault(row["sentence"], ([], []))
        questions.append(Question(target=len(spans), label=int(row["polarity"]) + 1))
        spans.append((begin, end))
    return [Sentence(text, tuple(s), tuple(q), text) for text, (s, q) in by_text.items()]


def sentfin(path: Path) -> list[Sentence]:
    classes = {"negative": NEGATIVE, "neutral": NEUTRAL, "positive": POSITIVE}
    found = []
    for row in records(path):
        spans, questions = [], []
        for name, label in row["targets"].items():
            begin = row["text"].find(name)
            if begin >= 0:
                questions.append(Question(target=len(spans), label=classes[label]))
                spans.append((begin, begin + len(name)))
        if spans:
            found.append(Sentence(row["text"], tuple(spans), tuple(questions), row["text"]))
    return found


def directed(path: Path) -> list[Sentence]:
    """Both directions of each pair are asked; brackets are taken off."""
    found = []
    for row in records(path):
        marked, label = row["text_marked"], row["label"]
        places = [(m.start(), m.end(), m.group(1)) for m in re.finditer(r"\[([^\[\]]*)\]", marked)]
        names = [row["p"], row["q"]]
        names = [n if f"[{n}]" in marked else n.strip('"') for n in names]
        p = next((x for x in places if x[2] == names[0]), None)
        q = next((x for x in places if x[2] == names[1] and x is not p), None)
        if p is None or q is None:
            continue
        text, spans, at = "", {}, 0
        for begin, end, name in sorted((p, q)):
            text += marked[at:begin]
            spans[begin] = (len(text), len(text) + len(name))
            text += name
            at = end
        text += marked[at:]
        forth = {1: POSITIVE, 3: NEGATIVE}.get(label, NEUTRAL)
        back = {2: POSITIVE, 4: NEGATIVE}.get(label, NEUTRAL)
        questions = (
            Question(holder=0, target=1, label=forth),
            Question(holder=1, target=0, label=back),
        )
        found.append(Sentence(text, (spans[p[0]], spans[q[0]]), questions, text))
    return found


def attitudes(path: Path) -> list[Sentence]:
    """Every ordered pair of named actors and the author toward each; what is not listed is neutral."""
    found = []
    for row in records(path):
        spans: list[tuple[int, int]] = []
        labels = {}
        for attitude in row["attitudes"]:
            place = lambda s: (s["start"], s["end"])  # noqa: E731
            holder = attitude["holder"] and place(attitude["holder"])
            target = place(attitude["target"])
            for span in filter(None, (holder, target)):
                if span not in spans:
                    spans.append(span)
            labels[holder, target] = attitude
        questions = []
        for holder in [None, *spans]:
            for target in spans:
                if holder == target:
                    continue
                index = None if holder is None else spans.index(holder)
                known = labels.get((holder, target))
                if known is None:
                    questions.append(Question(holder=index, target=spans.index(target), label=NEUTRAL))
                    continue
                score = known["score"]
                questions.append(
                    Question(
                        holder=index,
                        target=spans.index(target),
                        label=POSITIVE if score > 0 else NEGATIVE,
                        strong=int(abs(score) == 2),
                        voice=VOICES.index(known["voice"]),
                        time=TIMES.index(known["time"]),
                    )
                )
        if questions:
            found.append(Sentence(row["sentence"], tuple(spans), tuple(questions), row["id"].split("#")[0]))
    return found


def with_other_names(sentence: Sentence, names: list[str], chance: random.Random) -> Sentence:
    """Puts other names in the places of the spans, so that what is learned is not who is who."""
    order = sorted(range(len(sentence.spans)), key=lambda i: sentence.spans[i])
    text, at, spans = "", 0, [(0, 0)] * len(order)
    for index in order:
        begin, end = sentence.spans[index]
        if begin < at:  # spans that overlap keep their words
            return sentence
        text += sentence.text[at:begin]
        name = chance.choice(names)
        spans[index] = (len(text), len(text) + len(name))
        text += name
        at = end
    text += sentence.text[at:]
    return Sentence(text, tuple(spans), sentence.questions, sentence.group)
