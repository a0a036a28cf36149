"""Writes what the program reads: the int8 networks, the vocabulary and a manifest.

    python export.py CHECKPOINT.pt NAMES OUT_FOLDER [--name standpoint-encoder/7]

NAMES is the checkpoint of a tagger, or the `names.onnx` of another model, which is taken over. The folder of another
model in place of CHECKPOINT.pt gives its encoder and heads. What is taken over is brought into range, too.
"""

import argparse
import hashlib
import json
import logging
import shutil
import tempfile
from pathlib import Path

import numpy
import onnx
import onnxruntime
import torch
from onnx import TensorProto, numpy_helper
from onnx.external_data_helper import set_external_data
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import nn

from model import LONGEST, Network, Tagger, vocabulary
from names import SHAPES, TAGS

OPSET = 17
NETWORKS = ("encoder.onnx", "sentiment.onnx", "stance.onnx", "names.onnx")
FILES = ("encoder.onnx", "encoder.data", "sentiment.onnx", "stance.onnx", "names.onnx", "names.data", "vocab.txt")
# The most that two neighbouring weights may come to, so that 16 bits hold them times 255, the largest activation.
LARGEST_PAIR = 128
# What two windows have in common, in word pieces. A window is as long as a sentence in training.
OVERLAP = 40


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


def export_quantised(module: nn.Module, inputs: dict, others: dict, path: Path, axes: dict) -> None:
    """Exports a network and quantises it, once what was written gives what the network gives for `others`, too."""
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / path.name
        export(module, inputs, whole, {name: axes for name in (*inputs, "out")})
        written = onnxruntime.InferenceSession(whole).run(None, {name: t.numpy() for name, t in others.items()})[0]
        furthest = (torch.tensor(written) - module(*others.values())).abs().max().item()
        if furthest > 1e-3:
            raise SystemExit(f"{path.name} differs from the network by {furthest}")
        quantize_dynamic(
            whole,
            path,
            op_types_to_quantize=["MatMul", "Gather"],
            per_channel=True,
            weight_type=QuantType.QInt8,
        )


def largest_pairs(weights: numpy.ndarray) -> numpy.ndarray:
    """The most that rows 0 and 1, 2 and 3, ... of a column come to together, to either side."""
    rows = numpy.pad(weights, ((0, len(weights) % 2), (0, 0)))
    first, second = rows[::2], rows[1::2]
    above = numpy.maximum(first, 0) + numpy.maximum(second, 0)
    below = numpy.minimum(first, 0) + numpy.minimum(second, 0)
    return numpy.maximum(above, -below).max(axis=0)


def keep_in_range(path: Path) -> None:
    """Brings the weights of a network into a range in which every processor comes to the same products.

    Those without instructions for it (x86-64 before VNNI) multiply 8-bit numbers in pairs and add each pair in 16 bits:
    what does not fit is cut off, without a word, and the answers are worth nothing. Columns in which a pair might be
    too large get a larger scale. A network that is in range stays as it is.
    """
    model = onnx.load(path)
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    for product in (node for node in model.graph.node if node.op_type == "MatMulInteger"):
        weights = tensors[product.input[1]]
        scales = tensors[weights.name.removesuffix("_quantized") + "_scale"]
        whole = numpy_helper.to_array(weights).astype(numpy.float64)
        factors = numpy.ones(whole.shape[1])
        while (too_large := largest_pairs(numpy.rint(whole / factors)) > LARGEST_PAIR).any():
            factors[too_large] = numpy.maximum(factors * 1.002, largest_pairs(whole) / LARGEST_PAIR)[too_large]
        smaller = numpy.rint(whole / factors).astype(numpy.int8)
        weights.CopyFrom(numpy_helper.from_array(smaller, weights.name))
        larger = (numpy_helper.to_array(scales) * factors).astype(numpy.float32)
        scales.CopyFrom(numpy_helper.from_array(larger, scales.name))
    onnx.save(model, path)


