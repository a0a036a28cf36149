"""The encoder: MPNet, of whose attention heads, neurons and word pieces some may be left out."""

import math
import os
from dataclasses import asdict, dataclass
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch  # noqa: E402
from torch import nn  # noqa: E402
from transformers import MPNetModel  # noqa: E402

HEAD = 64  # the width of an attention head
BUCKETS, FURTHEST = 32, 128  # of the distances between word pieces
EPSILON = 1e-5


@dataclass(frozen=True)
class Shape:
    """What is left: of each layer the heads, by their numbers in the whole, and how many neurons."""

    heads: tuple[tuple[int, ...], ...]
    neurons: tuple[int, ...]
    pieces: int  # word pieces with a vector of their own
    vocabulary: int  # word pieces with a number
    places: int  # word pieces of a sentence at most, marks included
    width: int = 768
    all_heads: int = 12

    def stored(self) -> dict:
        return asdict(self)

    @staticmethod
    def of_stored(found: dict) -> "Shape":
        return Shape(**found | {"heads": tuple(map(tuple, found["heads"])), "neurons": tuple(found["neurons"])})


def buckets(places: int) -> torch.Tensor:
    """The bucket of the distance between each two places, as MPNet counts them (and T5 before it)."""
    at = torch.arange(places)
    distance = at[None, :] - at[:, None]
    half, exact = BUCKETS // 2, BUCKETS // 4
    size = distance.abs()
    far = exact + (torch.log(size.clamp(min=1) / exact) / math.log(FURTHEST / exact) * (half - exact)).long()
    return torch.where(size < exact, size, far.clamp(max=half - 1)) + half * (distance > 0)


