"""Checks every file of this folder and counts what it asks: `python check.py [--counts]`.

Stops with 1 and says where, when a record breaks a rule of README.md.
"""

import collections
import json
import re
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
KEYS = ["id", "capability", "author", "context", "sentence", "actors", "attitudes", "neutral"]
MIN_SENTENCES = 24
CLASSES = ("negative", "neutral", "positive")


def faults_of(record: dict, capability: str):
    """Yields what is wrong with a record, in words."""
    if list(record) != KEYS:
        yield f"keys are {list(record)}, expected {KEYS}"
        return
    if not re.fullmatch(re.escape(capability) + r"-\d{2,3}#[a-h]", record["id"]) or record["capability"] != capability:
        yield f"capability or id does not fit the file's name {capability}"
    sentence, actors = record["sentence"], record["actors"]
    words = len(sentence.split())
    if not 3 <= words <= 45:
        yield f"has {words} words, expected 3 to 45"
    for span in actors:
        yield from faults_of_span(span, sentence)
    places = sorted((span["start"], span["end"]) for span in actors)
    if any(a[1] > b[0] for a, b in zip(places, places[1:], strict=False)):
        yield "actors overlap or stand twice"
    asked = [(a["holder"], a["target"]) for a in record["attitudes"]] + [tuple(pair) for pair in record["neutral"]]
    for holder, target in asked:
        if target not in actors or (holder is not None and holder not in actors):
            yield "asks for a span that is not among its actors"
        if holder == target:
            yield "asks what somebody thinks of himself"
    if len({json.dumps(pair) for pair in asked}) != len(asked):
        yield "asks the same pair twice"
    if not asked:
        yield "asks nothing"
    for attitude in record["attitudes"]:
        if attitude["score"] not in (-2, -1, 1, 2):
            yield f"score is {attitude['score']}"
        if attitude["voice"] not in ("author", "quoted", "reported") or attitude["time"] not in ("past", "present", "future"):
            yield "voice or time is unknown"


def faults_of_span(span: dict, sentence: str):
    start, end, text = span["start"], span["end"], span["text"]
    if sentence[start:end] != text:
        yield f"{start}..{end} is `{sentence[start:end]}`, expected `{text}`"
        return
    # First occurrence as a whole word: `Niger` inside `Nigeria` does not count.
    first = re.search(rf"(?<!\w){re.escape(text)}(?!\w)", sentence)
    if first is None or first.start() != start:
        yield f"`{text}` does not stand there first, or not as a whole word"


def classes_of(record: dict):
    for attitude in record["attitudes"]:
        yield "positive" if attitude["score"] > 0 else "negative"
    yield from ["neutral"] * len(record["neutral"])


def main() -> int:
    counts, faults, seen = {}, [], {}
    for path in sorted(FOLDER.glob("*.jsonl")):
        records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        if len(records) < MIN_SENTENCES:
            faults.append(f"{path.name}: {len(records)} sentences, expected at least {MIN_SENTENCES}")
        for record in records:
            where = record.get("id", path.name)
            faults += [f"{where}: {fault}" for fault in faults_of(record, path.stem)]
            key = record["context"], record["sentence"]
            if key in seen:
                faults.append(f"{where}: the same sentence as {seen[key]}")
            seen[key] = where
        counts[path.stem] = collections.Counter(c for record in records for c in classes_of(record))
        counts[path.stem]["sentences"] = len(records)
    if not counts:
        faults.append(f"{FOLDER}: no *.jsonl to check")
    print(*faults, sep="\n", end="\n" if faults else "", file=sys.stderr)
    if "--counts" in sys.argv[1:]:
        print("| capability | sentences | negative | neutral | positive |\n|---|---|---|---|---|")
        for name, row in [*counts.items(), ("all", sum(counts.values(), collections.Counter()))]:
            print(f"| `{name}` | {row['sentences']} | " + " | ".join(str(row[c]) for c in CLASSES) + " |")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
