"""Writes what the program reads: the int8 encoder, the heads, the vocabulary and a manifest.

    python export.py CHECKPOINT.pt OUT_FOLDER [--name standpoint-encoder/1]
"""

import argparse
import hashlib
import json
import logging
import tempfile
from pathlib import Path

import onnxruntime
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import nn

from model import LONGEST, Network, vocabulary

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


def check(net: Network, whole: Path, pieces: int) -> None:
    """Stops where the network that was written is not the one in memory, for another shape too."""
    ids = torch.arange(3 * 17).reshape(3, 17) % pieces
    written = onnxruntime.InferenceSession(whole).run(None, {"ids": ids.numpy()})[0]
    furthest = (torch.tensor(written) - net.encode(ids, torch.ones_like(ids))).abs().max().item()
    if furthest > 1e-3:
        raise SystemExit(f"{whole.name} differs from the network by {furthest}")


@torch.no_grad()
def write_model(net: Network, pieces: list[str], out: Path, about: dict) -> None:
    """Writes a model's folder; `about` goes into the manifest."""
    net.eval()
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "encoder.onnx"
        axes = {"ids": {0: "sentence", 1: "piece"}, "out": {0: "sentence", 1: "piece"}}
        export(Encoder(net), {"ids": torch.ones(2, 11, dtype=torch.long)}, whole, axes)
        check(net, whole, len(pieces))
        quantize_dynamic(
            whole,
            out / "encoder.onnx",
            op_types_to_quantize=["MatMul", "Gather"],
            per_channel=True,
            weight_type=QuantType.QInt8,
        )
    row = torch.randn(2, net.width)
    many = lambda *names: {name: {0: "question"} for name in (*names, "out")}  # noqa: E731
    export(Sentiment(net), {"cls": row, "target": row}, out / "sentiment.onnx", many("cls", "target"))
    stance = {"cls": row, "holder": row, "by_author": torch.tensor([0, 1], dtype=torch.int32), "target": row}
    export(Stance(net), stance, out / "stance.onnx", many(*stance))
    (out / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")

    files = {}
    for name in ("encoder.onnx", "sentiment.onnx", "stance.onnx", "vocab.txt"):
        content = (out / name).read_bytes()
        files[name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    text = json.dumps(about | {"files": files}, indent=2)
    (out / "manifest.json").write_text(text + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--name", default="standpoint-encoder/1")
    parser.add_argument("--sentiment-temperature", type=float, default=1.0)
    parser.add_argument("--stance-temperature", type=float, default=1.0)
    options = parser.parse_args()
    logging.getLogger().setLevel(logging.ERROR)

    net = Network()
    net.load_state_dict(torch.load(options.checkpoint, map_location="cpu")["network"])
    about = {
        "name": options.name,
        "window": LONGEST,
        "overlap": OVERLAP,
        "temperatures": {"sentiment": options.sentiment_temperature, "stance": options.stance_temperature},
    }
    write_model(net, vocabulary(), options.out, about)


if __name__ == "__main__":
    main()
