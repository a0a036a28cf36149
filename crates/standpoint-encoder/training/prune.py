"""Makes a teacher small: leaves out what matters least of its encoder, and lets what is left learn what it said.

    python prune.py DATA_FOLDER teacher.pt asked.pt OUT.pt [--share 0.31] [--pieces 15000]
    python prune.py DATA_FOLDER better-teacher.pt asked.pt OUT.pt --start SMALL.pt

In three rounds the attention heads and neurons stay that matter most for their size (how much the loss would rise, by
the squared slope of a gate behind each: Michel et al., NeurIPS 2019; Kwon et al., NeurIPS 2022), down to `--share`
of the weights in the layers. After each round the network learns to give what the teacher gives: the vectors behind
every second layer, and the answers to the questions of `asked.pt` (`teach.py`); in the last round beside the labels.
Of the vocabulary the pieces stay that are frequent in the same sentences. With `--start` a network that was made small
before loses nothing more and learns once more from all of them.
"""

import argparse
import functools
import json
import random
import time
from collections import Counter
from pathlib import Path

import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from encoder import HEAD, with_pieces, without
from model import Network, tokenizer
from train import (
    REPEATS,
    WEIGHTS,
    Encoded,
    answers,
    batches,
    labelled_loss,
    learn,
    loss_of,
    measured_sets,
    report,
    steps_of,
    tensors,
    train_sets,
)

# Of the weights in all layers, what stays after the first round; the second goes half of the way, as a ratio.
FIRST_SHARE = 0.6
# Sentences from which each of the first two rounds learns, and batches by which it is judged what matters.
FIRST_SENTENCES, JUDGING_BATCHES = 8000, 110
# Weights in a layer of MPNet, in squares of its width: four for attention, eight for the neurons.
OF_WHOLE_LAYER = 12
# Neurons stay in groups of so many, as the processor multiplies them.
TOGETHER = 16
# How much it counts to be like the teacher within, beside the answers.
ALIKE = 2.0
RATES = (1e-4, 2e-4)  # of the encoder and of the heads


def gated(gate: torch.Tensor, wide: int, _: torch.nn.Module, given: tuple) -> torch.Tensor:
    """What a part is given, each `wide` numbers of it times a gate."""
    return given[0] * gate.repeat_interleave(wide).to(given[0].dtype)


def importance(net: Network, steps: list) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """How much each attention head and each neuron of every layer matters for the answers to labelled questions."""
    net.eval().requires_grad_(False)
    gates, hooks = [], []
    for layer in net.encoder.layers:
        heads, neurons = layer.mixed.in_features // HEAD, layer.narrow.in_features
        for part, count, wide in ((layer.mixed, heads, HEAD), (layer.narrow, neurons, 1)):
            gate = torch.ones(count, requires_grad=True)
            hooks.append(part.register_forward_pre_hook(functools.partial(gated, gate, wide)))
            gates.append(gate)
    totals = [torch.zeros_like(gate) for gate in gates]
    for kind, batch in steps:
        for total, slope in zip(totals, torch.autograd.grad(labelled_loss(net, kind, batch), gates)):
            total += slope**2
    for hook in hooks:
        hook.remove()
    return totals[::2], totals[1::2]


