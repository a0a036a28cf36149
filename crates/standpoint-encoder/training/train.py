"""Trains a teacher: a whole pretrained encoder and its heads, from a data folder to a checkpoint.

    python train.py DATA_FOLDER teacher.pt --encoder FOLDER [--tasks newsmtsc,directed] [--epochs 1] [--seed 1]

`prune.py` makes a small network of it. With `--start CHECKPOINT.pt` in place of a folder it goes on from there at half
the rate. The vectors of word pieces and places and the lower third of the layers stay as they were. What is kept is
the mean of the weights over the last steps. The dev sets are only measured; nothing is chosen by them.
"""

import argparse
import json
import math
import random
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

import data
import labels
from encoder import whole_mpnet
from model import LONGEST, Mean, Network, pool, tokenizer, vocabulary

BATCH = 32
CONTRAST = Path(__file__).parent / "contrast"
PASSAGES = Path(__file__).parent / "passages"
TONES = Path(__file__).parent / "tones"
# How often a pass over the data reads each set: the small ones count most for what is shipped.
REPEATS = {
    "newsmtsc": 1,
    "tones": 2,
    "sentfin": 0.25,
    "directed": 1,
    "attitudes": 3,
    "labelled": 2,
    "contrast": 2,
    "passages": 3,
}
# The share of a set's sentences without any attitude that a pass reads: two thirds of `directed`.
KEEPS_NEUTRAL = {"directed": 0.5}
# The rarer classes weigh more: the measure is the mean over classes.
WEIGHTS = {"sentiment": [1.0, 1.0, 1.0], "stance": [1.3, 1.0, 1.6]}
# The share of sentences that are read with other names.
OTHER_NAMES = {
    "newsmtsc": 0.2,
    "tones": 0.2,
    "sentfin": 0.2,
    "directed": 0.3,
    "attitudes": 0.3,
    "labelled": 0.3,
    "contrast": 0.5,
    "passages": 0.5,
}


@dataclass
class Encoded:
    ids: list[int]
    spans: list[tuple[int, int]]  # in word pieces, [CLS] is 0
    questions: tuple[data.Question, ...]


def encode(tokens, sentence: data.Sentence) -> Encoded | None:
    found = tokens.encode(sentence.text)
    if len(found.ids) > LONGEST:
        return None
    spans = []
    for begin, end in sentence.spans:
        inside = [i for i, (a, b) in enumerate(found.offsets) if a < end and begin < b]
        if not inside:
            return None
        spans.append((inside[0], inside[-1] + 1))
    return Encoded(found.ids, spans, sentence.questions)


def batches(items: list[Encoded], chance: random.Random | None):
    """Batches of like lengths; in random order where chance is given."""
    order = list(range(len(items)))
    if chance:
        chance.shuffle(order)
        noise = {i: len(items[i].ids) + chance.uniform(-3, 3) for i in order}
    else:
        noise = {i: len(items[i].ids) for i in order}
    order.sort(key=noise.__getitem__)
    made = [order[i : i + BATCH] for i in range(0, len(order), BATCH)]
    if chance:
        chance.shuffle(made)
    return made


def passes(sentences: list, times: float, keeps_neutral: float, chance: random.Random):
    """Yields what one epoch reads of a set: the whole set so many times, or a share of it."""
    for _ in range(math.ceil(times)):
        share = min(1, times)
        yield [
            sentence
            for sentence in sentences
            if chance.random() < share
            and (any(q.label != data.NEUTRAL for q in sentence.questions) or chance.random() < keeps_neutral)
        ]


def tensors(batch: list[Encoded]) -> tuple[torch.Tensor, torch.Tensor]:
    """The numbers of a batch's word pieces, and where there are some."""
    longest = max(len(item.ids) for item in batch)
    ids = torch.zeros(len(batch), longest, dtype=torch.long)
    mask = torch.zeros(len(batch), longest, dtype=torch.long)
    for row, item in enumerate(batch):
        ids[row, : len(item.ids)] = torch.tensor(item.ids)
        mask[row, : len(item.ids)] = 1
    return ids, mask


def read(net: Network, batch: list[Encoded]) -> torch.Tensor:
    """The vectors of a batch's word pieces."""
    # In half the bits learning takes two thirds of the time, and answering half of it; so a teacher's figures
    # and those after each round of `prune.py` are of half the bits, too.
    with torch.autocast("cpu", torch.bfloat16):
        return net.encode(*tensors(batch)).float()


