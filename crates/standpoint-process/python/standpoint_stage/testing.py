"""What the author of a stage needs to test it: documents with the usual layers, and a way to call a
stage without a host."""

from __future__ import annotations

import re
from typing import Any

from . import _ROW, NO_LINK, Document, Layer, Stage

__all__ = ["make", "run", "tokenised"]


def tokenised(text: str, **metadata: Any) -> Document:
    """A document with tokens (runs of letters and digits, and each other mark by itself) and one
    sentence for each line."""
    document = Document(text, "test", metadata)
    add_layer(document, "tokens", [m.span() for m in re.finditer(r"\w+|[^\w\s]", text)])
    lines = (m for m in re.finditer(r"[^\n]+", text) if m.group().strip())
    add_layer(document, "sentences", [(m.start(), m.start() + len(m.group().rstrip())) for m in lines])
    return document


def add_layer(document: Document, name: str, spans: list[tuple[int, int]]) -> None:
    """Gives a document a layer to read."""
    to_byte = document._offsets.to_byte
    rows = (_ROW.pack(to_byte(start), to_byte(end), 0, 0, 0.0, NO_LINK) for start, end in spans)
    document.layers[name] = Layer(document._offsets, b"".join(rows), [])


def make(stage: type[Stage], **settings: Any) -> Stage:
    """A stage with these settings."""
    return stage(stage.Settings(**settings), stage.name, ".")


def run(stage: type[Stage], text: str, **settings: Any) -> Document:
    """Runs a stage on a text and returns the document; ``written(layer)`` has what it wrote."""
    document = tokenised(text)
    make(stage, **settings).process(document)
    written = [*document._written, *document._written_attributes, *document._written_records]
    foreign = [name for name in written if name not in stage.writes]
    if foreign:
        raise AssertionError(f"it writes {foreign[0]!r}, which `writes` does not name")
    return document
