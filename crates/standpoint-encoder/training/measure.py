"""Measures an exported model (int8, as the program runs it) on the dev sets.

    python measure.py DATA_FOLDER MODEL_FOLDER

Prints, for each set, macro-F1, F1 of negative, neutral and positive, and the expected calibration
error in ten bins; and for each head the temperature that makes these sets likeliest, to be given to
`export.py`. It divides scores, so it changes no label.
"""

import argparse
import json
from pathlib import Path

import onnxruntime
import torch
from torch.nn.functional import cross_entropy

import data
from model import pool, tokenizer, vocabulary
from train import encode

SETS = {
    "newsmtsc rw": ("sentiment", data.newsmtsc, "newsmtsc/dev_rw.jsonl"),
    "newsmtsc mt": ("sentiment", data.newsmtsc, "newsmtsc/dev_mt.jsonl"),
    "directed": ("stance", data.directed, "directed-sentiment/dev.jsonl"),
    "attitudes": ("stance", data.attitudes, "attitudes/dev.jsonl"),
}


def scores(folder: Path, kind: str, items: list) -> torch.Tensor:
    """The scores of the three classes for every question, in order; a sentence at a time."""
    open_network = lambda name: onnxruntime.InferenceSession(folder / f"{name}.onnx")  # noqa: E731
    encoder, head = open_network("encoder"), open_network(kind)
    found = []
    for item in items:
        ids = torch.tensor([item.ids])
        vectors = torch.tensor(encoder.run(None, {"ids": ids.numpy()})[0])
        rows = torch.zeros(len(item.questions), dtype=torch.long)
        places = lambda spans: pool(vectors, rows, torch.tensor(spans)).numpy()  # noqa: E731
        inputs = {
            "cls": vectors[rows, 0].numpy(),
            "target": places([item.spans[q.target] for q in item.questions]),
        }
        if kind == "stance":
            inputs["holder"] = places([(0, 1) if q.holder is None else item.spans[q.holder] for q in item.questions])
            by_author = [q.holder is None for q in item.questions]
            inputs["by_author"] = torch.tensor(by_author, dtype=torch.int32).numpy()
        found.append(torch.tensor(head.run(None, inputs)[0])[:, :3])
    return torch.cat(found)


def f1(truth: torch.Tensor, found: torch.Tensor) -> list[float]:
    """Of each class."""
    hits = [((truth == label) & (found == label)).sum().item() for label in range(3)]
    named = [((truth == label).sum() + (found == label).sum()).item() for label in range(3)]
    return [2 * hit / max(1, all_named) for hit, all_named in zip(hits, named)]


def calibration_error(truth: torch.Tensor, probabilities: torch.Tensor) -> float:
    """The mean distance between how sure and how right, over ten bins of how sure."""
    sure, found = probabilities.max(1)
    right = (found == truth).float()
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
    options = parser.parse_args()

    tokens = tokenizer()
    if (options.model / "vocab.txt").read_text(encoding="utf-8").splitlines() != vocabulary():
        raise SystemExit("the model's vocabulary is not that of the pretrained encoder")
    temperatures = json.loads((options.model / "manifest.json").read_text())["temperatures"]
    seen = {"sentiment": [], "stance": []}
    for name, (kind, read, file) in SETS.items():
        items = [item for sentence in read(options.data / file) if (item := encode(tokens, sentence))]
        truth = torch.tensor([q.label for item in items for q in item.questions])
        found = scores(options.model, kind, items)
        seen[kind].append((found, truth))
        each = f1(truth, found.argmax(1))
        error = calibration_error(truth, (found / temperatures[kind]).softmax(1))
        classes = " ".join(f"{value:.3f}" for value in each)
        print(f"{name}: macro-F1 {sum(each) / 3:.4f} ({classes}), calibration error {error:.3f}, n {len(truth)}", flush=True)
    for kind, parts in seen.items():
        # Each set counts the same, whatever its size.
        loss = lambda t: sum(cross_entropy(found / t, truth).item() for found, truth in parts)  # noqa: B023, E731
        print(f"{kind}: temperature {min((number / 50 for number in range(20, 151)), key=loss):.2f}")


if __name__ == "__main__":
    main()