def pruned(net: Network, share: float, steps: list) -> Network:
    """What matters most for its size, down to a share of the weights in the whole encoder's layers."""
    of_heads, of_neurons = importance(net, steps)
    head_size, neuron_size = 4 * net.width * HEAD, 2 * net.width
    heads, neurons = ([set() for _ in of_heads] for _ in range(2))
    units = [
        (value.item() / size, size, stay[layer], number)
        for values_of, size, stay in ((of_heads, head_size, heads), (of_neurons, neuron_size, neurons))
        for layer, values in enumerate(values_of)
        for number, value in enumerate(values)
    ]
    left = share * len(of_heads) * OF_WHOLE_LAYER * net.width**2
    for _, size, stay, number in sorted(units, key=lambda unit: unit[0], reverse=True):
        if size <= left:
            left -= size
            stay.add(number)
    # No layer is without either, and neurons fill their last group.
    for stay, values in zip(heads, of_heads):
        stay.add(values.argmax().item())
    for stay, values in zip(neurons, of_neurons):
        count = max(1, -(-len(stay) // TOGETHER)) * TOGETHER
        stay.update(values.argsort(descending=True)[:count].tolist())
    made = Network(without(net.encoder, list(map(sorted, heads)), list(map(sorted, neurons))))
    made.take_heads(net)
    shape = made.encoder.shape
    weights = sum(parameter.numel() for parameter in made.encoder.layers.parameters())
    left_over = {"heads": list(map(len, shape.heads)), "neurons": shape.neurons, "weights": weights}
    print(json.dumps(left_over), flush=True)
    return made


def alike_loss(teacher: Network, net: Network, kind: str, batch: list[Encoded]) -> torch.Tensor:
    """How far vectors and answers are from a teacher's, and where the questions have labels, from those."""
    ids, mask = tensors(batch)
    with torch.autocast("cpu", torch.bfloat16):
        with torch.no_grad():
            theirs = [vectors.float() for vectors in teacher.encoder.all_layers(ids, mask)]
        ours = [vectors.float() for vectors in net.encoder.all_layers(ids, mask)]
    seen, apart = mask.bool(), []
    for our, their in list(zip(ours, theirs))[1::2]:
        apart.append((our[seen] - their[seen]).square().mean() / their[seen].var())
    loss = ALIKE * torch.stack(apart).mean()
    for asked in ("stance", "sentiment") if kind == "taught" else (kind,):
        found = answers(net, ours[-1], batch, asked)
        with torch.no_grad():
            said = answers(teacher, theirs[-1], batch, asked)
        weights = torch.tensor(WEIGHTS[asked])
        loss = loss - (weights * said[:, :3].softmax(1) * found[:, :3].log_softmax(1)).sum(1).mean()
        if asked == "stance":
            loss = loss + 0.2 * binary_cross_entropy_with_logits(found[:, 3], said[:, 3].sigmoid())
            for first, behind in ((4, 7), (7, 11)):
                loss = loss + 0.2 * cross_entropy(found[:, first:behind], said[:, first:behind].softmax(1))
        if kind != "taught":
            loss = loss + loss_of(found, [q for item in batch for q in item.questions], kind)
    return loss


def frequent(items: list[Encoded], tokens, most: int) -> list[int]:
    """The unknown piece, the other marks, and the pieces that stand most often in sentences."""
    marks = [tokens.token_to_id(mark) for mark in ("[UNK]", "[PAD]", "[CLS]", "[SEP]")]
    counts = Counter(piece for item in items for piece in item.ids)
    found = [piece for piece, _ in counts.most_common() if piece not in marks]
    return (marks + found)[:most]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("teacher", type=Path)
    parser.add_argument("asked", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--share", type=float, default=0.31)
    parser.add_argument("--pieces", type=int, default=15_000)
    parser.add_argument("--start", type=Path, help="what was made small before, to learn further")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, help="at most so many steps a round")
    options = parser.parse_args()
    if not 0 < options.share < FIRST_SHARE:
        parser.error(f"--share {options.share}: expected more than 0 and less than {FIRST_SHARE}")

    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    chance = random.Random(options.seed)
    tokens = tokenizer()
    dev = measured_sets(options.data, tokens)
    labelled = steps_of(train_sets(options.data), list(REPEATS), tokens, chance)
    asked = torch.load(options.asked, weights_only=False)
    chance.shuffle(asked)
    lessons = [asked[:FIRST_SENTENCES], asked[FIRST_SENTENCES : 2 * FIRST_SENTENCES], asked[2 * FIRST_SENTENCES :]]
    lessons = [[("taught", [lesson[i] for i in batch]) for batch in batches(lesson, chance)] for lesson in lessons]
    lessons[-1] += labelled
    shares = (FIRST_SHARE, (FIRST_SHARE * options.share) ** 0.5, options.share)
    if options.start:
        lessons, shares = [sum(lessons, [])], (None,)

    teacher = Network.of_checkpoint(options.teacher).eval().requires_grad_(False)
    if options.start:
        net = Network.of_checkpoint(options.start)
    else:
        seen = asked + [item for _, batch in labelled for item in batch]
        net = Network(with_pieces(teacher.encoder, frequent(seen, tokens, options.pieces)))
        net.take_heads(teacher)
    for share, steps in zip(shares, lessons):
        if share:
            net = pruned(net, share, chance.sample(labelled, JUDGING_BATCHES))
        net.encoder.pieces.requires_grad_(False)
        chance.shuffle(steps)
        net = learn(net, steps[: options.steps], functools.partial(alike_loss, teacher), RATES)
        found = report(net, dev)
        print(json.dumps({"share": share and round(share, 2), "cpu_s": round(time.process_time()), **found}), flush=True)
    net.save(options.out, dev=found)


if __name__ == "__main__":
    main()
