"""The stage by which the cost of the boundary is measured: reads every token and name, and marks a
hundred spans."""

from __future__ import annotations

from standpoint_stage import Document, Stage, serve


class Spans(Stage):
    name = "spans"
    version = "1.0.0"
    description = "marks every twelfth token"
    reads = ["tokens", "names"]
    writes = ["marks"]

    def process(self, document: Document) -> None:
        tokens, names = document.tokens, document.layer("names")
        total = sum(tokens.ends) - sum(tokens.starts) + sum(names.ends) - sum(names.starts)
        marked = zip(tokens.starts[::12], tokens.ends[::12])
        document.write("marks", [(start, end, total % 7) for start, end in marked])


if __name__ == "__main__":
    serve(Spans)