class Layer(nn.Module):
    """One layer: each piece looks at all others, then thinks by itself."""

    def __init__(self, width: int, heads: int, neurons: int):
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(width, heads * HEAD) for _ in range(3))
        self.mixed = nn.Linear(heads * HEAD, width)
        self.norm_attention = nn.LayerNorm(width, eps=EPSILON)
        self.wide, self.narrow = nn.Linear(width, neurons), nn.Linear(neurons, width)
        self.norm = nn.LayerNorm(width, eps=EPSILON)

    def forward(self, vectors: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        """Vectors of [sentences, pieces, width] and, for their distances, [sentences or 1, heads, pieces, pieces]."""
        sentences, pieces, _ = vectors.shape
        inner = self.mixed.in_features
        by_head = lambda found: found.view(sentences, pieces, inner // HEAD, HEAD).transpose(1, 2)  # noqa: E731
        query, key, value = (by_head(made(vectors)) for made in (self.query, self.key, self.value))
        scores = query @ key.transpose(-1, -2) / math.sqrt(HEAD) + bias
        seen = (scores.softmax(-1) @ value).transpose(1, 2).reshape(sentences, pieces, inner)
        vectors = self.norm_attention(self.mixed(seen) + vectors)
        return self.norm(self.narrow(nn.functional.gelu(self.wide(vectors))) + vectors)


class Encoder(nn.Module):
    """Word pieces, by their numbers in the vocabulary, into vectors."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.shape = shape
        # Where the vector of a piece stands; those that were left out are read as the first, the unknown one.
        self.register_buffer("kept", torch.zeros(shape.vocabulary, dtype=torch.int32))
        self.pieces = nn.Embedding(shape.pieces, shape.width)
        self.places = nn.Embedding(shape.places, shape.width)
        self.norm = nn.LayerNorm(shape.width, eps=EPSILON)
        self.distances = nn.Embedding(BUCKETS, shape.all_heads)
        self.register_buffer("buckets", buckets(shape.places).int(), persistent=False)
        sizes = zip(map(len, shape.heads), shape.neurons)
        self.layers = nn.ModuleList(Layer(shape.width, heads, neurons) for heads, neurons in sizes)

    def all_layers(self, ids: torch.Tensor, mask: torch.Tensor | None = None):
        """Yields the vectors behind each layer. What the mask has as zero is not looked at."""
        count = ids.shape[1]
        vectors = self.norm(self.pieces(self.kept[ids]) + self.places.weight[:count])
        bias = self.distances(self.buckets[:count, :count]).permute(2, 0, 1)[None]
        if mask is not None:
            bias = bias + (1.0 - mask[:, None, None, :].float()) * -1e4
        for layer, heads in zip(self.layers, self.shape.heads):
            vectors = layer(vectors, bias[:, list(heads)])
            yield vectors

    def forward(self, ids: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        for vectors in self.all_layers(ids, mask):
            last = vectors
        return last


@torch.no_grad()
def whole_mpnet(folder: Path, pieces: list[str], places: int) -> Encoder:
    """The whole of a pretrained MPNet with the same word pieces as ours, under our numbers."""
    theirs = MPNetModel.from_pretrained(folder, add_pooling_layer=False)
    config = theirs.config
    expected = (HEAD * config.num_attention_heads, EPSILON, BUCKETS)
    if (config.hidden_size, config.layer_norm_eps, config.relative_attention_num_buckets) != expected:
        raise ValueError(f"{folder} holds another kind of encoder than MPNet's")
    every = tuple(range(config.num_attention_heads))
    heads, neurons = (every,) * config.num_hidden_layers, (config.intermediate_size,) * config.num_hidden_layers
    widths = (config.hidden_size, config.num_attention_heads)
    encoder = Encoder(Shape(heads, neurons, len(pieces), len(pieces), places, *widths))
    encoder.kept.copy_(torch.arange(len(pieces)))
    encoder.pieces.weight.copy_(theirs.embeddings.word_embeddings.weight[renumbered(folder, pieces)])
    # The first two places are for what is not read.
    encoder.places.weight.copy_(theirs.embeddings.position_embeddings.weight[2 : 2 + places])
    encoder.norm.load_state_dict(theirs.embeddings.LayerNorm.state_dict())
    encoder.distances.load_state_dict(theirs.encoder.relative_attention_bias.state_dict())
    for ours, given in zip(encoder.layers, theirs.encoder.layer):
        attention = given.attention.attn
        parts = (
            (ours.query, attention.q),
            (ours.key, attention.k),
            (ours.value, attention.v),
            (ours.mixed, attention.o),
            (ours.norm_attention, given.attention.LayerNorm),
            (ours.wide, given.intermediate.dense),
            (ours.narrow, given.output.dense),
            (ours.norm, given.output.LayerNorm),
        )
        for part, of in parts:
            part.load_state_dict(of.state_dict())
    return encoder


def renumbered(folder: Path, pieces: list[str]) -> torch.Tensor:
    """The number that each of our word pieces has in the vocabulary of a pretrained encoder."""
    theirs = (folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
    numbers = {piece: number for number, piece in enumerate(theirs)}
    marks = {"[PAD]": "<pad>", "[CLS]": "<s>", "[SEP]": "</s>"} if "<s>" in numbers else {}
    return torch.tensor([numbers[marks.get(piece, piece)] for piece in pieces])


@torch.no_grad()
def without(encoder: Encoder, heads: list[list[int]], neurons: list[list[int]]) -> Encoder:
    """What is left of an encoder when of each layer only some heads and neurons stay, by their places in it."""
    shape = encoder.shape
    of_whole = tuple(tuple(of[head] for head in stay) for of, stay in zip(shape.heads, heads))
    made = Encoder(Shape.of_stored(shape.stored() | {"heads": of_whole, "neurons": tuple(map(len, neurons))}))
    for part in ("norm", "pieces", "places", "distances"):
        getattr(made, part).load_state_dict(getattr(encoder, part).state_dict())
    made.kept.copy_(encoder.kept)
    for to, of, stay_heads, stay_neurons in zip(made.layers, encoder.layers, heads, neurons):
        inner = torch.tensor([head * HEAD + i for head in stay_heads for i in range(HEAD)])
        outer = torch.tensor(stay_neurons)
        for name, stay in (("query", inner), ("key", inner), ("value", inner), ("wide", outer)):
            getattr(to, name).weight.copy_(getattr(of, name).weight[stay])
            getattr(to, name).bias.copy_(getattr(of, name).bias[stay])
        for name, stay in (("mixed", inner), ("narrow", outer)):
            getattr(to, name).weight.copy_(getattr(of, name).weight[:, stay])
            getattr(to, name).bias.copy_(getattr(of, name).bias)
        to.norm_attention.load_state_dict(of.norm_attention.state_dict())
        to.norm.load_state_dict(of.norm.state_dict())
    return made


@torch.no_grad()
def with_pieces(encoder: Encoder, pieces: list[int]) -> Encoder:
    """An encoder in which only some word pieces, by their numbers, have a vector; the first is the unknown one."""
    made = Encoder(Shape.of_stored(encoder.shape.stored() | {"pieces": len(pieces)}))
    rows = torch.tensor(pieces)
    learnt = encoder.state_dict()
    learnt["pieces.weight"] = learnt["pieces.weight"][encoder.kept[rows]]
    learnt["kept"] = torch.zeros_like(encoder.kept)
    learnt["kept"][rows] = torch.arange(len(pieces), dtype=torch.int32)
    made.load_state_dict(learnt)
    return made
