#!/usr/bin/env python3
"""The networks in PyTorch, over every sentence: what reading everything would cost.

    bench_pytorch.py SENTENCES.jsonl CHECKPOINT encoder|both

`both` runs the encoder, and then three of its six layers once more, which is what the tagger of
names has. SENTENCES holds a list of sentences a line, one line for each document; CHECKPOINT is what
`training/train.py` wrote, or `-` for the model that it begins with. Sentences are sorted by length
and run in batches of 32, in 32 bits, on as many threads as OMP_NUM_THREADS says. Nothing is judged.
"""
import json
import pathlib
import sys

import torch

TRAINING = pathlib.Path(__file__).resolve().parents[3] / "standpoint-encoder/training"
sys.path.insert(0, str(TRAINING))

from model import LONGEST, Network, tokenizer  # noqa: E402

BATCH = 32

source, checkpoint, which = sys.argv[1:4]
network = Network()
if checkpoint != "-":
    network.load_state_dict(torch.load(checkpoint, map_location="cpu")["network"], strict=False)
network.eval()
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
    layers = network.encoder.encoder.layer
    for depth in (len(layers), 3) if which == "both" else (len(layers),):
        network.encoder.encoder.layer = layers[:depth]
        for ids, mask in batches:
            count += len(network.encode(ids, mask))
print(json.dumps({"sentences read": count}))
