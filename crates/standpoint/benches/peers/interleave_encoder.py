#!/usr/bin/env python3
"""The default chain against PyTorch over every sentence, in turns on the same documents.

    interleave_encoder.py PROGRAM PYTHON NEWS.jsonl.gz [CHECKPOINT [DOCUMENTS [ROUNDS]]]

PROGRAM is the built `standpoint`; PYTHON one that has what `training/requirements.txt` lists; NEWS
records with `text`. Each round takes other documents, spread over the file. Prints documents per
second of CPU time: of whole processes for us, and for PyTorch without the time that it takes to
start and to load the weights, which is measured with no sentence.
"""
import gzip
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[3]


def cpu_seconds(command):
    """Runs a command on one core to its end: seconds of user and system time."""
    environment = dict(os.environ, OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1")
    child = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        sys.exit(f"{command[0]} failed")
    return usage.ru_utime + usage.ru_stime


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    program, python, news = sys.argv[1:4]
    checkpoint = sys.argv[4] if len(sys.argv) > 4 else "-"
    count = int(sys.argv[5]) if len(sys.argv) > 5 else 20
    rounds = int(sys.argv[6]) if len(sys.argv) > 6 else 5
    with gzip.open(news, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    step = max(1, len(rows) // (count * rounds))
    work = pathlib.Path(tempfile.mkdtemp())
    sentences = work / "sentences.jsonl"
    sentences.write_text("[]\n", encoding="utf-8")
    peer = [python, str(HERE / "bench_pytorch.py"), str(sentences), checkpoint]
    start = cpu_seconds(peer)
    ratios = []
    for round in range(rounds):
        part = rows[round * step :: rounds * step][:count]
        documents, out = work / "documents.jsonl", work / "out.jsonl"
        with open(documents, "w", encoding="utf-8") as file:
            for row in part:
                file.write(json.dumps({"id": row["id"], "text": row["text"]}) + "\n")
        config = str(ROOT / "config/default.yaml")
        ours = len(part) / cpu_seconds([program, "run", "-c", config, str(documents), "-o", str(out)])
        with open(out, encoding="utf-8") as lines, open(sentences, "w", encoding="utf-8") as file:
            for line in lines:
                record = json.loads(line)
                spans = record["sentences"]
                file.write(json.dumps([record["text"][s["start"] : s["end"]] for s in spans]) + "\n")
        theirs = len(part) / (cpu_seconds(peer) - start)
        ratios.append(ours / theirs)
        print(f"{round} standpoint {ours:6.1f}  pytorch {theirs:6.2f} documents/s  {ours / theirs:.1f}", flush=True)
    print(f"standpoint / pytorch: {statistics.median(ratios):.1f} (median of {rounds})")


if __name__ == "__main__":
    main()
