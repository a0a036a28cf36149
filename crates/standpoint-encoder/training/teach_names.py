"""What a larger tagger (the teacher) says of texts that nobody labelled.

    standpoint run CORPUS -o results.jsonl
    python teach_names.py ENCODER teacher-names.pt results.jsonl taught-names.pt [--sentences 30000]

Sentences are those that the program finds. `train_names.py --taught taught-names.pt` learns from what is written.
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
from train_names import batches, padded, tag

# The share of sentences that are written as the sets are, with all tokens parted by spaces.
PARTED = 0.3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("encoder", type=Path, help="the folder that the teacher began as")
    parser.add_argument("teacher", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--sentences", type=int, default=30_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    chance = random.Random(options.seed)
    found = []
    with options.results.open(encoding="utf-8") as lines:
        for line in map(json.loads, lines):
            text, tokens = line["text"], line["tokens"]
            for sentence in line["sentences"]:
                begin, end = sentence["start"], sentence["end"]
                written = text[begin:end].replace("\n", " ")
                if not 25 <= len(written) <= 600 or written[1:].islower():
                    continue
                if chance.random() < PARTED:
                    inside = [t for t in tokens if begin <= t["start"] and t["end"] <= end]
                    written = " ".join(text[t["start"] : t["end"]] for t in inside)
                found.append(written)
    found = list(dict.fromkeys(found))
    chance.shuffle(found)
    tokens = tokenizer()
    items = [item for text in found[: options.sentences] if (item := tag(tokens, names.Text(text, ())))]
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


if __name__ == "__main__":
    main()
