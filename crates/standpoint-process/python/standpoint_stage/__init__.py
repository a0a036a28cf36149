"""A stage of a Standpoint pipeline, written in Python.

A stage is a class with a name, the layers that it reads and writes, and a method::

    from dataclasses import dataclass
    from standpoint_stage import Document, Stage, serve

    class Hedge(Stage):
        name = "hedge"
        reads = ["tokens"]
        writes = ["hedges"]

        @dataclass
        class Settings:
            words: list[str] = ("perhaps", "reportedly")

        def process(self, document: Document) -> None:
            words = set(self.settings.words)
            document.write("hedges", (t for t in document.tokens if t.text.lower() in words))

    if __name__ == "__main__":
        serve(Hedge)

Offsets here are indexes of ``document.text``, so that ``text[span.start:span.end]`` is the span's
text; the bytes that cross the pipe are converted. What is printed or logged goes to the host's log.
Nothing but the standard library is needed; Python 3.9 or later.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import re
import struct
import sys
import traceback
import typing
from array import array
from bisect import bisect_left, bisect_right
from typing import Any, BinaryIO, ClassVar, Iterable, Iterator, Mapping, Optional, Sequence, Union

__all__ = [
    "Document",
    "DocumentError",
    "Layer",
    "NO_LINK",
    "Span",
    "Stage",
    "StageError",
    "TransientError",
    "serve",
]

PROTOCOL = 1
NO_LINK = 0xFFFFFFFF

_HELLO, _START, _DOCUMENT, _BATCH, _RESULT = 1, 2, 3, 4, 5
_ERROR, _BATCH_RESULT, _LOG, _CANCEL, _SHUTDOWN = 6, 7, 8, 9, 10
_HEADER = struct.Struct("<IBI")
_ROW = struct.Struct("<IIIIfI")
_NUMBER = struct.Struct("<I")
_BIG_ENDIAN = sys.byteorder == "big"


class StageError(Exception):
    """The stage itself is at fault."""

    kind = "stage"


class DocumentError(StageError):
    """This document cannot be processed, and trying again gives the same."""

    kind = "document"


class TransientError(StageError):
    """Something passing went wrong; trying again may help."""

    kind = "transient"


class Span:
    """A piece of a document's text: ``text[start:end]``, and what a layer says of it."""

    __slots__ = ("start", "end", "label", "flags", "score", "link", "_text")

    def __init__(
        self,
        start: int,
        end: int,
        label: Union[str, int, None] = None,
        flags: int = 0,
        score: float = 0.0,
        link: int = NO_LINK,
        _text: str = "",
    ) -> None:
        self.start, self.end, self.label = start, end, label
        self.flags, self.score, self.link, self._text = flags, score, link, _text

    @property
    def text(self) -> str:
        """The words; empty for a span that was not read from a document."""
        return self._text[self.start : self.end]

    def __repr__(self) -> str:
        label = "" if self.label is None else f", label={self.label!r}"
        return f"Span({self.start}, {self.end}{label})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Span):
            return NotImplemented
        mine = (self.start, self.end, self.label, self.flags, self.score, self.link)
        return mine == (other.start, other.end, other.label, other.flags, other.score, other.link)

    __hash__ = None  # type: ignore[assignment]


