"""Measures an exported model (int8, as the program runs it) on the dev sets.

    python measure.py DATA_FOLDER MODEL_FOLDER

Prints, for each set, macro-F1, F1 of negative, neutral and positive, and the expected calibration
error in ten bins; for names F1 over exact places and kinds; and for each head the temperature that
makes these sets likeliest, to be given to `export.py`. It divides scores, so it changes no label.
With `--checkpoint` and `--names` the networks in 32 bits that the model was made from are measured
instead.
"""

import argparse
import json
from pathlib import Path

import onnxruntime
import torch
from torch.nn.functional import cross_entropy

from model import Network, Tagger, pool, tokenizer, vocabulary
from names import SHAPES, TAGS
from train import measured_sets
from train_names import as_labelled, dev_sets, f1 as f1_of_names, names_in, tag


class Written:
    """The networks of a folder, as the program runs them."""

    def __init__(self, folder: Path):
        self.folder, self.networks = folder, {}

    def run(self, name: str, **inputs: torch.Tensor) -> torch.Tensor:
        if name not in self.networks:
            self.networks[name] = onnxruntime.InferenceSession(self.folder / f"{name}.onnx")
        return torch.tensor(self.networks[name].run(None, {key: value.numpy() for key, value in inputs.items()})[0])


class Whole:
    """The networks in 32 bits."""

    def __init__(self, checkpoint: Path, names: Path):
        self.net = Network.of_checkpoint(checkpoint).eval()
        self.tagger = Tagger.of_checkpoint(names, SHAPES, TAGS).eval()

    @torch.no_grad()
    def run(self, name: str, **inputs: torch.Tensor) -> torch.Tensor:
        match name:
            case "encoder":
                return self.net.encode(inputs["ids"])
            case "sentiment":
                return self.net.judge_sentiment(**inputs)
            case "stance":
                return self.net.judge_stance(**inputs | {"by_author": inputs["by_author"] > 0})
            case _:
                return self.tagger(**inputs)


def scores(networks: Written | Whole, kind: str, items: list) -> torch.Tensor:
    """The scores of the three classes for every question, in order; a sentence at a time."""
    found = []
    for item in items:
        vectors = networks.run("encoder", ids=torch.tensor([item.ids]))
        rows = torch.zeros(len(item.questions), dtype=torch.long)
        places = lambda spans: pool(vectors, rows, torch.tensor(spans))  # noqa: E731
        inputs = {"cls": vectors[rows, 0], "target": places([item.spans[q.target] for q in item.questions])}
        if kind == "stance":
            inputs["holder"] = places([(0, 1) if q.holder is None else item.spans[q.holder] for q in item.questions])
            by_author = [q.holder is None for q in item.questions]
            inputs["by_author"] = torch.tensor(by_author, dtype=torch.int32)
        found.append(networks.run(kind, **inputs)[:, :3])
    return torch.cat(found)


def measure_names(networks: Written | Whole, tokens, folder: Path, temperature: float) -> None:
    read = []
    for name, (texts, kinds) in dev_sets(folder).items():
        truth, found = [], []
        for text in texts:
            if (item := tag(tokens, text)) is None:
                continue
            scores = networks.run("names", ids=torch.tensor([item.ids]), shapes=torch.tensor([item.shapes]))[0]
            truth.append({(n.begin, n.end, as_labelled(n.kinds[-1], kinds)) for n in text.names})
            found.append({(b, e, k) for b, e, kind, _ in names_in(item, scores) if (k := as_labelled(kind, kinds)) is not None})
            read.append((item, scores, kinds, truth[-1]))
        hits = sum(len(t & f) for t, f in zip(truth, found))
        precision, recall = hits / max(1, sum(map(len, found))), hits / max(1, sum(map(len, truth)))
        print(f"{name}: F1 {f1_of_names(truth, found):.4f} (precision {precision:.3f}, recall {recall:.3f})", flush=True)

    def error(temperature: float) -> float:
        sure, right = [], []
        for item, scores, kinds, truth in read:
            for begin, end, kind, confidence in names_in(item, scores, temperature):
                if (labelled := as_labelled(kind, kinds)) is not None:
                    sure.append(confidence)
                    right.append((begin, end, labelled) in truth)
        return binned_error(torch.tensor(sure), torch.tensor(right).float())

    best = min((number / 5 for number in range(5, 21)), key=error)
    print(f"names: calibration error {error(temperature):.3f}; temperature {best:.2f}, with it {error(best):.3f}")


def f1(truth: torch.Tensor, found: torch.Tensor) -> list[float]:
    """Of each class."""
    hits = [((truth == label) & (found == label)).sum().item() for label in range(3)]
    named = [((truth == label).sum() + (found == label).sum()).item() for label in range(3)]
    return [2 * hit / max(1, all_named) for hit, all_named in zip(hits, named)]


def calibration_error(truth: torch.Tensor, probabilities: torch.Tensor) -> float:
    sure, found = probabilities.max(1)
    return binned_error(sure, (found == truth).float())


def binned_error(sure: torch.Tensor, right: torch.Tensor) -> float:
    """The mean distance between how sure and how right, over ten bins of how sure."""
    bins = (sure * 10).long().clamp(max=9)
    return sum(
        (inside.float().mean() * (sure[inside].mean() - right[inside].mean()).abs()).item()
        for number in range(10)
        if (inside := bins == number).any()
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--names", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)

    tokens = tokenizer()
    if (options.model / "vocab.txt").read_text(encoding="utf-8").splitlines() != vocabulary():
        raise SystemExit("the model's vocabulary is not that of the pretrained encoder")
    temperatures = json.loads((options.model / "manifest.json").read_text())["temperatures"]
    whole = options.checkpoint and options.names
    networks = Whole(options.checkpoint, options.names) if whole else Written(options.model)
    seen = {"sentiment": [], "stance": []}
    for name, (kind, items) in measured_sets(options.data, tokens).items():
        truth = torch.tensor([q.label for item in items for q in item.questions])
        found = scores(networks, kind, items)
        seen[kind].append((found, truth))
        each = f1(truth, found.argmax(1))
        error = calibration_error(truth, (found / temperatures[kind]).softmax(1))
        classes = " ".join(f"{value:.3f}" for value in each)
        print(f"{name}: macro-F1 {sum(each) / 3:.4f} ({classes}), calibration error {error:.3f}, n {len(truth)}", flush=True)
    for kind, parts in seen.items():
        # Each set counts the same, whatever its size.
        loss = lambda t: sum(cross_entropy(found / t, truth).item() for found, truth in parts)  # noqa: B023, E731
        print(f"{kind}: temperature {min((number / 50 for number in range(20, 151)), key=loss):.2f}")
    measure_names(networks, tokens, options.data, temperatures["names"])


if __name__ == "__main__":
    main()
