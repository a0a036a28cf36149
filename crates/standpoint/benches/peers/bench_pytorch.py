#!/usr/bin/env python3
"""The networks in PyTorch, over every sentence: what reading everything would cost.

    bench_pytorch.py SENTENCES.jsonl CHECKPOINT encoder|both

`both` runs the encoder, and then the three layers of the tagger of names, with the weights that they begin
with. SENTENCES holds a list of sentences a line, one line for each document; CHECKPOINT is what
`training/prune.py` wrote. Sentences are sorted by length and run in batches of 32, in 32 bits, on
as many threads as OMP_NUM_THREADS says. Nothing is judged.
"""
import json
import pathlib
import sys

import torch

TRAINING = pathlib.Path(__file__).resolve().parents[3] / "standpoint-encoder/training"
sys.path.insert(0, str(TRAINING))

from model import LONGEST, Network, Tagger, tokenizer  # noqa: E402
from names import SHAPES, TAGS  # noqa: E402

BATCH = 32

source, checkpoint, which = sys.argv[1:4]
network = Network.of_checkpoint(pathlib.Path(checkpoint)).eval()
tagger = Tagger(SHAPES, TAGS).eval()
tokens = tokenizer()
count = 0
with open(source, encoding="utf-8") as lines, torch.inference_mode():
    found = [
        tokens.encode(sentence).ids[:LONGEST]
        for line in lines
        for sentence in json.loads(line)
    ]
    found.sort(key=len)
    batches = []
    for first in range(0, len(found), BATCH):
        batch = found[first : first + BATCH]
        longest = len(batch[-1])
        ids = torch.zeros(len(batch), longest, dtype=torch.long)
        mask = torch.zeros(len(batch), longest, dtype=torch.long)
        for row, pieces in enumerate(batch):
            ids[row, : len(pieces)] = torch.tensor(pieces)
            mask[row, : len(pieces)] = 1
        batches.append((ids, mask))
    for ids, mask in batches:
        count += len(network.encode(ids, mask))
        if which == "both":
            tagger(ids, torch.zeros_like(ids), mask)
print(json.dumps({"sentences read": count}))
