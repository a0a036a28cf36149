"""The SDK by itself: offsets, settings, and a conversation over pipes."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import unittest
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "examples")]

from hedge import Hedge  # noqa: E402

from standpoint_stage import (  # noqa: E402
    Document,
    Span,
    Stage,
    StageError,
    _read_document,
    _write_reply,
    settings_schema,
)
from standpoint_stage.testing import make, run, tokenised  # noqa: E402

TEXTS = ["", "a", "It may rain.", "Может быть, да: may.", "👍🏽 may \u0301e\r\nmay", "a\0may", "שלום may"]


class Offsets(unittest.TestCase):
    def test_indexes_and_bytes_agree_with_encode(self) -> None:
        for text in TEXTS:
            document = Document(text)
            for index in range(len(text) + 1):
                byte = len(text[:index].encode())
                self.assertEqual(document._offsets.to_byte(index), byte, text)
                from array import array

                (back,) = document._offsets.to_indexes(array("I", [byte]))
                self.assertEqual(back, index, text)

    def test_spans_are_slices_of_the_text(self) -> None:
        for text in TEXTS:
            document = tokenised(text)
            for token in document.tokens:
                self.assertEqual(token.text, text[token.start : token.end])
            self.assertEqual(document.tokens.texts(), [t.text for t in document.tokens])
            if len(document.tokens):
                self.assertEqual(document.tokens[-1], list(document.tokens)[-1])


class Writing(unittest.TestCase):
    def test_a_stage_marks_what_it_finds(self) -> None:
        for text in TEXTS:
            found = [span.text for span in run(Hedge, text).written("hedges")]
            self.assertEqual(found, ["may"] * text.count("may"), text)
        self.assertEqual(run(Hedge, "it may", words=["it"]).written("hedges"), [Span(0, 2, "hedge")])

    def test_spans_are_sorted_and_labels_numbered(self) -> None:
        document = Document("один два")
        document.write("x", [(5, 8, "b"), Span(0, 4, "a", score=0.5)], vectors=[[1.0], [2.0]])
        self.assertEqual([(s.text, s.label, s.score) for s in document.written("x")],
                         [("один", "a", 0.5), ("два", "b", 0.0)])
        reply = _write_reply(document)
        (length,) = struct.unpack_from("<I", reply)
        header = json.loads(reply[4 : 4 + length])
        self.assertEqual(header["layers"], [{"name": "x", "count": 2, "width": 1, "labels": ["b", "a"]}])
        at = (4 + length + 3) & ~3
        self.assertEqual(struct.unpack_from("<IIIIfI", reply, at)[:3], (0, 8, 1))
        self.assertEqual(struct.unpack_from("<ff", reply, at + 48), (2.0, 1.0))

    def test_spans_outside_the_text_are_refused_in_words(self) -> None:
        with self.assertRaisesRegex(StageError, "span #1: 2..9 leaves the text, which has 3 char"):
            Document("abc").write("x", [(0, 1), (2, 9)])


class Settings(unittest.TestCase):
    def test_the_schema_says_what_the_dataclass_says(self) -> None:
        class Odd(Stage):
            name = "odd"

            @dataclass
            class Settings:
                depth: int
                rate: float = 0.5
                tags: Optional[str] = None

        self.assertEqual(
            settings_schema(Odd),
            {
                "type": "object",
                "properties": {
                    "depth": {"type": "integer"},
                    "rate": {"type": "number", "default": 0.5},
                    "tags": {"type": ["string", "null"], "default": None},
                },
                "additionalProperties": False,
                "required": ["depth"],
            },
        )
        self.assertEqual(make(Odd, depth=3).settings.rate, 0.5)


class Conversation(unittest.TestCase):
    """A host of a few lines."""

    def setUp(self) -> None:
        script = str(HERE.parent / "examples" / "hedge.py")
        self.child = subprocess.Popen(
            [sys.executable, script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(HERE.parent)},
        )
        self.logs: list[dict[str, Any]] = []
        self.ask(1, {"standpoint": "0", "protocol": [1, 1], "forms": ["packed"]})

    def tearDown(self) -> None:
        assert self.child.stdin and self.child.stdout
        self.child.stdin.close()
        self.assertEqual(self.child.wait(timeout=20), 0)
        self.child.stdout.close()

    def ask(self, kind: int, message: Any, request: int = 7) -> tuple[int, bytes]:
        assert self.child.stdin and self.child.stdout
        payload = message if isinstance(message, bytes) else json.dumps(message).encode()
        self.child.stdin.write(struct.pack("<IBI", len(payload), kind, request) + payload)
        self.child.stdin.flush()
        while True:
            length, answer, of = struct.unpack("<IBI", self.child.stdout.read(9))
            content = self.child.stdout.read(length)
            if answer != 8:
                self.assertEqual(of, request)
                return answer, content
            self.logs.append(json.loads(content))

    def test_it_introduces_itself_starts_works_and_complains(self) -> None:
        start = {"stage": "here", "pipeline_dir": ".", "settings": {"words": ["б"]}}
        self.assertEqual(self.ask(2, start), (5, b""))
        self.assertEqual(self.logs, [{"level": "info", "message": "1 words", "target": "hedge"}])
        text = "а б".encode()
        header = json.dumps({"id": "d", "attempt": 1, "text_bytes": len(text), "metadata": {},
                             "layers": [{"name": "tokens", "count": 2}]}).encode()
        document = struct.pack("<I", len(header)) + header
        document += bytes(-len(document) % 4) + text
        document += bytes(-len(document) % 4)
        document += struct.pack("<IIIIfI", 0, 2, 0, 0, 0.0, 0xFFFFFFFF)
        document += struct.pack("<IIIIfI", 3, 5, 0, 0, 0.0, 0xFFFFFFFF)
        self.assertEqual([t.text for t in _read_document(document).tokens], ["а", "б"])
        kind, reply = self.ask(3, document)
        self.assertEqual((kind, struct.unpack("<IIIIfI", reply[-24:])[:2]), (5, (3, 5)))
        batch = struct.pack("<II", 1, len(document)) + document
        kind, replies = self.ask(4, batch)
        self.assertEqual((kind, replies[12:]), (7, reply))
        kind, failure = self.ask(3, b"\xff\0\0\0{")
        self.assertEqual(kind, 6)
        self.assertIn("JSONDecodeError", json.loads(failure)["message"])
        kind, failure = self.ask(2, {**start, "settings": {"wrods": []}})
        self.assertIn("wrods", json.loads(failure)["message"])


if __name__ == "__main__":
    unittest.main()
