"""Fine-tunes the tagger of names, from a data folder to a checkpoint.

    python train_names.py DATA_FOLDER OUT.pt [--epochs 3] [--layers 6] [--seed 1]
    python train_names.py DATA_FOLDER teacher-names.pt --encoder FOLDER --layers 12 --epochs 2
    python train_names.py DATA_FOLDER OUT.pt --taught taught-names.pt

The dev sets are only measured; nothing is chosen by them.
"""

import argparse
import json
import random
import time
from dataclasses import dataclass
from pathlib import Path

import torch

import names
from model import LONGEST, PRETRAINED, Mean, Tagger, tokenizer
from names import CAPITALS, EVENT, KINDS, OTHER, PEOPLE, SHAPES, SMALL, TAGS

BATCH = 32
# How often a pass reads each set. Tweets are many and far from news: half of them.
REPEATS = {"wikigold": 3, "politics": 4, "domains": 2, "gum": 1, "re3d": 2, "wnut17": 0.5, "btc": 0.25, "ewt": 1}
# The share of texts that are read with other names.
OTHER_NAMES = 0.3
TABLES = Path(__file__).parents[3] / "plugins/entity/gazetteer"
DOMAINS = ("science", "literature", "music", "ai")
PASSED_OVER = -1


@dataclass
class Tagged:
    ids: list[int]
    shapes: list[int]
    # For each piece the tags that may be right, as bits; or PASSED_OVER.
    allowed: list[int]
    # Where each word begins and ends in the text; and its first piece.
    words: list[tuple[int, int, int]]


def bits(kinds, inside: bool) -> int:
    return sum(1 << (1 + 2 * kind + inside) for kind in kinds)


def tag(tokens, text: names.Text) -> Tagged | None:
    """A text in word pieces: the first piece of a word carries its tag."""
    found = tokens.encode(text.text)
    if len(found.ids) > LONGEST:
        return None
    shapes, allowed, words = [SMALL] * len(found.ids), [PASSED_OVER] * len(found.ids), []
    for index, (piece, (begin, end)) in enumerate(zip(found.tokens, found.offsets)):
        if begin == end:
            continue
        if piece.startswith("##") and words:
            words[-1] = (words[-1][0], end, words[-1][2])
        else:
            words.append((begin, end, index))
    for number, (begin, end, first) in enumerate(words):
        behind = words[number + 1][2] if number + 1 < len(words) else len(found.ids) - 1
        shape = names.shape(text.text[begin:end])
        shapes[first:behind] = [shape] * (behind - first)
        name = next((n for n in text.names if n.begin < end and begin < n.end), None)
        if any(a < end and begin < b for a, b in text.joints):
            kinds = name.kinds if name else names.ANY_NAME
            allowed[first] = bits(kinds, True) | (bits(kinds, False) if name else 1)
        elif name:
            is_first = number == 0 or words[number - 1][1] <= name.begin
            allowed[first] = bits(name.kinds, not is_first)
        else:
            open_kinds = text.partly if shape != SMALL else ()
            allowed[first] = 1 | bits(open_kinds, False) | bits(open_kinds, True)
    return Tagged(found.ids, shapes, allowed, words)


def written_otherwise(item: Tagged, shape: int) -> Tagged:
    """The same text in capitals, or in small letters."""
    shapes = [shape if 0 < index < len(item.ids) - 1 else SMALL for index in range(len(item.ids))]
    return Tagged(item.ids, shapes, item.allowed, item.words)


def length(item) -> int:
    return len((item[0] if isinstance(item, tuple) else item).ids)


def batches(items: list, chance: random.Random | None):
    noise = [length(item) + (chance.uniform(-2, 2) if chance else 0) for item in items]
    order = sorted(range(len(items)), key=noise.__getitem__)
    return [[items[i] for i in order[a : a + BATCH]] for a in range(0, len(order), BATCH)]


def padded(batch: list[Tagged]):
    longest = max(len(item.ids) for item in batch)
    fill = lambda values, value: torch.tensor([v + [value] * (longest - len(v)) for v in values])  # noqa: E731
    ids = fill([item.ids for item in batch], 0)
    shapes = fill([item.shapes for item in batch], SMALL)
    allowed = fill([item.allowed for item in batch], PASSED_OVER)
    return ids, shapes, (ids != 0).long(), allowed


def loss_of(scores: torch.Tensor, allowed: torch.Tensor) -> torch.Tensor:
    """The likelihood of whatever may be right."""
    known = allowed != PASSED_OVER
    scores, allowed = scores[known].log_softmax(-1), allowed[known]
    masks = (allowed[:, None] >> torch.arange(TAGS)) & 1
    return -scores.masked_fill(masks == 0, -1e4).logsumexp(-1).mean()


