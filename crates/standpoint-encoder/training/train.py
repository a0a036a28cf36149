"""Fine-tunes the encoder and its heads, from a data folder to a checkpoint.

    python train.py DATA_FOLDER OUT.pt [--tasks newsmtsc,directed] [--epochs 4] [--seed 1] [--start CHECKPOINT.pt]
    python train.py DATA_FOLDER teacher.pt --encoder FOLDER --epochs 2
    python train.py DATA_FOLDER OUT.pt --taught taught.pt

A larger encoder makes a teacher, and what it says of more sentences (`teach.py`) can be learnt beside the
labels. With `--start` it goes on at half the rate, from a checkpoint or from the folder of a written model, of
which the lower third stays. What is kept is the mean of the weights over the last steps. The dev sets are only
measured; nothing is chosen by them.
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
from model import LONGEST, PRETRAINED, Mean, Network, pool, tokenizer
from written import network_of

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
OTHER_NAMES = {"newsmtsc": 0.2, "tones": 0.2, "sentfin": 0.2, "directed": 0.3, "attitudes": 0.3, "labelled": 0.3, "contrast": 0.5, "passages": 0.5}


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


def read(net: Network, batch: list[Encoded]) -> torch.Tensor:
    """The vectors of a batch's word pieces."""
    longest = max(len(item.ids) for item in batch)
    ids = torch.zeros(len(batch), longest, dtype=torch.long)
    mask = torch.zeros(len(batch), longest, dtype=torch.long)
    for row, item in enumerate(batch):
        ids[row, : len(item.ids)] = torch.tensor(item.ids)
        mask[row, : len(item.ids)] = 1
    return net.encode(ids, mask)


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


def taught_loss(net: Network, batch: list) -> torch.Tensor:
    """How far the answers are from a teacher's, of which both heads are asked the same questions."""
    items = [item for item, _, _ in batch]
    stances, tones = (torch.cat(column).float() for column in list(zip(*batch))[1:])
    vectors = read(net, items)
    stance, tone = answers(net, vectors, items, "stance"), answers(net, vectors, items, "sentiment")
    weights = torch.tensor(WEIGHTS["stance"])
    loss = -(weights * stances[:, :3].softmax(1) * stance[:, :3].log_softmax(1)).sum(1).mean()
    loss = loss + 0.2 * binary_cross_entropy_with_logits(stance[:, 3], stances[:, 3].sigmoid())
    for first, behind in ((4, 7), (7, 11)):
        loss = loss + 0.2 * cross_entropy(stance[:, first:behind], stances[:, first:behind].softmax(1))
    return loss + cross_entropy(tone, tones.softmax(1))


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--tasks", default=",".join(REPEATS))
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--start", type=Path, help="a checkpoint or a written model to go on from")
    parser.add_argument("--encoder", type=Path, default=PRETRAINED, help="the folder of another pretrained encoder")
    parser.add_argument("--taught", type=Path, help="what a teacher says of more sentences")
    parser.add_argument("--most-taught", type=int, help="at most so many of those, by chance")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, help="stop after so many steps, to try the program")
    options = parser.parse_args()
    if options.start and options.start.is_dir() and options.encoder != PRETRAINED:
        parser.error("a written model is no teacher: --start FOLDER goes without --encoder")

    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    chance = random.Random(options.seed)
    tokens = tokenizer()
    folder = options.data
    sets = train_sets(folder)
    dev = dev_sets(folder)
    tasks = options.tasks.split(",")
    kinds = {sets[task][0] for task in tasks}
    dev = {
        name: (kind, [e for s in found if (e := encode(tokens, s))])
        for name, (kind, found) in dev.items()
        if kind in kinds
    }
    train = {task: sets[task][1] for task in tasks}
    names = {
        task: [name for s in train[task] for a, b in s.spans if data.is_name(name := s.text[a:b])] for task in tasks
    }

    taught = torch.load(options.taught, weights_only=False) if options.taught else []
    if options.most_taught and options.most_taught < len(taught):
        taught = chance.sample(taught, options.most_taught)

    # All that chance decides is drawn before the first step, an epoch at a time.
    plan = []
    for epoch in range(options.epochs):
        steps = []
        for task in tasks:
            kind = sets[task][0]
            for sentences in passes(train[task], REPEATS[task], KEEPS_NEUTRAL.get(task, 1), chance):
                items = []
                for sentence in sentences:
                    if chance.random() < OTHER_NAMES[task]:
                        sentence = data.with_other_names(sentence, names[task], chance)
                    if item := encode(tokens, sentence):
                        items.append(item)
                steps += [(kind, [items[i] for i in batch]) for batch in batches(items, chance)]
        by_length = batches([item for item, _, _ in taught], chance) if taught else []
        steps += [("taught", [taught[i] for i in batch]) for batch in by_length]
        chance.shuffle(steps)
        plan.append(steps)
    total = sum(map(len, plan))
    print(f"{total} steps", flush=True)

    rates = (1e-4, 1e-3)
    share = 0.5 if options.start else 1.0
    goes_on = options.start and options.start.is_dir()
    if goes_on:
        net = network_of(options.start)
    else:
        net = Network(folder=options.encoder)
        if options.start:
            net.load_state_dict(torch.load(options.start, map_location="cpu")["network"])
    still = [net.encoder.embeddings]
    if goes_on or options.encoder != PRETRAINED:
        # A third keeps what it knows, and costs a third less.
        layers = net.encoder.encoder.layer
        still += layers[: len(layers) // 3]
    if options.encoder != PRETRAINED:
        rates = (4e-5, 5e-4)
    for parameter in (p for part in still for p in part.parameters()):
        parameter.requires_grad_(False)
    encoder = [p for p in net.encoder.parameters() if p.requires_grad]
    heads = [p for name, p in net.named_parameters() if not name.startswith("encoder.")]
    groups = [{"params": part, "lr": share * rate} for part, rate in zip((encoder, heads), rates)]
    optimiser = torch.optim.AdamW(groups, weight_decay=0.01, fused=True)
    warm = total // 10
    rate = lambda step: min((step + 1) / warm, max(0.0, (total - step) / (total - warm)))  # noqa: E731
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, rate)

    mean = Mean(net)
    net.train()
    begun, step = time.monotonic(), 0
    for epoch, steps in enumerate(plan):
        for kind, batch in steps:
            if kind == "taught":
                loss = taught_loss(net, batch)
            else:
                logits = answers(net, read(net, batch), batch, kind)
                loss = loss_of(logits, [q for item in batch for q in item.questions], kind)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(encoder + heads, 1.0)
            optimiser.step()
            schedule.step()
            step += 1
            mean.follow(step)
            if step % 50 == 0:
                print(f"{step} {kind} {loss.item():.3f} {time.monotonic() - begun:.0f} s", flush=True)
            if step == options.steps:
                break
        report = {name: measure(mean.net, items, kind) for name, (kind, items) in dev.items()}
        print(json.dumps({"epoch": epoch + 1, "cpu_s": round(time.process_time()), **report}), flush=True)
        torch.save({"network": mean.net.state_dict(), "dev": report}, options.out)
        if step == options.steps:
            break


if __name__ == "__main__":
    main()
