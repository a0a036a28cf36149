"""What is to be asked of sentences that nobody labelled, and what a teacher answers.

    standpoint run -c config/default.yaml CORPUS -o results.jsonl
    python teach.py DATA_FOLDER results.jsonl asked.pt [--sentences 30000 | --passages 11000]
    python teach.py DATA_FOLDER results.jsonl asked.pt --teacher teacher.pt --lines taught.jsonl

Whom a sentence names is read from the result lines, so the pairs that are asked about are those that the program
would ask about. Sentences of the dev sets and of the documents that we labelled are left out; those of the
training sets are asked about, too. With `--passages N` they are passages of two or three sentences, the last of which
does not name the target that the first names. `prune.py` takes the questions and asks the teacher anew, for it needs
the vectors, too; from the answers as lines the linear models of the fast chain learn.
"""

import argparse
import bisect
import itertools
import json
import random
import time
from dataclasses import replace
from pathlib import Path

import torch

import data
import labels
from model import Network, tokenizer
from train import answers, batches, dev_sets, encode, read, train_sets

ACTORS = {"person", "organisation", "country", "place", "group"}
MOST_ACTORS = 5
OTHER_NAMES = 0.3


def asked_of(line: dict, seen: set[str], kept_aside: str):
    """The sentences of a result line that name somebody, with the questions that they raise."""
    text = line["text"]
    entities = [e for e in line["entities"] if e["label"] in ACTORS]
    for sentence in line["sentences"]:
        begin, end = sentence["start"], sentence["end"]
        written = text[begin:end]
        key = normal(written)
        inside = [e for e in entities if begin <= e["start"] and e["end"] <= end]
        if not inside or key in seen or not 40 <= len(written) <= 600 or key in kept_aside:
            continue
        seen.add(key)
        # The first mention of each.
        places = {e["id"]: (e["start"] - begin, e["end"] - begin) for e in reversed(inside)}
        spans = tuple(sorted(places.values())[:MOST_ACTORS])
        yield with_all_questions(data.Sentence(written.replace("\n", " "), spans))


def passages_of(line: dict, seen: set[str], kept_aside: str, chance: random.Random):
    """Passages of a result line: who is named last is asked about one target that is named before."""
    text, sentences = line["text"], line["sentences"]
    named = [[] for _ in sentences]
    for entity in line["entities"]:
        number = bisect.bisect_right(sentences, entity["start"], key=lambda s: s["start"]) - 1
        if entity["label"] in ACTORS and 0 <= number and entity["end"] <= sentences[number]["end"]:
            named[number].append(entity)
    state = lambda entity: entity["id"].split(".")[0]  # noqa: E731
    for last in range(1, len(sentences)):
        first = max(0, last - chance.choice((1, 1, 2)))
        here = {state(e) for e in named[last]}
        targets = [e for e in named[first] if state(e) not in here and e["text"][0].isupper()]
        begin, end = sentences[first]["start"], sentences[last]["end"]
        keys = [normal(text[s["start"] : s["end"]]) for s in sentences[first : last + 1]]
        if not here or not targets or not 60 <= end - begin <= 650 or "".join(keys) in seen:
            continue
        if any(20 < len(key) and key in kept_aside for key in keys):
            continue
        seen.add("".join(keys))
        target = chance.choice(targets)
        holders = {e["id"]: e for e in reversed(named[last])}
        places = [target, *sorted(holders.values(), key=lambda e: e["start"])[: MOST_ACTORS - 1]]
        spans = tuple((e["start"] - begin, e["end"] - begin) for e in places)
        questions = tuple(data.Question(0, data.NEUTRAL, h) for h in [None, *range(1, len(spans))])
        yield data.Sentence(text[begin:end].replace("\n", " "), spans, questions)


def with_all_questions(sentence: data.Sentence) -> data.Sentence:
    """Asks for the author and every actor toward each other one, a few of them; the labels mean nothing."""
    actors = range(min(MOST_ACTORS, len(sentence.spans)))
    pairs = itertools.permutations([None, *actors], 2)
    return replace(sentence, questions=tuple(data.Question(t, data.NEUTRAL, h) for h, t in pairs if t is not None))


def as_line(sentence: data.Sentence, stances: torch.Tensor, tones: torch.Tensor) -> dict:
    """A sentence with what was answered: for each question how likely negative, neutral and positive are.

    Spans are in characters; a pair is a holder (null for the author) and a target, by number of the span.
    """
    shares = lambda logits: [[round(p, 3) for p in row] for row in logits.softmax(1).tolist()]  # noqa: E731
    return {
        "text": sentence.text,
        "spans": sentence.spans,
        "pairs": [[q.holder, q.target] for q in sentence.questions],
        "stance": shares(stances[:, :3]),
        "sentiment": shares(tones),
    }


