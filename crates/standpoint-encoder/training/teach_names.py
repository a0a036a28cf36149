"""What a larger tagger (the teacher) says of texts that nobody labelled.

    standpoint run CORPUS -o results.jsonl
    python teach_names.py ENCODER teacher-names.pt taught-names.pt results.jsonl ... [--sentences 30000]

Sentences are those that the program finds, so many of each file. `train_names.py --taught taught-names.pt` learns from
what is written, and the tagger of the fast chain from the same as tokens with tags (`--bio taught.bio`).
"""

import argparse
import json
import random
import time
from pathlib import Path

import torch

import names
from model import Tagger, tokenizer
from names import SHAPES, TAGS
from train_names import batches, names_of, padded, tag

# What the tagger of the fast chain calls each kind of names.
CLASSES = {names.PERSON: "PER", names.ORGANISATION: "ORG", names.PLACE: "LOC"}
# The share of sentences that are written as the sets are, with all tokens parted by spaces.
PARTED = 0.3


def sentences_of(line: dict, chance: random.Random):
    """The sentences of a result line, each with the places of its tokens; some with all tokens parted."""
    text = line["text"]
    for sentence in line["sentences"]:
        begin, end = sentence["start"], sentence["end"]
        written = text[begin:end].replace("\n", " ")
        if not 25 <= len(written) <= 600 or written[1:].islower():
            continue
        places = [(t["start"] - begin, t["end"] - begin) for t in line["tokens"] if begin <= t["start"] and t["end"] <= end]
        if chance.random() < PARTED:
            words = [written[a:b] for a, b in places]
            written, places = " ".join(words), []
            for word in words:
                start = places[-1][1] + 1 if places else 0
                places.append((start, start + len(word)))
        yield written, places


def as_bio(text: str, places: list[tuple[int, int]], found: list[tuple[int, int, int, float]]) -> str:
    """Tokens with the names' tags, a line each."""
    lines = []
    for a, b in places:
        name = next(((n, kind) for n, (begin, end, kind, _) in enumerate(found) if begin < b and a < end), None)
        tag_of = "O"
        if name:
            follows = a > found[name[0]][0]
            tag_of = ("I-" if follows else "B-") + CLASSES.get(name[1], "MISC")
        lines.append(f"{text[a:b]}\t{tag_of}\n")
    return "".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("encoder", type=Path, help="the folder that the teacher began as")
    parser.add_argument("teacher", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("results", type=Path, nargs="+")
    parser.add_argument("--sentences", type=int, default=30_000)
    parser.add_argument("--bio", type=Path, help="where the names are written as tokens with tags, too")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    chance = random.Random(options.seed)
    found, texts = {}, []
    for results in options.results:
        with results.open(encoding="utf-8") as lines:
            of_file = {text: places for line in lines for text, places in sentences_of(json.loads(line), chance)}
        new = [text for text in of_file if text not in found]
        texts += chance.sample(new, min(len(new), options.sentences))
        found |= of_file
    tokens = tokenizer()
    asked = [(text, item) for text in texts if (item := tag(tokens, names.Text(text, ())))]
    items = [item for _, item in asked]
    print(f"{len(items)} of {len(found)} sentences", flush=True)

    known = torch.load(options.teacher, map_location="cpu")
    net = Tagger(SHAPES, TAGS, known["layers"], folder=options.encoder).eval()
    net.load_state_dict(known["network"])
    taught, begun = [], time.monotonic()
    for number, batch in enumerate(batches(items, None)):
        ids, shapes, mask, _ = padded(batch)
        with torch.no_grad():
            scores = net(ids, shapes, mask)
        taught += [(item, scores[row, [first for _, _, first in item.words]].half()) for row, item in enumerate(batch)]
        if number % 50 == 0:
            print(f"{len(taught)} {time.monotonic() - begun:.0f} s", flush=True)
    torch.save(taught, options.out)
    if options.bio:
        text_of = {id(item): text for text, item in asked}
        with options.bio.open("w", encoding="utf-8") as out:
            for item, scores in taught:
                text = text_of[id(item)]
                out.write(as_bio(text, found[text], names_of(item, scores.float())))


if __name__ == "__main__":
    main()
