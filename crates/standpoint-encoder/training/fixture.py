"""Writes the model of the crate's tests: as the real one in all but size, and with random weights.

    python fixture.py ../tests/fixture

It also writes `agreement.json`: what the framework says of the sentences of `agreement.txt`. The
program must read the same word pieces, at the same bytes, give what the ONNX runtime gives for the
same int8 networks, and stay near what PyTorch says in 32 bits.
"""

import argparse
import json
import logging
from pathlib import Path

import onnxruntime
import torch
from transformers import BertConfig

from encoder import Encoder, Shape, with_pieces
from export import write_model
from model import Network, Tagger, pool, tokenizer
from names import KINDS, SHAPES, TAGS, Text
from train_names import names_in, tag

SENTENCES = Path(__file__).parent / "agreement.txt"
WIDTH = 32
WINDOW, OVERLAP = 64, 12


def small_vocabulary(sentences: list[str]) -> list[str]:
    """The marks, and what the sentences need; a quarter of their longer pieces is left out, so that
    some words fall apart and some are unknown."""
    used = {token for text in sentences for token in tokenizer().encode(text).tokens}
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    letters = [mark + letter for mark in ("", "##") for letter in "abcdefghijklmnopqrstuvwxyz"]
    kept = [piece for number, piece in enumerate(sorted(used)) if len(piece) < 4 or number % 4]
    return list(dict.fromkeys(marks + letters + kept))


def rounded(tensor) -> list[float]:
    return [round(float(number), 4) for number in tensor]


@torch.no_grad()
def agreement(net: Network, pieces: list[str], folder: Path, lines: list[str]) -> list[dict]:
    tokens = tokenizer(pieces)
    session = lambda name: onnxruntime.InferenceSession(folder / name)  # noqa: E731
    encoder, sentiment, stance, tagger = map(session, ("encoder.onnx", "sentiment.onnx", "stance.onnx", "names.onnx"))
    rows = []
    for line in lines:
        text, *names = line.split(" | ")
        found = tokens.encode(text)
        size = lambda count: len(text[:count].encode())  # noqa: E731
        spans, inside = [], []
        for name in names:
            begin = text.index(name)
            end = begin + len(name)
            spans.append([size(begin), size(end)])
            touched = [i for i, (a, b) in enumerate(found.offsets) if a < end and begin < b]
            inside.append(torch.tensor([[touched[0], touched[-1] + 1]]))
        ids = torch.tensor([found.ids])
        exact = net.encode(ids)
        vectors = torch.tensor(encoder.run(None, {"ids": ids.numpy()})[0])
        cls = vectors[:, 0]
        holder, target = (pool(vectors, torch.tensor([0]), span) for span in inside)
        places = {"cls": cls.numpy(), "target": target.numpy()}
        # Both at once, as the test asks: the numbers of an int8 network depend on their company.
        asked = {"cls": cls, "holder": holder, "target": target}
        asked = {name: vector.repeat(2, 1).numpy() for name, vector in asked.items()}
        asked["by_author"] = torch.tensor([0, 1], dtype=torch.int32).numpy()
        of_holder, of_author = stance.run(None, asked)[0]
        item = tag(tokens, Text(text, ()))
        inputs = {"ids": torch.tensor([item.ids]).numpy(), "shapes": torch.tensor([item.shapes]).numpy()}
        scores = torch.tensor(tagger.run(None, inputs)[0][0])
        rows.append(
            {
                "text": text,
                # Without the marks at both ends.
                "pieces": found.ids[1:-1],
                "places": [[size(a), size(b)] for a, b in found.offsets[1:-1]],
                "holder": spans[0],
                "target": spans[1],
                "holder_vector": rounded(holder[0]),
                "exact_holder_vector": rounded(pool(exact, torch.tensor([0]), inside[0])[0]),
                "sentiment": rounded(sentiment.run(None, places)[0][0]),
                "stance": rounded(of_holder),
                "author_stance": rounded(of_author),
                "names": [
                    {"bytes": [size(a), size(b)], "kind": KINDS[kind], "confidence": round(confidence, 4)}
                    for a, b, kind, confidence in names_in(item, scores)
                ],
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    logging.getLogger().setLevel(logging.ERROR)

    lines = [line for line in SENTENCES.read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]
    pieces = small_vocabulary([line.split(" | ")[0] for line in lines])
    torch.manual_seed(1)
    numbers = range(len(pieces))
    unknown = pieces.index("[UNK]")
    # Some pieces have no vector of their own, as in the real one.
    kept = [unknown] + [number for number in numbers if number != unknown and number % 12]
    shape = Shape(((0, 2), (1,)), (48, 32), len(pieces), len(pieces), WINDOW, WIDTH, all_heads=3)
    encoder = Encoder(shape)
    encoder.kept.copy_(torch.arange(len(pieces)))
    net = Network(with_pieces(encoder, kept))
    # Large enough that order and company change what comes out, and less than the words do.
    torch.nn.init.normal_(net.encoder.distances.weight, std=1.0)
    torch.nn.init.normal_(net.encoder.places.weight, std=0.3)
    for weights in (net.author, *net.sentiment.parameters(), *net.stance.parameters()):
        torch.nn.init.normal_(weights, std=0.3)
    config = BertConfig(
        vocab_size=len(pieces),
        hidden_size=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=WINDOW,
        initializer_range=0.1,
    )
    # A seed with which it takes most words for names, so that there is something to agree on.
    torch.manual_seed(8)
    tagger = Tagger(SHAPES, TAGS, 2, config)
    torch.nn.init.normal_(tagger.out.weight, std=0.5)
    torch.nn.init.normal_(tagger.encoder.embeddings.token_type_embeddings.weight, std=0.5)
    about = {
        "name": "fixture/1",
        "window": WINDOW,
        "overlap": OVERLAP,
        "temperatures": {"sentiment": 1.0, "stance": 1.0, "names": 1.0},
    }
    write_model(net, tagger, pieces, options.out, about)
    rows = agreement(net, pieces, options.out, lines)
    text = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (options.out / "agreement.json").write_text(f"[\n{text}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
