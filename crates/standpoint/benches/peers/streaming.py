#!/usr/bin/env python3
"""The daemon with a stage that does nothing against Bytewax, in turns on the same files.

    streaming.py PROGRAM PYTHON WORK [FILES [ROUNDS]]
    streaming.py waiting PROGRAM WORK [FILES [SECONDS]]

PROGRAM is the built `standpoint`, PYTHON one that has Bytewax, WORK a folder on the disk that is to
be measured. The first form makes FILES texts of 1 to 5 KB, links them into a fresh inbox for each
run, and prints documents a second, by the clock and by the processor (user and system of the whole
process, start included), with their ratios. Ours claims each file by a rename, writes its whole text with its words' places left
out, syncs, and archives; Bytewax counts words, keeps no record of what it had, and leaves the files.
The second form puts FILES names of a few texts into an inbox and prints the daemon's most memory
after SECONDS of work on them.
"""
import os
import pathlib
import random
import re
import shutil
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
PIPELINE = """version: 1
name: streaming
data_dir: ./state
sources: { inbox: { type: inbox, path: ./inbox, on_success: { archive: ./archive } } }
stages: [ { use: tokenise, when: "false" } ]
sinks: { results: { type: jsonl, path: ./out.jsonl } }
quarantine: { path: ./quarantine }
"""


def make_files(folder, count):
    """Writes the texts once; words of random letters, as no stage reads them."""
    if folder.exists() and len(os.listdir(folder)) == count:
        return
    folder.mkdir(parents=True, exist_ok=True)
    draw = random.Random(7)
    letters = "abcdefghijklmnopqrstuvwxyz"
    vocabulary = ["".join(draw.choices(letters, k=draw.randint(2, 11))) for _ in range(5000)]
    for number in range(count):
        words, size = [], draw.randint(1000, 5000)
        while size > 0:
            words.append(draw.choice(vocabulary))
            size -= len(words[-1]) + 1
        (folder / f"doc-{number:06}.txt").write_text(" ".join(words) + "\n")


def fresh(work, files=None):
    """A folder for one run, with links to the files in its inbox."""
    run = work / "run"
    shutil.rmtree(run, ignore_errors=True)
    (run / "inbox").mkdir(parents=True)
    (run / "pipeline.yaml").write_text(PIPELINE)
    for name in os.listdir(files) if files else []:
        os.link(files / name, run / "inbox" / name)
    return run


def processor_seconds(command, run, environment):
    """Runs a command to its end: user and all processor seconds, seconds, and the lines it wrote."""
    start = time.monotonic()
    child = subprocess.Popen(command, env=environment, cwd=run, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        sys.exit(f"{command[0]} failed")
    with open(run / "out.jsonl", "rb") as out:
        lines = sum(1 for _ in out)
    clock = time.monotonic() - start
    return usage.ru_utime, usage.ru_utime + usage.ru_stime, clock, lines


def compare(program, python, work, count=20_000, rounds=5):
    """Takes turns."""
    files = work / f"files-{count}"
    make_files(files, count)
    ratios = []
    for number in range(rounds):
        speeds = []
        for name in ("standpoint", "bytewax"):
            run = fresh(work, files)
            environment = dict(os.environ, INBOX=str(run / "inbox"), OUT=str(run / "out.jsonl"), PYTHONPATH=str(HERE))
            command = {
                "standpoint": [program, "daemon", "-c", str(run / "pipeline.yaml"), "--once"],
                "bytewax": [python, "-m", "bytewax.run", "bytewax_flow"],
            }[name]
            user, both, clock, lines = processor_seconds(command, run, environment)
            speeds.append((count / user, count / both, count / clock))
            print(f"{number} {name:<10} {user / count * 1e6:6.1f} µs of user time a document, "
                  f"{count / both:8.0f} documents a CPU-second, {count / clock:8.0f} a second, {lines} lines",
                  flush=True)
        ratios.append([ours / theirs for ours, theirs in zip(*speeds)])
    for name, column in (("user time", 0), ("user and system time", 1), ("clock", 2)):
        found = [ratio[column] for ratio in ratios]
        listed = " ".join(f"{ratio:.2f}" for ratio in found)
        print(f"standpoint / bytewax, {name}: {statistics.median(found):.2f} ({listed})")


def waiting(program, work, count=1_000_000, seconds=60):
    """Samples the peak, then ends the daemon."""
    run = fresh(work)
    # Links to few files: a million of its own would fill many a disk. One file has 65,000 names at most.
    files = work / "files-20"
    make_files(files, 20)
    names = sorted(os.listdir(files))
    for number in range(count):
        os.link(files / names[number % len(names)], run / "inbox" / f"doc-{number:07}.txt")
    daemon = subprocess.Popen([program, "daemon", "-c", str(run / "pipeline.yaml")], stderr=subprocess.DEVNULL)
    try:
        for _ in range(seconds):
            time.sleep(1)
            status = pathlib.Path(f"/proc/{daemon.pid}/status").read_text()
            peak = int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024
        left = sum(1 for entry in os.scandir(run / "inbox") if entry.is_file())
        print(f"{count} files waiting: {peak:.1f} MB at the most, {count - left} taken after {seconds} s")
    finally:
        daemon.kill()
        daemon.wait()
        shutil.rmtree(run, ignore_errors=True)


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    if sys.argv[1] == "waiting":
        return waiting(sys.argv[2], pathlib.Path(sys.argv[3]).resolve(), *map(int, sys.argv[4:]))
    program, python, work = sys.argv[1:4]
    compare(program, python, pathlib.Path(work).resolve(), *map(int, sys.argv[4:]))


if __name__ == "__main__":
    main()
