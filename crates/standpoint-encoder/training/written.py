"""Reads the encoder and heads of a written model back into a network, so that a training can go on from it.

What was rounded to 8 bits stays rounded: the answers are those of the int8 network, but for the rounding of
what flows between its layers.
"""

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper

from model import Network



def tensors(path: Path) -> tuple[onnx.GraphProto, dict[str, np.ndarray]]:
    graph = onnx.load(path).graph
    return graph, {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}


def encoder_of(path: Path) -> dict[str, np.ndarray]:
    """The weights of a quantised encoder by their names in the network, as floating-point numbers."""
    graph, stored = tensors(path)
    found = {name.removeprefix("net."): tensor for name, tensor in stored.items() if name.endswith((".weight", ".bias"))}
    read_by = {name: node for node in graph.node for name in node.input}
    for name, packed in stored.items():
        if not name.endswith("_quantized"):
            continue
        whole = name.removesuffix("_quantized")
        zero, scale = stored[f"{whole}_zero_point"].astype(np.float32), stored[f"{whole}_scale"]
        weights = (packed.astype(np.float32) - zero) * scale
        if whole.endswith(".weight"):
            found[whole.removeprefix("net.")] = weights
            continue
        # The exporter numbers matrices; what is added behind one has the layer's name.
        node = read_by[name]
        while node.op_type != "Add":
            node = read_by[node.output[0]]
        bias = next(given for given in node.input if given.endswith(".bias"))
        found[bias.removeprefix("net.").removesuffix(".bias") + ".weight"] = weights.T
    return found


def network_of(folder: Path) -> Network:
    """The network that a model's folder was written from."""
    found = encoder_of(folder / "encoder.onnx")
    for head in ("sentiment", "stance"):
        graph, stored = tensors(folder / f"{head}.onnx")
        found |= {name.removeprefix("net."): tensor for name, tensor in stored.items() if name.startswith("net.")}
        if head == "stance":
            # The exporter gives the author's vector a number; it is what is drawn out over the questions.
            expands = next(node for node in graph.node if node.op_type == "Expand")
            found["author"] = stored[expands.input[0]]
    net = Network()
    net.load_state_dict({name: torch.from_numpy(np.array(tensor)) for name, tensor in found.items()})
    return net
