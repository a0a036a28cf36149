"""Reads the sets with labelled names and brings them to one form: a text, and names in it.

The sets do not label the same things. `Text.partly` says which kinds a set leaves unlabelled, so
that a word outside its names may still be one of those; a name whose kind is known only in part
has several.
"""

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

from data import opened

PERSON, ORGANISATION, PLACE, PEOPLE, EVENT, OTHER = range(6)
KINDS = ("person", "organisation", "place", "people", "event", "other")
# Tags: 0 is outside; then for each kind its beginning and its inside.
TAGS = 1 + 2 * len(KINDS)
# How a word is written, which the uncased vocabulary does not say.
SMALL, CAPITAL, CAPITALS, MIXED = range(4)
SHAPES = 4


@dataclass(frozen=True)
class Name:
    begin: int
    end: int
    kinds: tuple[int, ...]


@dataclass(frozen=True)
class Text:
    text: str
    names: tuple[Name, ...]
    partly: tuple[int, ...] = ()


# What the labels of BIO files mean. All other labels of CrossNER are works, awards, fields and the
# like.
LABELS = {
    **dict.fromkeys(
        ("PER", "person", "politician", "writer", "musicalartist", "scientist", "researcher"), (PERSON,)
    ),
    **dict.fromkeys(
        ("ORG", "organisation", "politicalparty", "university", "band", "corporation", "group"), (ORGANISATION,)
    ),
    **dict.fromkeys(("LOC", "location", "country"), (PLACE,)),
    **dict.fromkeys(("event", "election", "conference"), (EVENT,)),
    "MISC": (PEOPLE, EVENT, OTHER),
    "misc": (PEOPLE, OTHER),
}
# The kinds of word that are names in some sense and yet common words.
NO_NAMES = {"field", "task", "algorithm", "metrics", "discipline", "literarygenre", "musicgenre", "musicalinstrument",
            "chemicalcompound", "chemicalelement", "protein", "enzyme"}


def bio(path: Path, partly: tuple[int, ...] = ()) -> list[Text]:
    """Tokens joined by single spaces."""
    found = []
    for block in opened(path).read().split("\n\n"):
        text, names, kinds = "", [], ()
        for line in block.splitlines():
            word, tag = line.split("\t")
            begin = len(text) + bool(text)
            text = f"{text} {word}" if text else word
            label = tag[2:]
            kinds = () if label in NO_NAMES else LABELS.get(label, (OTHER,))
            if tag == "O" or not kinds:
                continue
            if tag[0] == "I" and names and names[-1].end == begin - 1 and names[-1].kinds == kinds:
                names[-1] = replace(names[-1], end=len(text))
            else:
                names.append(Name(begin, len(text), kinds))
        if text:
            found.append(Text(text, tuple(names), partly))
    return found


GUM_KINDS = {"person": PERSON, "organization": ORGANISATION, "place": PLACE, "event": EVENT, "object": OTHER,
             "abstract": OTHER}


def gum(path: Path) -> list[Text]:
    """Mentions that begin (behind an article) and end with a proper noun; of nested ones the outermost."""
    found = []
    for block in opened(path).read().split("\n\n"):
        rows = [line.split("\t") for line in block.splitlines() if line and line[0] != "#"]
        rows = [row for row in rows if row[0].isdigit()]
        text, places = "", []
        for row in rows:
            places.append((len(text), len(text) + len(row[1])))
            text += row[1] + ("" if "SpaceAfter=No" in row[9] else " ")
        open_at, mentions = {}, []
        for number, row in enumerate(rows):
            field = next((f[7:] for f in row[9].split("|") if f.startswith("Entity=")), "")
            for part in re.findall(r"\([^()]+\)?|[^()]+\)", field):
                name = part.strip("()").split("-")
                if part[0] == "(":
                    kind = name[1] if 1 < len(name) else ""
                    open_at.setdefault(name[0], []).append((number, kind))
                if part[-1] == ")" and open_at.get(name[0]):
                    first, kind = open_at[name[0]].pop()
                    mentions.append((first, number, kind))
        names = []
        for first, last, kind in sorted(mentions, key=lambda m: (m[0], -m[1])):
            if kind not in GUM_KINDS:
                continue
            while first < last and rows[first][3] == "DET":
                first += 1
            if rows[last][3] == "PART" or rows[last][1] in ("'s", "’s"):
                last -= 1
            begin, end = places[first][0], places[last][1]
            if rows[first][3] == rows[last][3] == "PROPN" and (not names or names[-1].end <= begin):
                names.append(Name(begin, end, (GUM_KINDS[kind],)))
        if text.strip():
            found.append(Text(text.rstrip(), tuple(names), (PEOPLE, OTHER)))
    return found


PRONOUNS = {"he", "she", "it", "they", "we", "i", "you", "his", "her", "their", "our", "my"}


def re3d(path: Path) -> list[Text]:
    """Sentences, roughly; common nouns ("the government") are mentions there, but no names."""
    kinds = {"Person": (PERSON,), "Organisation": (ORGANISATION,), "Location": (PLACE,), "Nationality": (PEOPLE,)}
    found = []
    for line in opened(path):
        document = json.loads(line)
        whole = document["text"]
        names = []
        for entity in sorted(document["entities"], key=lambda e: (e["start"], -e["end"])):
            begin, end = entity["start"], entity["end"]
            if entity["type"] not in kinds or whole[begin:end] != entity["text"]:
                continue
            article = re.match(r"(?:[Tt]he|[Aa]n?) ", whole[begin:end])
            begin += article.end() if article else 0
            is_name = whole[begin : begin + 1].isupper() and whole[begin:end].lower() not in PRONOUNS
            if is_name and (not names or names[-1].end <= begin):
                names.append(Name(begin, end, kinds[entity["type"]]))
        for sentence in re.finditer(r"\S.*?(?:[.!?][\"”’)]*(?=\s+[A-Z\"“])|$)", whole, re.MULTILINE):
            a, b = sentence.span()
            inside = [Name(n.begin - a, n.end - a, n.kinds) for n in names if a <= n.begin and n.end <= b]
            found.append(Text(whole[a:b], tuple(inside), (EVENT, OTHER)))
    return found


def shape(word: str) -> int:
    """How a word is written."""
    letters = [c for c in word if c.isalpha()]
    if not any(c.isupper() for c in letters):
        return SMALL
    if all(c.isupper() for c in letters):
        return CAPITALS if 1 < len(letters) else CAPITAL
    return CAPITAL if letters[0].isupper() and not any(c.isupper() for c in letters[1:]) else MIXED
