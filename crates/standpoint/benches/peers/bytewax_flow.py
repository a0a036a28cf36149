"""The words of each file of a folder as JSONL, by Bytewax: `python -m bytewax.run bytewax_flow`.

Takes INBOX and OUT from the environment. Bytewax has no source for a folder of whole files, so this
is the smallest that a user would write: one partition that lists the folder once, and whose state is
the names already read.
"""
import json
import os
from pathlib import Path

import bytewax.operators as op
from bytewax.connectors.files import FileSink
from bytewax.dataflow import Dataflow
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

INBOX, OUT = os.environ["INBOX"], os.environ["OUT"]
TOGETHER = 64


class Folder(StatefulSourcePartition):
    def __init__(self, seen):
        self.seen = set(seen or ())
        self.waiting = sorted(set(os.listdir(INBOX)) - self.seen, reverse=True)

    def next_batch(self):
        if not self.waiting:
            raise StopIteration()
        batch = []
        for _ in range(min(TOGETHER, len(self.waiting))):
            name = self.waiting.pop()
            self.seen.add(name)
            with open(f"{INBOX}/{name}") as file:
                batch.append((name, file.read()))
        return batch

    def snapshot(self):
        return sorted(self.seen)


class Inbox(FixedPartitionedSource):
    def list_parts(self):
        return ["inbox"]

    def build_part(self, step_id, for_part, resume_state):
        return Folder(resume_state)


def words(document):
    name, text = document
    return "out", json.dumps({"file": name, "words": len(text.split())})


flow = Dataflow("words")
stream = op.map("words", op.input("in", flow, Inbox()), words)
op.output("out", stream, FileSink(Path(OUT)))