class Layer:
    """Spans in the order of the text: to go through, or as columns, which is faster.

    ``starts`` and ``ends`` are indexes of the text; ``labels``, ``flags``, ``scores`` and ``links``
    are numbers; ``names`` says what the labels mean, where the layer names them.
    """

    def __init__(self, offsets: _Offsets, raw: bytes, names: Sequence[str]) -> None:
        self._offsets = offsets
        self._words = array("I")
        self._words.frombytes(raw)
        if _BIG_ENDIAN:
            self._words.byteswap()
        self.names = list(names)

    def __len__(self) -> int:
        return len(self._words) // 6

    @property
    def starts(self) -> Sequence[int]:
        return self._offsets.to_indexes(self._words[0::6])

    @property
    def ends(self) -> Sequence[int]:
        return self._offsets.to_indexes(self._words[1::6])

    @property
    def labels(self) -> Sequence[int]:
        return self._words[2::6]

    @property
    def flags(self) -> Sequence[int]:
        return self._words[3::6]

    @property
    def scores(self) -> Sequence[float]:
        numbers = array("f")
        numbers.frombytes(self._words[4::6].tobytes())
        return numbers

    @property
    def links(self) -> Sequence[int]:
        return self._words[5::6]

    def texts(self) -> list[str]:
        """The words of every span."""
        text = self._offsets.text
        return [text[start:end] for start, end in zip(self.starts, self.ends)]

    def __iter__(self) -> Iterator[Span]:
        text, names = self._offsets.text, self.names
        columns = (self.starts, self.ends, self.labels, self.flags, self.scores, self.links)
        for start, end, label, flags, score, link in zip(*columns):
            named = names[label] if label < len(names) else label
            yield Span(start, end, named, flags, score, link, text)

    def __getitem__(self, index: int) -> Span:
        count = len(self)
        if not -count <= index < count:
            raise IndexError(index)
        at = (index % count) * 6
        start, end = self._offsets.to_indexes(self._words[at : at + 2])
        label, flags = self._words[at + 2], self._words[at + 3]
        score = struct.unpack("=f", struct.pack("=I", self._words[at + 4]))[0]
        named = self.names[label] if label < len(self.names) else label
        return Span(start, end, named, flags, score, self._words[at + 5], self._offsets.text)


class _Offsets:
    """Between bytes of UTF-8 and indexes of a text; nothing to do where it is ASCII."""

    def __init__(self, text: str, encoded: bytes) -> None:
        self.text = text
        # The bytes and indexes that follow each character of several bytes.
        self._bytes: list[int] = []
        self._indexes: list[int] = []
        if len(text) != len(encoded):
            byte = index = 0
            for found in re.finditer(r"[^\x00-\x7f]", text):
                byte += found.start() - index + len(found.group().encode())
                index = found.end()
                self._bytes.append(byte)
                self._indexes.append(index)

    def to_indexes(self, offsets: array[int]) -> Sequence[int]:
        if not self._bytes:
            return offsets
        before, indexes = self._bytes, self._indexes
        result = []
        for offset in offsets:
            at = bisect_right(before, offset) - 1
            result.append(offset if at < 0 else indexes[at] + offset - before[at])
        return result

    def to_byte(self, index: int) -> int:
        at = bisect_right(self._indexes, index) - 1
        return index if at < 0 else self._bytes[at] + index - self._indexes[at]


