"""Writes what the program reads: the int8 networks, the vocabulary and a manifest.

    python export.py CHECKPOINT.pt NAMES OUT_FOLDER [--name standpoint-encoder/4]

NAMES is the checkpoint of a tagger, or the `names.onnx` of another model, which is taken over. The folder of another
model in place of CHECKPOINT.pt gives its encoder and heads.
"""

import argparse
import hashlib
import json
import logging
import shutil
import tempfile
from pathlib import Path

import onnxruntime
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import nn

from model import LONGEST, Network, Tagger, vocabulary
from names import SHAPES, TAGS

OPSET = 17
# What two windows have in common, in word pieces. A window is as long as a sentence in training.
OVERLAP = 40


class Encoder(nn.Module):
    """No mask: only sentences of one length are encoded together."""

    def __init__(self, net: Network):
        super().__init__()
        self.net = net

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.net.encoder(input_ids=ids).last_hidden_state


class Sentiment(nn.Module):
    def __init__(self, net: Network):
        super().__init__()
        self.net = net

    def forward(self, cls, target):
        return self.net.judge_sentiment(cls, target)


class Stance(nn.Module):
    def __init__(self, net: Network):
        super().__init__()
        self.net = net

    def forward(self, cls, holder, by_author, target):
        return self.net.judge_stance(cls, holder, by_author > 0, target)


class Names(nn.Module):
    def __init__(self, net: Tagger):
        super().__init__()
        self.net = net

    def forward(self, ids, shapes):
        return self.net(ids, shapes)


def export(module: nn.Module, inputs: dict, path: Path, axes: dict) -> None:
    # The exporter gives a module back its mode, and a new wrapper's is training: with dropout.
    torch.onnx.export(
        module.eval(),
        tuple(inputs.values()),
        path,
        input_names=list(inputs),
        output_names=["out"],
        dynamic_axes=axes,
        opset_version=OPSET,
        dynamo=False,
    )


def export_quantised(module: nn.Module, inputs: dict, path: Path, pieces: int) -> None:
    """Exports a network over word pieces and quantises it, once what was written is what it was."""
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / path.name
        export(module, inputs, whole, {name: {0: "sentence", 1: "piece"} for name in (*inputs, "out")})
        # Another shape too.
        other = [(torch.arange(3 * 17) % pieces).reshape(3, 17), (torch.arange(3 * 17) % 4).reshape(3, 17)]
        other = dict(zip(inputs, other))
        written = onnxruntime.InferenceSession(whole).run(None, {name: t.numpy() for name, t in other.items()})[0]
        furthest = (torch.tensor(written) - module(*other.values())).abs().max().item()
        if furthest > 1e-3:
            raise SystemExit(f"{path.name} differs from the network by {furthest}")
        quantize_dynamic(
            whole,
            path,
            op_types_to_quantize=["MatMul", "Gather"],
            per_channel=True,
            weight_type=QuantType.QInt8,
        )


def take_over(file: Path, out: Path) -> None:
    if file.resolve() != (out / file.name).resolve():
        shutil.copyfile(file, out / file.name)


def write_networks(net: Network, pieces: list[str], out: Path) -> None:
    """Writes the encoder and its heads."""
    ids = torch.ones(2, 11, dtype=torch.long)
    export_quantised(Encoder(net), {"ids": ids}, out / "encoder.onnx", len(pieces))
    row = torch.randn(2, net.width)
    many = lambda *names: {name: {0: "question"} for name in (*names, "out")}  # noqa: E731
    export(Sentiment(net), {"cls": row, "target": row}, out / "sentiment.onnx", many("cls", "target"))
    stance = {"cls": row, "holder": row, "by_author": torch.tensor([0, 1], dtype=torch.int32), "target": row}
    export(Stance(net), stance, out / "stance.onnx", many(*stance))


@torch.no_grad()
def write_model(net: Network | Path, tagger: Tagger | Path, pieces: list[str], out: Path, about: dict) -> None:
    """Writes a model's folder; `about` goes into the manifest."""
    out.mkdir(parents=True, exist_ok=True)
    if isinstance(net, Network):
        write_networks(net.eval(), pieces, out)
    else:
        for name in ("encoder", "sentiment", "stance"):
            take_over(net / f"{name}.onnx", out)
    if isinstance(tagger, Tagger):
        ids = torch.ones(2, 11, dtype=torch.long)
        export_quantised(Names(tagger.eval()), {"ids": ids, "shapes": ids}, out / "names.onnx", len(pieces))
    else:
        take_over(tagger, out)
    (out / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")

    files = {}
    for name in ("encoder.onnx", "sentiment.onnx", "stance.onnx", "names.onnx", "vocab.txt"):
        content = (out / name).read_bytes()
        files[name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    text = json.dumps(about | {"files": files}, indent=2)
    (out / "manifest.json").write_text(text + "\n", encoding="utf-8")


def tagger_of(checkpoint: Path) -> Tagger:
    found = torch.load(checkpoint, map_location="cpu")
    tagger = Tagger(SHAPES, TAGS, found["layers"])
    tagger.load_state_dict(found["network"])
    return tagger


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("names", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--name", default="standpoint-encoder/4")
    parser.add_argument("--sentiment-temperature", type=float, default=1.0)
    parser.add_argument("--stance-temperature", type=float, default=1.0)
    parser.add_argument("--names-temperature", type=float, default=1.0)
    options = parser.parse_args()
    logging.getLogger().setLevel(logging.ERROR)

    net = options.checkpoint
    if net.is_file():
        net = Network()
        net.load_state_dict(torch.load(options.checkpoint, map_location="cpu")["network"])
    tagger = options.names if options.names.suffix == ".onnx" else tagger_of(options.names)
    about = {
        "name": options.name,
        "window": LONGEST,
        "overlap": OVERLAP,
        "temperatures": {
            "sentiment": options.sentiment_temperature,
            "stance": options.stance_temperature,
            "names": options.names_temperature,
        },
    }
    write_model(net, tagger, vocabulary(), options.out, about)


if __name__ == "__main__":
    main()
