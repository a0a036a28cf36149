#!/usr/bin/env python3
"""The default chain against PyTorch over every sentence, in turns on the same documents.

    interleave_encoder.py PROGRAM PYTHON NEWS.jsonl.gz CHECKPOINT [DOCUMENTS [ROUNDS]]

PROGRAM is the built `standpoint`; PYTHON one that has what `training/requirements.txt` lists; NEWS
records with `text`. Each round takes other documents, spread over the file. Prints documents per
second of CPU time, without what it takes to start and load the weights, which is measured with
nothing to read: of the default chain; of the same with names by the linear tagger; and of PyTorch
with the encoder alone and with the tagger's layers besides.
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
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    program, python, news, checkpoint = sys.argv[1:5]
    count = int(sys.argv[5]) if len(sys.argv) > 5 else 20
    rounds = int(sys.argv[6]) if len(sys.argv) > 6 else 5
    with gzip.open(news, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    step = max(1, len(rows) // (count * rounds))
    work = pathlib.Path(tempfile.mkdtemp())
    sentences, documents, out = (work / name for name in ("sentences", "documents.jsonl", "out.jsonl"))
    default = (ROOT / "config/default.yaml").read_text(encoding="utf-8")
    plain = work / "linear-names.yaml"
    plain.write_text(default.replace("neural: true ", "neural: false"), encoding="utf-8")
    chain = lambda config: [program, "run", "-c", str(config), str(documents), "-o", str(out)]  # noqa: E731
    peer = lambda which: [python, str(HERE / "bench_pytorch.py"), str(sentences), checkpoint, which]  # noqa: E731
    commands = {
        "default": chain(ROOT / "config/default.yaml"),
        "linear names": chain(plain),
        "encoder": peer("encoder"),
        "both": peer("both"),
    }
    sentences.write_text("[]\n", encoding="utf-8")
    documents.write_text('{"id": "0", "text": "It rained."}\n', encoding="utf-8")
    starts = {name: cpu_seconds(command) for name, command in commands.items()}
    print("to start, seconds:", {name: round(seconds, 2) for name, seconds in starts.items()})
    speeds = {name: [] for name in commands}
    for round_ in range(rounds):
        part = rows[round_ * step :: rounds * step][:count]
        with open(documents, "w", encoding="utf-8") as file:
            for row in part:
                file.write(json.dumps({"id": row["id"], "text": row["text"]}) + "\n")
        for name, command in commands.items():
            speeds[name].append(len(part) / (cpu_seconds(command) - starts[name]))
            if name == "default":
                with open(out, encoding="utf-8") as lines, open(sentences, "w", encoding="utf-8") as file:
                    for line in lines:
                        record = json.loads(line)
                        spans = record["sentences"]
                        file.write(json.dumps([record["text"][s["start"] : s["end"]] for s in spans]) + "\n")
        print(round_, {name: round(speed[-1], 1) for name, speed in speeds.items()}, flush=True)
    for ours, theirs in (("default", "both"), ("default", "encoder"), ("linear names", "encoder")):
        ratios = [one / other for one, other in zip(speeds[ours], speeds[theirs])]
        listed = " ".join(f"{ratio:.1f}" for ratio in ratios)
        print(f"{ours} / {theirs}: {statistics.median(ratios):.1f} ({listed})")


if __name__ == "__main__":
    main()
