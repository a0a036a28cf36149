#!/usr/bin/env python3
"""The fast chain against spaCy and wink-nlp, in turns on the same documents.

    interleave.py PROGRAM WORK [SEED [DOCUMENTS [ROUNDS]]]

PROGRAM is the built `standpoint`; WORK a folder that holds `venv/` (Python with spaCy) and
`node_modules/` (wink-nlp), made as BENCHMARKS.md says; SEED a text or a folder of texts, the
project's `seeds/` unless told. Prints documents per second of user time, start-up included, for
each run, then the ratios round by round.
"""
import json
import os
import pathlib
import statistics
import subprocess
import sys

import make_corpus
import make_gazetteer

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[3]


def user_seconds(command, work):
    """Runs a command to its end: seconds of user time, and the most memory in MB."""
    environment = dict(os.environ, NODE_PATH=str(work / "node_modules"))
    child = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        sys.exit(f"{command[0]} failed")
    return usage.ru_utime, usage.ru_maxrss / 1024


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    program, work = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
    seed = sys.argv[3] if len(sys.argv) > 3 else ROOT / "seeds"
    count = int(sys.argv[4]) if len(sys.argv) > 4 else 2000
    rounds = int(sys.argv[5]) if len(sys.argv) > 5 else 5
    corpus, names, out = (str(work / name) for name in ("corpus.jsonl", "names.json", "out.jsonl"))
    make_corpus.write(seed, corpus, count)
    make_gazetteer.write(names)
    commands = {
        "standpoint": [program, "run", "-c", str(ROOT / "config/fast.yaml"), corpus, "-o", out],
        "spacy": [str(work / "venv/bin/python"), str(HERE / "bench_spacy.py"), corpus, names, out],
        "wink": ["node", str(HERE / "bench_wink.js"), corpus, names, out],
    }
    megabytes = os.path.getsize(corpus) / 1e6
    print(f"{count} documents, {megabytes:.1f} MB, {rounds} rounds")
    speeds = {name: [] for name in commands}
    for round in range(rounds):
        for name, command in commands.items():
            seconds, memory = user_seconds(command, work)
            speeds[name].append(count / seconds)
            print(f"{round} {name:<10} {count / seconds:7.1f} documents/s  {memory:4.0f} MB", flush=True)
    for peer in ("spacy", "wink"):
        ratios = [ours / theirs for ours, theirs in zip(speeds["standpoint"], speeds[peer])]
        listed = " ".join(f"{ratio:.2f}" for ratio in ratios)
        print(f"standpoint / {peer}: {statistics.median(ratios):.2f} ({listed})")


if __name__ == "__main__":
    main()