class Document:
    """A text, what earlier stages have found in it, and what this one writes."""

    def __init__(
        self,
        text: str,
        id: str = "",  # noqa: A002 - it is called so everywhere
        metadata: Optional[Mapping[str, Any]] = None,
        attempt: int = 1,
    ) -> None:
        self.text, self.id, self.attempt = text, id, attempt
        #: ``source``, ``title``, ``author``, ``published``, ``language``.
        self.metadata: Mapping[str, Any] = metadata or {}
        #: ``entities``, ``sentiment`` and ``stance``, where ``reads`` names them, as the host holds
        #: them: spans inside them are bytes.
        self.records: Mapping[str, Any] = {}
        self.attributes: Mapping[str, Any] = {}
        self.layers: dict[str, Layer] = {}
        self._offsets = _Offsets(text, text.encode())
        self._written: dict[str, tuple[list[tuple[Any, ...]], list[str], int, array[float]]] = {}
        self._written_records: dict[str, Any] = {}
        self._written_attributes: dict[str, Any] = {}
        self._language: Optional[str] = None
        self._notes: list[str] = []

    @property
    def title(self) -> Optional[str]:
        return self.metadata.get("title")

    @property
    def author(self) -> Optional[str]:
        return self.metadata.get("author")

    @property
    def published(self) -> Optional[str]:
        return self.metadata.get("published")

    @property
    def language(self) -> Optional[str]:
        return self.metadata.get("language")

    def layer(self, name: str) -> Layer:
        """The layer of this name; one without spans where there is none."""
        found = self.layers.get(name)
        return Layer(self._offsets, b"", []) if found is None else found

    @property
    def tokens(self) -> Layer:
        return self.layer("tokens")

    @property
    def sentences(self) -> Layer:
        return self.layer("sentences")

    @property
    def mentions(self) -> Layer:
        return self.layer("entities")

    def within(self, layer: Layer, start: int, end: int) -> list[Span]:
        """The spans of a layer that start inside ``text[start:end]``."""
        starts = layer.starts
        return [layer[at] for at in range(bisect_left(starts, start), bisect_left(starts, end))]

    def write(
        self,
        name: str,
        spans: Iterable[Union[Span, tuple[Any, ...]]],
        names: Sequence[str] = (),
        vectors: Optional[Sequence[Sequence[float]]] = None,
    ) -> None:
        """Writes a layer, in place of what this stage wrote before.

        Spans are :class:`Span` or tuples ``(start, end)``, ``(start, end, label)``; they are put
        into the order of the text. Labels that are words are numbered, those of ``names`` first.
        """
        numbers = {label: number for number, label in enumerate(names)}
        to_byte = self._offsets.to_byte
        is_plain = not self._offsets._bytes
        length = len(self.text)
        rows: list[tuple[Any, ...]] = []
        for position, span in enumerate(spans):
            if isinstance(span, Span):
                start, end, label = span.start, span.end, span.label
                flags, score, link = span.flags, span.score, span.link
            else:
                start, end = span[0], span[1]
                label = span[2] if len(span) > 2 else None
                flags, score, link = 0, 0.0, NO_LINK
            if not 0 <= start <= end <= length:
                raise StageError(
                    f"layer `{name}` span #{position}: {start}..{end} leaves the text, which has "
                    f"{length} characters"
                )
            if isinstance(label, str):
                label = numbers.setdefault(label, len(numbers))
            if not is_plain:
                start, end = to_byte(start), to_byte(end)
            rows.append((start, end, label or 0, flags, score, link))
        width, numbers_of_vectors = 0, array("f")
        if vectors is not None:
            width = len(vectors[0]) if len(vectors) else 0
            if len(vectors) != len(rows) or any(len(row) != width for row in vectors):
                raise StageError(f"layer `{name}` needs one vector of equal width for each span")
        order = sorted(range(len(rows)), key=lambda at: rows[at][:2])
        if vectors is not None:
            for at in order:
                numbers_of_vectors.extend(vectors[at])
        self._written[name] = ([rows[at] for at in order], list(numbers), width, numbers_of_vectors)

    def written(self, name: str) -> list[Span]:
        """The spans that this stage wrote to a layer, for tests."""
        rows, names, _, _ = self._written.get(name, ([], [], 0, array("f")))
        spans = []
        for start, end, label, flags, score, link in rows:
            start, end = self._offsets.to_indexes(array("I", [start, end]))
            named = names[label] if label < len(names) else label
            spans.append(Span(start, end, named, flags, score, link, self.text))
        return spans

    def set_attribute(self, name: str, value: Any) -> None:
        """Writes an attribute: anything that JSON can say."""
        self._written_attributes[name] = value

    def set_record(self, name: str, value: Any) -> None:
        """Writes the record ``entities``, ``sentiment`` or ``stance`` as the host holds it."""
        self._written_records[name] = value

    def set_language(self, code: str) -> None:
        """Writes the language, an ISO 639-1 code."""
        self._language = code

    def add_note(self, note: str) -> None:
        """Records that something was skipped, which makes the result partial."""
        self._notes.append(note)


class Stage:
    """What a stage is: subclass it, and give the class to :func:`serve`."""

    #: Lower case, digits and ``-``.
    name: ClassVar[str]
    version: ClassVar[str] = "0.1.0"
    description: ClassVar[str] = ""
    #: The model that it carries, for the provenance of results.
    model: ClassVar[Optional[str]] = None
    #: The layers, records and attributes that must be there before it runs.
    reads: ClassVar[Sequence[str]] = ()
    #: What it may write, and nothing else.
    writes: ClassVar[Sequence[str]] = ()

    @dataclasses.dataclass
    class Settings:
        """The keys under ``with:`` in a pipeline file. A default makes a key optional; a
        ``description`` in the field's metadata is its documentation."""

    def __init__(self, settings: Any, stage: str = "", pipeline_dir: str = ".") -> None:
        self.settings, self.stage, self.pipeline_dir = settings, stage, pipeline_dir
        self.start()

    def start(self) -> None:
        """Loads what the stage needs, once; raise :class:`StageError` to refuse the settings."""

    def process(self, document: Document) -> None:
        """Reads a document and writes to it."""
        raise NotImplementedError

    def process_batch(self, documents: list[Document]) -> list[Optional[Exception]]:
        """The same for several at once; returns what went wrong with each, or ``None``."""
        results: list[Optional[Exception]] = []
        for document in documents:
            try:
                self.process(document)
                results.append(None)
            except Exception as error:  # noqa: BLE001 - it fails this document and no other
                results.append(error)
        return results


