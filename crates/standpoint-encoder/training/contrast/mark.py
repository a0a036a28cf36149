"""Turns marked lines into records: `python mark.py CAPABILITY < lines > CAPABILITY.jsonl`.

    {NOR} <<The sentence before.>> [A] praised [B]. | 1>2 +2 q f; 2>1 0

Actors stand in square brackets and are numbered from 1; 0 is the author. `{NOR}` (the state whose
delegate speaks) and the context may be left out. A label is holder>target, score, voice (a, q, r;
author where left out) and time (p, c, f; present where left out); score 0 asks for a neutral pair.
An empty line begins a new set. A pair that has an attitude in one sentence of a set and none in
another is asked there as neutral, without being written down.
"""

import json
import re
import sys

VOICES = {"a": "author", "q": "quoted", "r": "reported"}
TIMES = {"p": "past", "c": "present", "f": "future"}
LINE = re.compile(r"^(?:\{([A-Z]{3})\} )?(?:<<(.+?)>> )?(.+?) \| (.+)$")


def take_off_brackets(marked: str) -> tuple[str, list[dict]]:
    sentence, spans = "", []
    for piece in re.split(r"(\[[^\[\]]+\])", marked):
        if piece.startswith("["):
            name = piece[1:-1]
            spans.append({"start": len(sentence), "end": len(sentence) + len(name), "text": name})
            piece = name
        sentence += piece
    return sentence, spans


def read_line(line: str) -> dict:
    parts = LINE.match(line)
    if parts is None:
        raise ValueError(f"expected `sentence | labels`, found: {line}")
    author, context, marked, labels = parts.groups()
    sentence, spans = take_off_brackets(marked)
    # A name that stands twice is one actor, at its first occurrence.
    first = {}
    spans = [first.setdefault(span["text"], span) for span in spans]
    labelled, neutral = {}, []
    for label in labels.split(";"):
        pair, score, *rest = label.split()
        holder, target = (int(number) for number in pair.split(">"))
        ends = (spans[holder - 1] if holder else None, spans[target - 1])
        if int(score) == 0:
            neutral.append(list(ends))
            continue
        voice = next((VOICES[x] for x in rest if x in VOICES), "author")
        time = next((TIMES[x] for x in rest if x in TIMES), "present")
        if any(x not in VOICES and x not in TIMES for x in rest) or (holder, target) in labelled:
            raise ValueError(f"cannot read `{label}` of: {line}")
        labelled[holder, target] = dict(holder=ends[0], target=ends[1], score=int(score), voice=voice, time=time)
    return {
        "author": author,
        "context": context or "",
        "sentence": sentence,
        "actors": list(first.values()),
        "attitudes": list(labelled.values()),
        "neutral": neutral,
    }


def names(holder: dict | None, target: dict) -> tuple[str | None, str]:
    return holder and holder["text"], target["text"]


def ask_what_others_answer(variants: list[dict]) -> None:
    """Adds to each variant, as neutral, the pairs that have an attitude in another one."""
    told = {names(a["holder"], a["target"]) for v in variants for a in v["attitudes"]}
    for variant in variants:
        known = {names(a["holder"], a["target"]) for a in variant["attitudes"]}
        known |= {names(*pair) for pair in variant["neutral"]}
        spans = {span["text"]: span for span in variant["actors"]} | {None: None}
        for holder, target in sorted(told - known, key=str):
            if holder in spans and target in spans:
                variant["neutral"].append([spans[holder], spans[target]])


def main() -> None:
    capability = sys.argv[1]
    for number, block in enumerate(re.split(r"\n\s*\n", sys.stdin.read().strip()), 1):
        variants = [read_line(line.strip()) for line in block.splitlines()]
        ask_what_others_answer(variants)
        for letter, variant in zip("abcdefgh", variants, strict=False):
            record = {"id": f"{capability}-{number:02}#{letter}", "capability": capability} | variant
            print(json.dumps(record, ensure_ascii=False))


if __name__ == "__main__":
    main()
