"""The raw text of a treebank's documents as JSON lines, for the program to read.

    python raw_texts.py DATA_FOLDER/ud-ewt/train.conllu OUT.jsonl
"""

import json
import sys
from pathlib import Path

from data import opened


def documents(path: Path):
    """Sentences of a document joined by a space, paragraphs by an empty line."""
    name, text = None, ""
    for line in opened(path):
        key, _, value = line.strip().removeprefix("# ").partition(" = ")
        if key == "newdoc id":
            if text:
                yield name, text
            name, text = value, ""
        elif line.startswith("# newpar"):
            text += "\n\n" if text else ""
        elif key == "text":
            text += ("" if not text or text.endswith("\n") else " ") + value
    yield name, text


def main() -> None:
    path, out = map(Path, sys.argv[1:])
    with out.open("w", encoding="utf-8") as file:
        for name, text in documents(path):
            file.write(json.dumps({"id": name, "text": text}, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