def put_apart(path: Path) -> None:
    """Moves the large 8-bit weights of a network into a file beside it: from there they are read without a copy.

    Bytes need no alignment, so they follow each other without gaps.
    """
    model, apart = onnx.load(path), path.with_suffix(".data")
    with apart.open("wb") as out:
        for tensor in model.graph.initializer:
            if tensor.data_type in (TensorProto.INT8, TensorProto.UINT8) and 4096 <= len(tensor.raw_data):
                content = tensor.raw_data
                set_external_data(tensor, apart.name, out.tell(), len(content))
                tensor.ClearField("raw_data")
                out.write(content)
    onnx.save(model, path)


def take_over(file: Path, out: Path) -> None:
    if file.resolve() != (out / file.name).resolve():
        shutil.copyfile(file, out / file.name)


def write_pieces_network(module: nn.Module, inputs: tuple[str, ...], pieces: int, path: Path) -> None:
    """Writes a network over word pieces. It has no mask: only sentences of one length are read together."""
    ids = torch.ones(2, 11, dtype=torch.long)
    # Another shape, and pieces from all over the vocabulary.
    other = torch.arange(3 * 17).reshape(3, 17)
    others = dict(zip(inputs, (other * 577 % pieces, other % SHAPES)))
    export_quantised(module, {name: ids for name in inputs}, others, path, {0: "sentence", 1: "piece"})


def write_head(head: nn.Module, inputs: tuple[str, ...], width: int, path: Path) -> None:
    def of_some(count: int) -> dict:
        by_author = torch.arange(count, dtype=torch.int32) % 2
        return {name: by_author if name == "by_author" else torch.randn(count, width) for name in inputs}

    export_quantised(head, of_some(2), of_some(5), path, {0: "question"})


def write_networks(net: Network, pieces: int, out: Path) -> None:
    """Writes the encoder and its heads."""
    write_pieces_network(net.encoder, ("ids",), pieces, out / "encoder.onnx")
    write_head(Sentiment(net), ("cls", "target"), net.width, out / "sentiment.onnx")
    write_head(Stance(net), ("cls", "holder", "by_author", "target"), net.width, out / "stance.onnx")


@torch.no_grad()
def write_model(net: Network | Path, tagger: Tagger | Path, pieces: list[str], out: Path, about: dict) -> None:
    """Writes a model's folder; `about` goes into the manifest."""
    out.mkdir(parents=True, exist_ok=True)
    if isinstance(net, Network):
        write_networks(net.eval(), len(pieces), out)
    else:
        for name in ("encoder.onnx", "encoder.data", "sentiment.onnx", "stance.onnx"):
            take_over(net / name, out)
    if isinstance(tagger, Tagger):
        write_pieces_network(tagger.eval(), ("ids", "shapes"), len(pieces), out / "names.onnx")
    else:
        take_over(tagger, out)
        take_over(tagger.with_suffix(".data"), out)
    for name in NETWORKS:
        keep_in_range(out / name)
    for name in ("encoder.onnx", "names.onnx"):
        put_apart(out / name)
    (out / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")

    files = {}
    for name in FILES:
        content = (out / name).read_bytes()
        files[name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    text = json.dumps(about | {"files": files}, indent=2)
    (out / "manifest.json").write_text(text + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("names", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--name", default="standpoint-encoder/7")
    parser.add_argument("--sentiment-temperature", type=float, default=1.0)
    parser.add_argument("--stance-temperature", type=float, default=1.0)
    parser.add_argument("--names-temperature", type=float, default=1.0)
    options = parser.parse_args()
    logging.getLogger().setLevel(logging.ERROR)

    net = options.checkpoint
    if net.is_file():
        net = Network.of_checkpoint(net)
    tagger = options.names if options.names.suffix == ".onnx" else Tagger.of_checkpoint(options.names, SHAPES, TAGS)
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