def taught_loss(net: Tagger, batch: list) -> torch.Tensor:
    """How far the tags of words are from a teacher's."""
    ids, shapes, mask, _ = padded([item for item, _ in batch])
    rows = torch.tensor([row for row, (item, _) in enumerate(batch) for _ in item.words])
    firsts = torch.tensor([first for item, _ in batch for _, _, first in item.words])
    wanted = torch.cat([scores for _, scores in batch]).float().softmax(-1)
    return torch.nn.functional.cross_entropy(net(ids, shapes, mask)[rows, firsts], wanted)


def path_of(scores: torch.Tensor) -> list[int]:
    """The likeliest tags in which an inside follows its own beginning or inside (Viterbi)."""
    inside = torch.zeros(TAGS, TAGS)
    for kind in range(len(KINDS)):
        i = 2 + 2 * kind
        inside[:, i] = -1e9
        inside[i - 1, i] = inside[i, i] = 0.0
    best, back = scores[0].clone(), []
    best[2::2] = -1e9
    for row in scores[1:]:
        value, origin = (best[:, None] + inside).max(0)
        best = value + row
        back.append(origin)
    tag = int(best.argmax())
    path = [tag]
    for origin in reversed(back):
        tag = int(origin[tag])
        path.append(tag)
    return path[::-1]


def names_in(item: Tagged, scores: torch.Tensor, temperature: float = 1.0) -> list[tuple[int, int, int, float]]:
    """(begin, end, kind, confidence) of the names, by the scores of the text's pieces."""
    return names_of(item, scores[[word[2] for word in item.words]], temperature)


def names_of(item: Tagged, scores: torch.Tensor, temperature: float = 1.0) -> list[tuple[int, int, int, float]]:
    """The same by the scores of the text's words.

    The confidence is the mean over the name's words of how likely they belong to such a name.
    """
    if not item.words:
        return []
    likely = (scores / temperature).softmax(-1)
    found = []
    for word, ((begin, end, _), tag) in enumerate(zip(item.words, path_of(scores))):
        if tag == 0:
            continue
        kind = (tag - 1) // 2
        sure = float(likely[word, 1 + 2 * kind] + likely[word, 2 + 2 * kind])
        if tag % 2 == 0 and found:
            found[-1] = (found[-1][0], end, kind, [*found[-1][3], sure])
        else:
            found.append((begin, end, kind, [sure]))
    return [(begin, end, kind, sum(sure) / len(sure)) for begin, end, kind, sure in found]


def f1(truth: list[set], found: list[set]) -> float:
    hits = sum(len(t & f) for t, f in zip(truth, found))
    return 2 * hits / max(1, sum(map(len, truth)) + sum(map(len, found)))


def dev_sets(folder: Path) -> dict[str, tuple[list[names.Text], set[int]]]:
    """Texts, and the kinds that the set labels; where it says "other", all that is left is that."""
    labelled = {"uner-ewt": {0, 1, 2}, "wikigold": {0, 1, 2, OTHER}, "crossner politics": {0, 1, 2, EVENT, OTHER}}
    files = {
        "uner-ewt": "uner-ewt/dev.bio",
        "wikigold": "wikigold/dev.bio",
        "crossner politics": "crossner/politics.dev.bio",
    }
    return {name: (names.bio(folder / file), labelled[name]) for name, file in files.items()}


def as_labelled(kind: int, kinds: set[int]) -> int | None:
    return kind if kind in kinds else OTHER if OTHER in kinds else None


@torch.no_grad()
def measure(score, tokens, texts: list[names.Text], kinds: set[int]) -> float:
    truth, found = [], []
    items = [(text, item) for text in texts if (item := tag(tokens, text))]
    for text, item in items:
        named = names_in(item, score(item))
        found.append({(b, e, k) for b, e, kind, _ in named if (k := as_labelled(kind, kinds)) is not None})
        truth.append({(n.begin, n.end, as_labelled(n.kinds[-1], kinds)) for n in text.names})
    return round(f1(truth, found), 4)


