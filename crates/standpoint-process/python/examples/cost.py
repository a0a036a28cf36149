"""Prints what the Python side of a call costs: unpacking a document of 5.8 KB with 1,200 tokens and
100 names, the stage, and packing the reply. CPU time, the lowest of many rounds.

    PYTHONPATH=. python3 examples/cost.py
"""

from __future__ import annotations

import json
import struct
import time

from spans import Spans

from standpoint_stage import NO_LINK, Document, Stage, _read_document, _write_reply

WORDS = 1200


def packed() -> bytes:
    """The document of the benchmark of the C ABI, as the host packs it."""
    text = ("word, " * (WORDS * 29 // 36)).encode()
    row = struct.Struct("<IIIIfI")
    rows = [row.pack(i * 29 // 6, i * 29 // 6 + 1, 0, 0, 0.0, NO_LINK) for i in range(WORDS)]
    layers = [{"name": "tokens", "count": WORDS}, {"name": "names", "count": WORDS // 12}]
    header = {"id": "d", "attempt": 1, "text_bytes": len(text), "metadata": {}, "layers": layers}
    encoded = json.dumps(header).encode()
    document = struct.pack("<I", len(encoded)) + encoded
    document += bytes(-len(document) % 4) + text
    document += bytes(-len(document) % 4)
    return document + b"".join(rows) + b"".join(rows[::12])


def lowest(rounds: int, calls: int, call: object) -> float:
    """Microseconds of CPU of a call."""
    best = float("inf")
    for _ in range(rounds):
        began = time.process_time()
        for _ in range(calls):
            call()  # type: ignore[operator]
        best = min(best, (time.process_time() - began) / calls)
    return best * 1e6


def main() -> None:
    payload = packed()

    def whole(stage: Stage) -> None:
        document = _read_document(payload)
        stage.process(document)
        _write_reply(document)

    spans = Spans(None)
    print(f"spans, packed both ways     {lowest(50, 20, lambda: whole(spans)):8.0f} µs")
    try:
        from spacy_rules import SpacyRules
    except ImportError:
        print("spacy_rules                 needs spaCy")
        return
    rules = SpacyRules(SpacyRules.Settings())
    news = "The minister denied the report and called for calm; Moscow rejected the claim. "
    text = (news * 74)[:5800]
    print(f"spacy_rules, 5.8 KB of news {lowest(15, 1, lambda: rules.process(Document(text))):8.0f} µs")


if __name__ == "__main__":
    main()
