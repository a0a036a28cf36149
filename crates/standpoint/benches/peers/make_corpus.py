#!/usr/bin/env python3
"""Makes a corpus of news-like documents with ever new words, the same for everybody who asks.

    make_corpus.py SEED OUT.jsonl [DOCUMENTS [NOVEL [PARAGRAPHS]]]

SEED is a text, or a folder of texts such as `seeds/`. Each document is a title and a random choice
of the paragraphs of one pool, in random order; one JSON object {"id", "text"} on a line.

NOVEL is the share of long lower-case words that get four random letters more (0.1 unless told), so
that what remembers words, such as a tokeniser's cache, does not live on a closed vocabulary.
PARAGRAPHS is the most that a document takes (25 unless told: about seven kilobytes).
"""
import json
import pathlib
import random
import re
import sys

LONG_WORD = re.compile(r"\b[a-z]{6,}\b")


def pool(seed):
    """Titles and paragraphs; short paragraphs (captions, by-lines) are left out."""
    texts = sorted(seed.glob("*.txt")) if seed.is_dir() else [seed]
    titles, paragraphs = [], []
    for path in texts:
        if path.stem.isupper():  # README and LICENCE tell of the texts, they are none
            continue
        blocks = [b.strip() for b in path.read_text(encoding="utf-8").split("\n") if b.strip()]
        titles.append(blocks[0])
        paragraphs += [block for block in blocks if len(block) > 200]
    return titles, paragraphs


def documents(seed, count, novel, most):
    """The texts of the corpus, one after the other."""
    titles, paragraphs = pool(seed)
    draw = random.Random(20220923)

    def vary(match):
        new = draw.random() < novel
        return match[0] + "".join(draw.choices("aeioulnrst", k=4)) if new else match[0]

    most = min(most, len(paragraphs))
    for index in range(count):
        chosen = draw.sample(paragraphs, draw.randint(max(1, most // 3), most))
        title = f"{titles[index % len(titles)]} (variant {index})"
        yield f"doc-{index:06d}", title + "\n\n" + LONG_WORD.sub(vary, "\n\n".join(chosen)) + "\n"


def write(seed, out, count=2000, novel=0.1, most=25):
    with open(out, "w", encoding="utf-8") as file:
        for name, text in documents(pathlib.Path(seed), count, novel, most):
            file.write(json.dumps({"id": name, "text": text}, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    write(*sys.argv[1:3], *(kind(text) for kind, text in zip((int, float, int), sys.argv[3:])))