def train_sets(folder: Path, known: dict[str, int]) -> dict[str, list[names.Text]]:
    crossner = lambda domain: names.bio(folder / f"crossner/{domain}.train.bio")  # noqa: E731
    return {
        "wikigold": names.bio(folder / "wikigold/train.bio"),
        "politics": crossner("politics"),
        "domains": [text for domain in DOMAINS for text in crossner(domain)],
        "gum": names.gum(folder / "ud-gum/train.conllu"),
        "re3d": names.re3d(folder / "re3d/train.jsonl"),
        "wnut17": names.bio(folder / "wnut17/train.bio", (PEOPLE, EVENT)),
        "btc": names.bio(folder / "btc/train.bio", (PEOPLE, EVENT, OTHER)),
        "ewt": names.proper_nouns(folder / "ud-ewt/train.conllu", known),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--start", type=Path, help="a checkpoint whose lower layers to go on from")
    parser.add_argument("--encoder", type=Path, default=PRETRAINED, help="the folder of another pretrained encoder")
    parser.add_argument("--taught", type=Path, help="what a teacher says of more texts (`teach_names.py`)")
    parser.add_argument("--steps", type=int, help="stop after so many steps, to try the program")
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    chance = random.Random(options.seed)
    tokens = tokenizer()
    tables = names.gazetteer(TABLES)
    known = {written.lower(): kind for kind, all_of in tables.items() for written in all_of}
    sets = train_sets(options.data, known)
    # As many names from the sets as from the tables, or more.
    pools = {kind: list(dict.fromkeys(all_of)) for kind, all_of in tables.items()}
    for texts in sets.values():
        for text in texts:
            for name in text.names:
                if len(name.kinds) == 1 and text.text[name.begin].isupper():
                    pools.setdefault(name.kinds[0], []).append(text.text[name.begin : name.end])
    dev = dev_sets(options.data)
    taught = torch.load(options.taught, weights_only=False) if options.taught else []

    plan = []
    for _ in range(options.epochs):
        items = []
        for name, found in sets.items():
            whole = int(REPEATS[name])
            items += found * whole + chance.sample(found, int(len(found) * (REPEATS[name] - whole)))
        items = [
            names.with_other_names(text, pools, chance) if chance.random() < OTHER_NAMES else text for text in items
        ]
        items = [item for text in items if (item := tag(tokens, text))]
        # Now and then a text has no capitals, or nothing else.
        items = [
            written_otherwise(item, chance.choice((SMALL, CAPITALS))) if chance.random() < 0.08 else item
            for item in items
        ]
        steps = batches(items, chance) + batches(taught, chance)
        chance.shuffle(steps)
        plan.append(steps)
    total = sum(map(len, plan))
    print(f"{total} steps", flush=True)

    if options.start:
        found = torch.load(options.start, map_location="cpu")
        net = Tagger(SHAPES, TAGS, found["layers"])
        net.load_state_dict(found["network"])
        net.keep(options.layers)
    else:
        net = Tagger(SHAPES, TAGS, options.layers, folder=options.encoder)
    is_teacher = options.encoder != PRETRAINED
    shapes = net.shapes if is_teacher else net.encoder.embeddings.token_type_embeddings
    heads = [net.out.weight, net.out.bias, shapes.weight]
    kept = {id(p) for p in heads}
    net.encoder.embeddings.word_embeddings.weight.requires_grad_(False)
    if is_teacher:
        # A third of a large network keeps what it knows, and costs a third less.
        for layer in net.encoder.encoder.layer[: options.layers // 3]:
            layer.requires_grad_(False)
    encoder = [p for p in net.parameters() if p.requires_grad and id(p) not in kept]
    groups = [{"params": encoder, "lr": 6e-5 if is_teacher else 2e-4}, {"params": heads, "lr": 1e-3}]
    optimiser = torch.optim.AdamW(groups, weight_decay=0.01)
    warm = total // 10
    rate = lambda step: min((step + 1) / warm, max(0.0, (total - step) / (total - warm)))  # noqa: E731
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, rate)

    def score(item: Tagged) -> torch.Tensor:
        return mean.net(torch.tensor([item.ids]), torch.tensor([item.shapes]))[0]

    mean = Mean(net)
    net.train()
    begun, step = time.monotonic(), 0
    for epoch, steps in enumerate(plan):
        for batch in steps:
            if isinstance(batch[0], tuple):
                loss = taught_loss(net, batch)
            else:
                ids, shapes, mask, allowed = padded(batch)
                loss = loss_of(net(ids, shapes, mask), allowed)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(encoder + heads, 1.0)
            optimiser.step()
            schedule.step()
            step += 1
            mean.follow(step)
            if step % 50 == 0:
                print(f"{step} {loss.item():.3f} {time.monotonic() - begun:.0f} s", flush=True)
            if step == options.steps:
                break
        report = {name: measure(score, tokens, *found) for name, found in dev.items()}
        print(json.dumps({"epoch": epoch + 1, "cpu_s": round(time.process_time()), **report}), flush=True)
        torch.save({"network": mean.net.state_dict(), "layers": options.layers, "dev": report}, options.out)
        if step == options.steps:
            break


if __name__ == "__main__":
    main()