def settings_schema(stage: type[Stage]) -> dict[str, Any]:
    """The JSON Schema of a stage's settings."""
    hints = typing.get_type_hints(stage.Settings)
    properties, required = {}, []
    for field in dataclasses.fields(stage.Settings):
        schema = _schema_of(hints[field.name])
        described = field.metadata.get("description")
        if described:
            schema["description"] = described
        if field.default is not dataclasses.MISSING:
            default = field.default
            schema["default"] = list(default) if isinstance(default, tuple) else default
        elif field.default_factory is not dataclasses.MISSING:
            schema["default"] = field.default_factory()
        else:
            required.append(field.name)
        schema.update({k: v for k, v in field.metadata.items() if k in _KEYWORDS})
        properties[field.name] = schema
    result: dict[str, Any] = {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }
    if required:
        result["required"] = required
    return result


_KEYWORDS = {"minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "enum", "format"}


def _schema_of(hint: Any) -> dict[str, Any]:
    plain = {str: "string", int: "integer", float: "number", bool: "boolean", dict: "object"}
    if hint in plain:
        return {"type": plain[hint]}
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (list, tuple, set) or hint in (list, tuple, set):
        return {"type": "array", "items": _schema_of(arguments[0]) if arguments else {}}
    if origin is dict:
        return {"type": "object", "additionalProperties": _schema_of(arguments[1])}
    if origin is Union and type(None) in arguments:
        (other,) = [argument for argument in arguments if argument is not type(None)]
        schema = _schema_of(other)
        schema["type"] = [schema["type"], "null"]
        return schema
    return {}


def serve(stage: type[Stage]) -> None:
    """Serves a stage until the host ends it: what a stage's file calls.

    From here on, what is printed goes to standard error: standard output is the host's.
    """
    output = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    _Server(stage, sys.stdin.buffer, output).run()


class _Server:
    def __init__(self, stage: type[Stage], source: BinaryIO, sink: BinaryIO) -> None:
        self.definition, self.source, self.sink = stage, source, sink
        self.stage: Optional[Stage] = None

    def run(self) -> None:
        handler = _HostLog(self.send)
        logging.getLogger().addHandler(handler)
        logging.getLogger().setLevel(logging.INFO)
        try:
            while True:
                header = self.source.read(_HEADER.size)
                if len(header) < _HEADER.size:
                    return
                length, kind, request = _HEADER.unpack(header)
                payload = self.source.read(length)
                if len(payload) < length or kind == _SHUTDOWN:
                    return
                if kind != _CANCEL:
                    self.answer(kind, request, payload)
        except (BrokenPipeError, KeyboardInterrupt):
            # The host has gone.
            return
        finally:
            logging.getLogger().removeHandler(handler)

    def send(self, kind: int, request: int, payload: bytes) -> None:
        frame = memoryview(_HEADER.pack(len(payload), kind, request) + payload)
        while frame:
            frame = frame[self.sink.write(frame) :]

    def answer(self, kind: int, request: int, payload: bytes) -> None:
        try:
            if kind == _HELLO:
                reply = _HELLO, self.hello(json.loads(payload))
            elif kind == _START:
                self.stage = self.make(json.loads(payload))
                reply = _RESULT, b""
            elif kind == _DOCUMENT:
                document = _read_document(payload)
                self.started().process(document)
                reply = _RESULT, _write_reply(document)
            elif kind == _BATCH:
                reply = _BATCH_RESULT, self.batch(payload)
            else:
                raise StageError(f"the host sent a frame of kind {kind}, which is not known here")
        except Exception as error:  # noqa: BLE001 - it is told to the host
            reply = _ERROR, _failure(error)
        self.send(reply[0], request, reply[1])

    def hello(self, host: Mapping[str, Any]) -> bytes:
        lowest, highest = host["protocol"]
        if not lowest <= PROTOCOL <= highest:
            raise StageError(
                f"this SDK speaks protocol {PROTOCOL} and the host {lowest} to {highest}: update it"
            )
        stage = self.definition
        manifest = {
            "name": stage.name,
            "version": stage.version,
            "description": stage.description,
            "model": stage.model,
            "reads": list(stage.reads),
            "writes": list(stage.writes),
            "settings": settings_schema(stage),
        }
        hello = {"protocol": PROTOCOL, "form": "packed", "batch": True, "manifest": manifest}
        return json.dumps(hello).encode()

    def make(self, start: Mapping[str, Any]) -> Stage:
        try:
            settings = self.definition.Settings(**start["settings"])
        except TypeError as error:
            raise StageError(f"settings of `{self.definition.name}`: {error}") from error
        return self.definition(settings, start["stage"], start["pipeline_dir"])

    def started(self) -> Stage:
        if self.stage is None:
            raise StageError("the host gave a document before `start`")
        return self.stage

    def batch(self, payload: bytes) -> bytes:
        (count,) = _NUMBER.unpack_from(payload)
        at, documents = 4, []
        for _ in range(count):
            at = (at + 3) & ~3
            (length,) = _NUMBER.unpack_from(payload, at)
            documents.append(_read_document(payload[at + 4 : at + 4 + length]))
            at += 4 + length
        results = self.started().process_batch(documents)
        if len(results) != count:
            raise StageError(f"process_batch returned {len(results)} results for {count} documents")
        reply = bytearray(_NUMBER.pack(count))
        for document, error in zip(documents, results):
            reply += bytes(-len(reply) % 4)
            content = _write_reply(document) if error is None else _failure(error)
            reply += struct.pack("<II", error is not None, len(content)) + content
        return bytes(reply)


class _HostLog(logging.Handler):
    """Sends log records to the host."""

    def __init__(self, send: Any) -> None:
        super().__init__(logging.INFO)
        self._send = send

    def emit(self, record: logging.LogRecord) -> None:
        levels = [(40, "error"), (30, "warn"), (20, "info"), (0, "debug")]
        level = next(name for least, name in levels if record.levelno >= least)
        log = {"level": level, "message": record.getMessage(), "target": record.name}
        self._send(_LOG, 0, json.dumps(log).encode())


def _failure(error: Exception) -> bytes:
    kind = error.kind if isinstance(error, StageError) else "stage"
    message = str(error)
    if not isinstance(error, StageError):
        # Where it went wrong, because its author has to find it.
        place = traceback.extract_tb(error.__traceback__)
        where = f" at {os.path.basename(place[-1].filename)}:{place[-1].lineno}" if place else ""
        message = f"{type(error).__name__}: {message}{where}" if message else f"{type(error).__name__}{where}"
    return json.dumps({"kind": kind, "message": message}).encode()


def _read_document(payload: bytes) -> Document:
    (length,) = _NUMBER.unpack_from(payload)
    header = json.loads(payload[4 : 4 + length])
    at = (4 + length + 3) & ~3
    end = at + header["text_bytes"]
    document = Document(
        payload[at:end].decode(), header["id"], header["metadata"], header["attempt"]
    )
    document.records = header.get("records", {})
    document.attributes = header.get("attributes", {})
    for layer in header["layers"]:
        at = (end + 3) & ~3
        end = at + 24 * layer["count"]
        raw = payload[at:end]
        document.layers[layer["name"]] = Layer(document._offsets, raw, layer.get("labels", ()))
        end += 4 * layer["count"] * layer.get("width", 0)
    return document


def _write_reply(document: Document) -> bytes:
    layers, columns = [], bytearray()
    for name, (rows, names, width, vectors) in document._written.items():
        layers.append({"name": name, "count": len(rows), "width": width, "labels": names})
        pack = _ROW.pack
        columns += b"".join([pack(*row) for row in rows])
        if _BIG_ENDIAN:
            vectors.byteswap()
        columns += vectors.tobytes()
    header = json.dumps(
        {
            "layers": layers,
            "records": document._written_records,
            "attributes": document._written_attributes,
            "language": document._language,
            "notes": document._notes,
        }
    ).encode()
    padding = bytes(-(4 + len(header)) % 4)
    return _NUMBER.pack(len(header)) + header + padding + bytes(columns)
