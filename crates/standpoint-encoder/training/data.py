"""Reads the labelled sets and brings them to one form: a sentence, spans in it, questions about them.

Offsets are characters of the sentence, the end exclusive. A question of sentiment is a span and a
class; a question of stance is a holder (`None` for the author's own voice), a target and a class.
"""

import gzip
import json
import random
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

NEGATIVE, NEUTRAL, POSITIVE = 0, 1, 2
VOICES = ("author", "quoted", "reported")
TIMES = ("past", "present", "future", "hypothetical")
# Capabilities whose sentences without an attitude tell of one that is only thought of.
HYPOTHETICAL = {"condition", "wish", "question"}
BYSTANDERS = 3
# What a pronoun or a description begins with, which no name takes the place of.
NO_NAMES = set("a an the this that these those he she it they we i you his her its their our my one who".split())
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
    weight: float = 1.0


@dataclass(frozen=True)
class Sentence:
    text: str
    spans: tuple[tuple[int, int], ...]
    questions: tuple[Question, ...] = field(default=())
    group: str = ""  # what equals in all sentences that must stay on one side of a split


def opened(path: Path):
    """The lines of a file, or of the compressed file beside it."""
    if path.exists():
        return gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8")
    if not (packed := path.with_name(path.name + ".gz")).exists():
        raise FileNotFoundError(f"{path} (or .gz): is this the data folder?")
    return gzip.open(packed, "rt", encoding="utf-8")


def records(path: Path) -> list[dict]:
    with opened(path) as lines:
        return [json.loads(line) for line in lines]


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


def toned(folder: Path) -> list[Sentence]:
    """Our own sentences of news with the sentiment toward each target, marked `[Name:-]`, `[Name:0]` or `[Name:+]`."""
    classes = {"-": NEGATIVE, "0": NEUTRAL, "+": POSITIVE}
    found = []
    for path in sorted(folder.glob("*.txt")):
        for line in filter(str.strip, path.read_text(encoding="utf-8").splitlines()):
            text, spans, questions = "", [], []
            # Between the marks, and in turns what they hold.
            plain, *marked = re.split(r"\[([^\[\]]+):([-0+])\]", line)
            text += plain
            for name, mark, behind in zip(marked[::3], marked[1::3], marked[2::3]):
                questions.append(Question(target=len(spans), label=classes[mark]))
                spans.append((len(text), len(text) + len(name)))
                text += name + behind
            found.append(Sentence(text, tuple(spans), tuple(questions), text))
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


def attitudes(path: Path, bystanders: bool = False) -> list[Sentence]:
    """Every ordered pair of named actors and the author toward each; what is not listed is neutral.

    With `bystanders`, other actors of the set that stand in a sentence are asked about too: in
    documents most pairs that are asked have no attitude. Not with dev sets, whose measure is defined
    without them.
    """
    return judged(records(path), bystanders)


def judged(rows: list[dict], bystanders: bool) -> list[Sentence]:
    known = {span["text"] for row in rows for a in row["attitudes"] for span in (a["holder"], a["target"]) if span}
    names = sorted((n for n in known if n[0].isupper() and 2 < len(n)), key=len, reverse=True)
    pattern = re.compile(r"\b(?:" + "|".join(map(re.escape, names)) + r")\b")
    found = []
    for row in rows:
        spans: list[tuple[int, int]] = []
        labels = {}
        for attitude in row["attitudes"]:
            holder, target = place(attitude["holder"]), place(attitude["target"])
            for span in filter(None, (holder, target)):
                if span not in spans:
                    spans.append(span)
            labels[holder, target] = attitude
        named = len(spans)
        if bystanders:
            spans += others_in(row["sentence"], spans, pattern)
        questions = []
        for holder in [None, *range(len(spans))]:
            for target in range(len(spans)):
                if holder == target:
                    continue
                attitude = labels.get((None if holder is None else spans[holder], spans[target]))
                # They are many, and now and then one is another name of an actor that is meant.
                weight = 0.5 if named <= max(target, holder or 0) else 1.0
                questions.append(question(holder, target, attitude, weight))
        if questions:
            found.append(Sentence(row["sentence"], tuple(spans), tuple(questions), row["id"].split("#")[0]))
    return found


def others_in(sentence: str, spans: list[tuple[int, int]], pattern: re.Pattern) -> list[tuple[int, int]]:
    """The places of further actors, a few, none of them akin to those that are known."""
    akin = lambda name: {word[:4].lower() for word in name.split() if word[:1].isupper()}  # noqa: E731
    taken = set().union(*(akin(sentence[a:b]) for a, b in spans)) if spans else set()
    others = []
    for match in pattern.finditer(sentence):
        clear = all(match.end() <= a or b <= match.start() for a, b in spans)
        if clear and not akin(match.group()) & taken and len(others) < BYSTANDERS:
            others.append(match.span())
            taken |= akin(match.group())
    return others


def place(span: dict | None) -> tuple[int, int] | None:
    return (span["start"], span["end"]) if span else None


def question(holder: int | None, target: int, attitude: dict | None, weight: float = 1.0) -> Question:
    if attitude is None:
        return Question(holder=holder, target=target, label=NEUTRAL, weight=weight)
    return Question(
        holder=holder,
        target=target,
        label=POSITIVE if attitude["score"] > 0 else NEGATIVE,
        strong=int(abs(attitude["score"]) == 2),
        voice=VOICES.index(attitude["voice"]),
        time=TIMES.index(attitude["time"]),
    )


def contrast(folder: Path) -> list[Sentence]:
    """Sentences of our own."""
    return [sentence for path in sorted(folder.glob("*.jsonl")) for sentence in listed(records(path))]


def listed(rows: list[dict]) -> list[Sentence]:
    """Only the pairs that a record lists are asked."""
    found = []
    for row in rows:
        asked = [(place(a["holder"]), place(a["target"]), a) for a in row["attitudes"]]
        asked += [(place(h), place(t), None) for h, t in row["neutral"]]
        spans = list(dict.fromkeys(s for h, t, _ in asked for s in (h, t) if s))
        only_thought = row["capability"] in HYPOTHETICAL and not row["attitudes"]
        questions = []
        for holder, target, attitude in asked:
            made = question(None if holder is None else spans.index(holder), spans.index(target), attitude)
            questions.append(replace(made, time=TIMES.index("hypothetical")) if only_thought else made)
        if questions:
            found.append(Sentence(row["sentence"], tuple(spans), tuple(questions), row["id"].split("#")[0]))
    return found


def is_name(written: str) -> bool:
    """Whether it is a name, and no pronoun or description."""
    first = written.split()[0] if written.strip() else ""
    # WHO is a name, and "Who" is none.
    is_acronym = 1 < len(first) and first.isupper()
    return first[:1].isupper() and (is_acronym or first.lower() not in NO_NAMES)


def with_other_names(sentence: Sentence, names: list[str], chance: random.Random) -> Sentence:
    """Puts other names in the places of the spans, so that what is learned is not who is who."""
    order = sorted(range(len(sentence.spans)), key=lambda i: sentence.spans[i])
    text, at, spans = "", 0, [(0, 0)] * len(order)
    for index in order:
        begin, end = sentence.spans[index]
        if begin < at:  # spans that overlap keep their words
            return sentence
        text += sentence.text[at:begin]
        name = sentence.text[begin:end]
        if is_name(name):
            name = chance.choice(names)
        spans[index] = (len(text), len(text) + len(name))
        text += name
        at = end
    text += sentence.text[at:]
    return Sentence(text, tuple(spans), sentence.questions, sentence.group)
