#!/usr/bin/env python3
"""Gives the peers names to look for: states, their people and capitals, and organisations, as in
the project's own gazetteer (`plugins/entity/gazetteer/`).

    make_gazetteer.py OUT.json
"""
import json
import pathlib
import sys

FOLDER = pathlib.Path(__file__).resolve().parents[4] / "plugins/entity/gazetteer"


def rows(name):
    """The rows of a table; the last comment before them names the columns."""
    columns = []
    for line in (FOLDER / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("# id\t"):
            columns = line[2:].split("\t")
        elif line and not line.startswith("#"):
            cells = line.split("\t")
            yield dict(zip(columns, cells + [""] * (len(columns) - len(cells))))


def names():
    for state in rows("states.tsv"):
        labels = [("name", "GPE"), ("aliases", "GPE"), ("capital", "GPE")]
        labels += [("adjectives", "NORP"), ("people", "NORP")]
        for column, label in labels:
            for name in filter(None, state[column].split(";")):
                yield name, label, state["id"]
    for organisation in rows("organisations.tsv"):
        for name in filter(None, [organisation["name"], *organisation["aliases"].split(";")]):
            yield name, "ORG", organisation["id"]


def write(out):
    found = {name: {"name": name, "label": label, "id": id} for name, label, id in names()}
    with open(out, "w", encoding="utf-8") as file:
        json.dump([found[name] for name in sorted(found)], file, ensure_ascii=False)
    return len(found)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    print(write(sys.argv[1]), "names", file=sys.stderr)
