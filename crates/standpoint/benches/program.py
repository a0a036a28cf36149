#!/usr/bin/env python3
"""Measures the built program as its users meet it. Needs Python and nothing else.

    program.py cores   PROGRAM [DOCUMENTS [ROUNDS]]   documents a second on one core and on two
    program.py memory  PROGRAM [DOCUMENTS]            the most memory, for a tenth and for all
    program.py start   PROGRAM [ROUNDS]               until one short document is answered
    program.py latency PROGRAM [FILES]                from a renamed file to its durable line

The documents are made from the project's `seeds/`, with ever new words.
"""
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path.insert(0, str(HERE / "peers"))
import make_corpus  # noqa: E402  (the folder has to be known first)

FAST = str(ROOT / "config/fast.yaml")
# The most paragraphs of a document where many documents are made: about two kilobytes.
FEW = 6


def run(command, watch=False):
    """Runs a command: wall and processor seconds, and the most memory so far, sampled, in MB."""
    before = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peaks = []
    while watch and os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        status = pathlib.Path(f"/proc/{child.pid}/status").read_text()
        if found := re.search(r"VmHWM:\s+(\d+)", status):
            peaks.append((time.perf_counter() - before, int(found[1]) / 1024))
        time.sleep(0.05)
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - before
    if status:
        sys.exit(f"{' '.join(command)}: failed")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, peaks


def cores(program, work, count=2000, rounds=5):
    """Pins the program to one core, then to two, in turns."""
    corpus = work / "corpus.jsonl"
    make_corpus.write(ROOT / "seeds", corpus, count)
    ratios = []
    for _ in range(rounds):
        walls = []
        for cpus in ("0", "0,1"):
            command = ["taskset", "-c", cpus, program, "run", "-c", FAST, str(corpus), "-o", str(work / "out")]
            wall, processor, *_ = run(command)
            walls.append(wall)
            print(f"cores {cpus:<4} {count / wall:7.1f} documents/s, {count / processor:7.1f} a CPU-second", flush=True)
        ratios.append(walls[0] / walls[1])
    listed = " ".join(f"{ratio:.2f}" for ratio in ratios)
    print(f"two cores / one core: {statistics.median(ratios):.2f} ({listed})")


def memory(program, work, count=100_000):
    """Compares the peak of a tenth of the documents with that of all."""
    for size in (count // 10, count):
        corpus = work / "corpus.jsonl"
        make_corpus.write(ROOT / "seeds", corpus, size, most=FEW)
        wall, processor, peak, peaks = run([program, "run", "-c", FAST, str(corpus), "-o", "/dev/null"], watch=True)
        marks = [peaks[len(peaks) * tenth // 10][1] for tenth in range(1, 10)] if peaks else []
        listed = " ".join(f"{mark:.0f}" for mark in marks)
        print(f"{size} documents: {peak:.1f} MB at the most; after each tenth of the time {listed}", flush=True)


def start(program, work, rounds=20):
    """Takes the time of whole runs."""
    text = work / "short.txt"
    text.write_text("Talks\n\nKazakhstan refused to recognise the annexation by Russia.\n")
    for name, command in {
        "--version": [program, "--version"],
        "one short document": [program, "run", "-c", FAST, str(text)],
    }.items():
        found = [run(command) for _ in range(rounds)]
        walls = sorted(wall for wall, *_ in found)
        processor = statistics.median(one[1] for one in found)
        print(f"{name}: {statistics.median(walls) * 1e3:.1f} ms median, {walls[0] * 1e3:.1f} ms best, "
              f"{processor * 1e3:.1f} ms of processor time, {found[0][2]:.0f} MB")


PIPELINE = """version: 1
name: latency
data_dir: ./state
sources: {{ inbox: {{ type: inbox, path: ./inbox, on_success: {{ archive: ./archive }} }} }}
stages: [{stages}]
sinks: {{ results: {{ type: jsonl, path: ./results.jsonl }} }}
quarantine: {{ path: ./quarantine }}
"""


def latency(program, work, count=200):
    """Renames a file of about 6 KB into the inbox of a daemon, waits for its line, again."""
    for stages in ("tokenise", "tokenise, entity, sentiment, stance"):
        with tempfile.TemporaryDirectory(dir=work) as folder:
            folder = pathlib.Path(folder)
            (folder / "inbox").mkdir()
            (folder / "pipeline.yaml").write_text(PIPELINE.format(stages=stages))
            daemon = subprocess.Popen([program, "daemon", "-c", str(folder / "pipeline.yaml")], stderr=subprocess.DEVNULL)
            try:
                times = drops(folder, count)
            finally:
                daemon.terminate()
                daemon.wait()
        ninth = times[len(times) * 9 // 10]
        print(f"{stages}: {statistics.median(times) * 1e3:.1f} ms median, {ninth * 1e3:.1f} ms for nine of ten")


def drops(folder, count):
    """Seconds for each file, sorted. A file is archived after its line was synced to the disk, so
    its arrival in the archive is when the line is durable."""
    times = []
    for name, text in make_corpus.documents(ROOT / "seeds", count + 1, 0.1, 25):
        part, archived = folder / "part", folder / "archive" / f"{name}.txt"
        part.write_text(text)
        before = time.perf_counter()
        part.rename(folder / "inbox" / archived.name)
        while not archived.exists():
            time.sleep(0.0002)
            if time.perf_counter() - before > 30:
                sys.exit("no line came within 30 s")
        times.append(time.perf_counter() - before)
    return sorted(times[1:])  # the first waits for the daemon to start


def main():
    measures = {"cores": cores, "memory": memory, "start": start, "latency": latency}
    if len(sys.argv) < 3 or sys.argv[1] not in measures:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as work:
        program = str(pathlib.Path(sys.argv[2]).resolve())
        measures[sys.argv[1]](program, pathlib.Path(work), *map(int, sys.argv[3:]))


if __name__ == "__main__":
    main()