def dev_texts(folder: Path):
    """Sentences and documents that are measured, and so are not to be learnt in any way."""
    yield from (sentence.text for _, found in dev_sets(folder).values() for sentence in found)
    yield from (row["text"] for row in data.records(folder / "stance-documents/dev.jsonl"))


def labelled_documents() -> set[str]:
    """Documents that we labelled whole, which are measured, too."""
    return {row["document"] for name in ("documents-dev", "documents-held") for row in labels.stored(name)}


def normal(written: str) -> str:
    return "".join(c for c in written.lower() if c.isalnum())


def asked(folder: Path, results: Path, of_line) -> list:
    """What is asked of all result lines but those of documents that are measured."""
    kept_aside = "|".join(normal(text) for text in dev_texts(folder))
    aside = labelled_documents()
    seen, found = set(), []
    with results.open(encoding="utf-8") as lines:
        for line in map(json.loads, lines):
            if line["source"]["id"] not in aside:
                found += of_line(line, seen, kept_aside)
    return found


def to_ask(folder: Path, results: Path, most: int, chance: random.Random) -> tuple[list, list]:
    """Sentences that nobody labelled, and those of the training sets, with other names in some."""
    found = asked(folder, results, asked_of)
    # Where nobody stands beside the target there is less to learn.
    alone = [s for s in found if len(s.spans) == 1]
    found = [s for s in found if 1 < len(s.spans)]
    print(f"{len(found)} sentences with several actors, {len(alone)} with one", flush=True)
    chance.shuffle(found)
    chance.shuffle(alone)
    found = found[: most * 3 // 4]
    found += alone[: most - len(found)]
    # What has labels is taught as well: of the pairs that nobody labelled, and how sure a label is.
    labelled = [with_all_questions(s) for _, of_set in train_sets(folder).values() for s in of_set]
    return renamed(found, found, chance), renamed(labelled, found, chance)


def passages_to_ask(folder: Path, results: Path, most: int, chance: random.Random) -> list:
    found = asked(folder, results, lambda *line: passages_of(*line, chance))
    print(f"{len(found)} passages", flush=True)
    found = chance.sample(found, min(most, len(found)))
    return renamed(found, found, chance)


def renamed(sentences: list, named_in: list, chance: random.Random) -> list:
    """Some of them with names of others."""
    names = [name for s in named_in for a, b in s.spans if data.is_name(name := s.text[a:b])]
    return [data.with_other_names(s, names, chance) if chance.random() < OTHER_NAMES else s for s in sentences]


@torch.no_grad()
def answered(net: Network, items: list):
    """The number of each item with its logits for stance and for sentiment, sentences of like length together."""
    done, begun = 0, time.monotonic()
    for number, batch in enumerate(batches(items, None)):
        of_batch = [items[i] for i in batch]
        vectors, counts = read(net, of_batch), [len(item.questions) for item in of_batch]
        stances, tones = (answers(net, vectors, of_batch, kind).split(counts) for kind in ("stance", "sentiment"))
        yield from zip(batch, stances, tones)
        done += len(batch)
        if number % 50 == 0:
            print(f"{done} of {len(items)} {time.monotonic() - begun:.0f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--sentences", type=int, default=30_000)
    parser.add_argument("--passages", type=int, help="so many passages, and no sentences")
    parser.add_argument("--teacher", type=Path, help="the checkpoint of a teacher")
    parser.add_argument("--lines", type=Path, help="where its answers to what nobody labelled are written")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    if (options.teacher is None) != (options.lines is None):
        parser.error("--teacher and --lines go together")

    torch.set_num_threads(options.threads)
    chance = random.Random(options.seed)
    if options.passages:
        unlabelled, labelled = passages_to_ask(options.data, options.results, options.passages, chance), []
    else:
        unlabelled, labelled = to_ask(options.data, options.results, options.sentences, chance)
    tokens = tokenizer()
    asked = [(s, item) for s in unlabelled if (item := encode(tokens, s))]
    torch.save([item for _, item in asked] + [item for s in labelled if (item := encode(tokens, s))], options.out)
    if options.lines:
        net = Network.of_checkpoint(options.teacher).eval()
        with options.lines.open("w", encoding="utf-8") as out:
            for i, stances, tones in answered(net, [item for _, item in asked]):
                out.write(json.dumps(as_line(asked[i][0], stances, tones), ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