def answers(net: Network, vectors: torch.Tensor, batch: list[Encoded], kind: str) -> torch.Tensor:
    """The logits of every question of a batch, in order."""
    rows, targets, holders, authors = [], [], [], []
    for row, item in enumerate(batch):
        for question in item.questions:
            rows.append(row)
            targets.append(item.spans[question.target])
            authors.append(question.holder is None)
            holders.append((0, 1) if question.holder is None else item.spans[question.holder])
    rows = torch.tensor(rows)
    cls = vectors[rows, 0]
    target = pool(vectors, rows, torch.tensor(targets))
    if kind == "sentiment":
        return net.judge_sentiment(cls, target)
    holder = pool(vectors, rows, torch.tensor(holders))
    return net.judge_stance(cls, holder, torch.tensor(authors), target)


def loss_of(logits: torch.Tensor, questions: list[data.Question], kind: str) -> torch.Tensor:
    of = lambda name: torch.tensor([getattr(q, name) for q in questions])  # noqa: E731
    loss = cross_entropy(
        logits[:, :3], of("label"), weight=torch.tensor(WEIGHTS[kind]), label_smoothing=0.05, reduction="none"
    )
    loss = (loss * of("weight")).mean()
    if kind == "sentiment":
        return loss
    strong, time_of = of("strong"), of("time")
    known, timed = strong >= 0, time_of >= 0
    if known.any():
        loss = loss + 0.2 * binary_cross_entropy_with_logits(logits[known, 3], strong[known].float())
        loss = loss + 0.2 * cross_entropy(logits[known, 4:7], of("voice")[known])
    if timed.any():
        loss = loss + 0.2 * cross_entropy(logits[timed, 7:11], time_of[timed])
    return loss


def labelled_loss(net: Network, kind: str, batch: list[Encoded]) -> torch.Tensor:
    logits = answers(net, read(net, batch), batch, kind)
    return loss_of(logits, [q for item in batch for q in item.questions], kind)


def macro_f1(truth: list[int], found: list[int]) -> float:
    total = 0.0
    for label in range(3):
        hits = sum(t == f == label for t, f in zip(truth, found))
        total += 2 * hits / max(1, sum(t == label for t in truth) + sum(f == label for f in found))
    return total / 3


@torch.no_grad()
def measure(net: Network, items: list[Encoded], kind: str) -> dict[str, float]:
    learns = net.training
    net.eval()
    truth, found, side = [], [], {"voice": [], "time": [], "strong": []}
    for batch in batches(items, None):
        batch = [items[i] for i in batch]
        questions = [q for item in batch for q in item.questions]
        logits = answers(net, read(net, batch), batch, kind)
        truth += [q.label for q in questions]
        found += logits[:, :3].argmax(1).tolist()
        if kind == "stance":
            for q, row in zip(questions, logits):
                if q.strong >= 0:
                    side["strong"].append(int(row[3] > 0) == q.strong)
                    side["voice"].append(int(row[4:7].argmax()) == q.voice)
                    side["time"].append(int(row[7:11].argmax()) == q.time)
    net.train(learns)
    result = {"macro_f1": round(macro_f1(truth, found), 4), "n": len(truth)}
    result |= {k: round(sum(v) / len(v), 4) for k, v in side.items() if v}
    return result


def dev_sets(folder: Path) -> dict[str, tuple[str, list[data.Sentence]]]:
    return {
        "newsmtsc rw": ("sentiment", data.newsmtsc(folder / "newsmtsc/dev_rw.jsonl")),
        "newsmtsc mt": ("sentiment", data.newsmtsc(folder / "newsmtsc/dev_mt.jsonl")),
        "directed": ("stance", data.directed(folder / "directed-sentiment/dev.jsonl")),
        "attitudes": ("stance", data.attitudes(folder / "attitudes/dev.jsonl")),
    }


def train_sets(folder: Path) -> dict[str, tuple[str, list[data.Sentence]]]:
    return {
        "newsmtsc": ("sentiment", data.newsmtsc(folder / "newsmtsc/train.jsonl")),
        "tones": ("sentiment", data.toned(TONES)),
        "sentfin": ("sentiment", data.sentfin(folder / "sentfin/train.jsonl")),
        "directed": ("stance", data.directed(folder / "directed-sentiment/train.jsonl")),
        "attitudes": ("stance", data.attitudes(folder / "attitudes/train.jsonl", bystanders=True)),
        "labelled": ("stance", data.listed(labels.labelled(folder))),
        "contrast": ("stance", data.contrast(CONTRAST)),
        "passages": ("stance", data.contrast(PASSAGES)),
    }


