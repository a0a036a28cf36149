"""Joins our labels of real sentences with the texts they are of: `python labels.py DATA_FOLDER > labelled.jsonl`.

The records have the form of `contrast`: sentence, actors, attitudes, and as `neutral` every other
ordered pair of actors and the author toward each. `--documents documents-dev DATA_FOLDER` writes the labelled
documents of a file in the form of `stance-documents`, and `--agreement DATA_FOLDER` says how
far labels agree. What is written holds sentences of the corpora: it stays out of the repository.
"""

import collections
import gzip
import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

LABELS = Path(__file__).parent / "labels"
CORPORA = {
    "news-corpus": "news-corpus/news.jsonl.gz",
    "un-general-debate": "un-general-debate/speeches-2014-2021.jsonl.gz",
}


def labelled(data: Path, names: tuple[str, ...] = ("first", "turns", "third", "fourth", "passages")) -> list[dict]:
    """Returns the labelled sentences of `labels/*.jsonl` with their texts from the folder `data`."""
    rows = [row for name in names for row in stored(name)]
    documents = texts_of({(row["corpus"], row["document"]) for row in rows}, data)
    return [join(row, documents[row["corpus"], row["document"]]) for row in rows]


def stored(name: str) -> list[dict]:
    return [json.loads(line) for line in (LABELS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def texts_of(wanted: set[tuple[str, str]], data: Path) -> dict[tuple[str, str], dict]:
    found = {}
    for corpus, file in CORPORA.items():
        with gzip.open(data / file, "rt", encoding="utf-8") as lines:
            for document in map(json.loads, lines):
                if (corpus, document["id"]) in wanted:
                    found[corpus, document["id"]] = document
    if missing := sorted(wanted - set(found)):
        raise LookupError(f"{data} lacks {len(missing)} labelled documents, the first is {missing[0]}: is it the data folder?")
    return found


def join(row: dict, document: dict) -> dict:
    text = document["text"]
    # The spans count the characters of a sentence on one line: speeches are broken into short ones.
    sentence = " ".join(text[row["start"] : row["end"]].split())
    if hashlib.sha256(sentence.encode()).hexdigest()[:8] != row["sha256"]:
        raise ValueError(f"{row['id']}: the text is not the one that was labelled")
    span = lambda place: place and {"start": place[0], "end": place[1], "text": sentence[place[0] : place[1]]}  # noqa: E731
    return {
        "id": row["id"],
        "capability": "labelled",
        "author": document.get("speaker"),
        "context": " ".join(text[row["context_start"] : row["start"]].split()),
        "sentence": sentence,
        "actors": [span(place) for place in row["actors"]],
        "attitudes": [a | {"holder": span(a["holder"]), "target": span(a["target"])} for a in row["attitudes"]],
        "neutral": [[span(holder), span(target)] for holder, target in other_pairs(row)],
    }


def documents(data: Path, name: str) -> Iterator[dict]:
    """Yields the labelled documents of `labels/{name}.jsonl`, for `standpoint evaluate stance`."""
    rows = stored(name)
    texts = texts_of({(row["corpus"], row["document"]) for row in rows}, data)
    for row in rows:
        document = texts[row["corpus"], row["document"]]
        text = document["text"]
        if hashlib.sha256(text.encode()).hexdigest()[:8] != row["sha256"]:
            raise ValueError(f"{row['document']}: the text is not the one that was labelled")
        places = lambda actor: [{"start": start, "end": end} for start, end in actor["evidence"]]  # noqa: E731
        yield {
            "id": row["document"],
            "title": document["title"],
            "author": row["author"],
            "published": document["date"],
            "text": text,
            "target": row["target"],
            "actors": [actor | {"evidence": places(actor)} for actor in row["actors"]],
        }


def other_pairs(row: dict) -> Iterator[tuple]:
    if "asked" in row:  # of a passage, only what its last sentence says of the target
        yield from row["asked"]
        return
    told = [(a["holder"], a["target"]) for a in row["attitudes"]]
    own = row.get("own", ())
    for holder in [None, *row["actors"]]:
        for target in row["actors"]:
            # Nobody is asked about himself, nor the speaker about his own state.
            himself = holder == target or (holder is None and target in own)
            if not himself and (holder, target) not in told:
                yield holder, target


def print_agreement(data: Path) -> None:
    """Compares our passes with each other, and with those who labelled `attitudes`, pair by pair."""
    for labels, again in (
        ("first", "second-pass"),
        ("third", "second-pass-third"),
        ("fourth", "second-pass-fourth"),
    ):
        one = {row["id"]: classes_of(row) for row in stored(labels)}
        print_kappa(f"{labels} and {again}", one, {row["id"]: classes_of(row) for row in stored(again)})

    blind = {row["id"]: row for row in stored("blind-of-attitudes")}
    theirs = {}
    with gzip.open(data / "attitudes/train.jsonl.gz", "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            if row["id"] in blind:
                place = lambda span: span and [span["start"], span["end"]]  # noqa: E731
                told = [a | {"holder": place(a["holder"]), "target": place(a["target"])} for a in row["attitudes"]]
                theirs[row["id"]] = classes_of({"actors": blind[row["id"]]["actors"], "attitudes": told})
    print_kappa("ours and `attitudes`", theirs, {name: classes_of(row) for name, row in blind.items()})


def classes_of(row: dict) -> dict:
    found = {(str(holder), str(target)): "neutral" for holder, target in other_pairs(row)}
    for a in row["attitudes"]:
        found[str(a["holder"]), str(a["target"])] = "positive" if a["score"] > 0 else "negative"
    return found


def print_kappa(title: str, one: dict[str, dict], two: dict[str, dict]) -> None:
    confusion: collections.Counter = collections.Counter()
    for name in one.keys() & two.keys():
        confusion.update((one[name][pair], two[name][pair]) for pair in one[name].keys() & two[name].keys())
    total, classes = sum(confusion.values()), ("negative", "neutral", "positive")
    by_side = [collections.Counter(), collections.Counter()]
    for sides, count in confusion.items():
        for side, name in zip(by_side, sides, strict=True):
            side[name] += count
    scores = [2 * confusion[name, name] / (by_side[0][name] + by_side[1][name]) for name in classes]
    equal = sum(confusion[name, name] for name in classes) / total
    by_chance = sum(by_side[0][name] * by_side[1][name] for name in classes) / total**2
    print(f"{title}: {len(one.keys() & two.keys())} sentences, {total} pairs, kappa {(equal - by_chance) / (1 - by_chance):.3f}")
    print("  F1 " + ", ".join(f"{name} {score:.3f}" for name, score in zip(classes, scores, strict=True)))


def main() -> None:
    if sys.argv[1] == "--agreement":
        print_agreement(Path(sys.argv[2]))
        return
    if sys.argv[1] == "--documents":
        records = documents(Path(sys.argv[3]), sys.argv[2])
    else:
        records = labelled(Path(sys.argv[1]))
    for record in records:
        print(json.dumps(record, ensure_ascii=False))


if __name__ == "__main__":
    main()