def steps_of(sets: dict, tasks: list[str], tokens, chance: random.Random) -> list[tuple[str, list[Encoded]]]:
    """One pass over what has labels: the batches of each set with their kind, some sentences with other names."""
    steps = []
    for task in tasks:
        kind, found = sets[task]
        names = [name for s in found for a, b in s.spans if data.is_name(name := s.text[a:b])]
        for sentences in passes(found, REPEATS[task], KEEPS_NEUTRAL.get(task, 1), chance):
            items = []
            for sentence in sentences:
                if chance.random() < OTHER_NAMES[task]:
                    sentence = data.with_other_names(sentence, names, chance)
                if item := encode(tokens, sentence):
                    items.append(item)
            steps += [(kind, [items[i] for i in batch]) for batch in batches(items, chance)]
    return steps


def learn(net: Network, steps: list, loss_of_step, rates: tuple[float, float]) -> Network:
    """Takes one step for each batch, encoder and heads at their own rates; returns the mean of the last weights.

    What needs no gradient stays as it is.
    """
    encoder = [p for p in net.encoder.parameters() if p.requires_grad]
    heads = [p for name, p in net.named_parameters() if not name.startswith("encoder.")]
    groups = [{"params": part, "lr": rate} for part, rate in zip((encoder, heads), rates)]
    optimiser = torch.optim.AdamW(groups, weight_decay=0.01, fused=True)
    warm = max(1, len(steps) // 10)
    rate = lambda step: min((step + 1) / warm, (len(steps) - step) / max(1, len(steps) - warm))  # noqa: E731
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, rate)
    mean = Mean(net)
    net.train()
    begun = time.monotonic()
    for step, (kind, batch) in enumerate(steps, 1):
        loss = loss_of_step(net, kind, batch)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(encoder + heads, 1.0)
        optimiser.step()
        schedule.step()
        mean.follow(step)
        if step % 50 == 0:
            print(f"{step} of {len(steps)} {kind} {loss.item():.3f} {time.monotonic() - begun:.0f} s", flush=True)
    return mean.net


def measured_sets(folder: Path, tokens) -> dict[str, tuple[str, list[Encoded]]]:
    return {
        name: (kind, [item for s in found if (item := encode(tokens, s))])
        for name, (kind, found) in dev_sets(folder).items()
    }


def report(net: Network, dev: dict) -> dict:
    return {name: measure(net, items, kind) for name, (kind, items) in dev.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--encoder", type=Path, help="the folder of a pretrained MPNet")
    parser.add_argument("--tasks", default=",".join(REPEATS))
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--start", type=Path, help="a checkpoint to go on from")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, help="only so many steps, to try the program")
    options = parser.parse_args()
    if (options.start is None) == (options.encoder is None):
        parser.error("expected --encoder FOLDER to begin, or --start CHECKPOINT.pt to go on")

    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    chance = random.Random(options.seed)
    tokens = tokenizer()
    sets = train_sets(options.data)
    # All that chance decides is drawn before the first step.
    steps = []
    for _ in range(options.epochs):
        of_epoch = steps_of(sets, options.tasks.split(","), tokens, chance)
        chance.shuffle(of_epoch)
        steps += of_epoch
    steps = steps[: options.steps]
    print(f"{len(steps)} steps", flush=True)

    if options.start:
        net = Network.of_checkpoint(options.start)
    else:
        net = Network(whole_mpnet(options.encoder, vocabulary(), LONGEST))
    layers = net.encoder.layers
    for part in (net.encoder.pieces, net.encoder.places, net.encoder.norm, *layers[: len(layers) // 3]):
        part.requires_grad_(False)

    share = 0.5 if options.start else 1.0
    net = learn(net, steps, labelled_loss, (share * 4e-5, share * 5e-4))
    found = report(net, measured_sets(options.data, tokens))
    print(json.dumps({"cpu_s": round(time.process_time()), **found}), flush=True)
    net.save(options.out, dev=found)


if __name__ == "__main__":
    main()
