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
    # Places whose words may also go on with the name before them, or not: "University of Kansas".
    joints: tuple[tuple[int, int], ...] = ()


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
            is_proper = rows[first][3] == rows[last][3] == "PROPN" and (not names or names[-1].end <= begin)
            if is_proper and is_name(text[begin:end].replace(", ", " "), GUM_KINDS[kind]):
                names += named(text, begin, end, GUM_KINDS[kind])
        if text.strip():
            found.append(Text(text.rstrip(), tuple(names), (PEOPLE, OTHER)))
    return found


# What the other sets leave out of a name.
TITLES = re.compile(
    r"(?:(?:the|Mr|Mrs|Ms|Miss|Dr|Prof|Professor|Sir|Lord|Lady|King|Queen|Prince|Princess|President|Vice|Prime|Deputy|"
    r"Foreign|Defen[cs]e|Interior|Minister|Chancellor|Secretary|General|Governor|Senator|Sen|Gov|Gen|Col|Lt|Capt|Sgt|"
    r"Colonel|Major|Captain|Lieutenant|Sergeant|Ambassador|Representative|Rep|Judge|Justice|Pope|Saint|Father|Sister|"
    r"Sheikh|Emir|Sultan|Special|Envoy|Under-Secretary-General|Secretary-General|of|State)\b\.?(?:-elect)? )+(?=[A-Z])"
)


# Mentions of other sets go on to the end of their phrase; this is where names end.
NAME = re.compile(
    r"[A-Z0-9À-Ý][\w.'’&/+-]*(?: (?:[A-Z0-9À-Ý(&][\w.'’&/+)-]*|of|the|for|in|de|del|la|le|du|von|van|bin|al|el|and|'s|’s))*"
)


def is_name(mention: str, kind: int) -> bool:
    """Whether a mention is a name, and one only: no phrase, address or pair of names."""
    if "@" in mention or "://" in mention or 9 < len(mention.split()) or not NAME.fullmatch(mention):
        return False
    return " and " not in mention or kind not in (PERSON, PLACE)


def named(text: str, begin: int, end: int, kind: int) -> list[Name]:
    """A mention as the names that the other sets would see in it."""
    if kind == PERSON and (title := TITLES.match(text[begin:end])):
        begin += title.end()
    if kind != PLACE:
        return [Name(begin, end, (kind,))]
    parts = [m.span() for m in re.finditer(r"[^,]+", text[begin:end])]
    stripped = [(a + len(text[begin + a : begin + b]) - len(text[begin + a : begin + b].lstrip()), b) for a, b in parts]
    return [Name(begin + a, begin + b, (kind,)) for a, b in stripped if a < b and text[begin + a].isupper()]


# Proper nouns that the sets with names leave out of them.
NO_NAME = set(
    "monday tuesday wednesday thursday friday saturday sunday january february march april may june july august "
    "september october november december sept sept. oct oct. nov nov. dec dec. jan jan. feb feb. mr mr. mrs mrs. ms ms. "
    "dr dr. miss sir president senator gen gen. general minister prime chairman secretary sheikh shaikh god am pm a.m. "
    "p.m.".split()
)
ANY_NAME = (PERSON, ORGANISATION, PLACE, PEOPLE, EVENT, OTHER)


def proper_nouns(path: Path, known: dict[str, int]) -> list[Text]:
    """A treebank that labels no names, but proper nouns: where names stand, and not of what kind.

    Neighbours that hang together are one name. A name that a gazetteer knows has its kind.
    """
    found = []
    for number, block in enumerate(opened(path).read().split("\n\n")):
        rows = [line.split("\t") for line in block.splitlines() if line and line[0] != "#"]
        rows = [row for row in rows if row[0].isdigit()]
        text, places = "", []
        for row in rows:
            places.append((len(text), len(text) + len(row[1])))
            # The sets with names part all tokens by spaces; documents do not.
            text += row[1] + ("" if number % 2 and "SpaceAfter=No" in row[9] else " ")
        named = [
            row[4].startswith("NNP") and row[1].lower() not in NO_NAME and not re.search(r"[@_]|://|www|\d{3}", row[1])
            for row in rows
        ]
        names, joints, at = [], [], 0
        while at < len(rows):
            if not named[at]:
                at += 1
                continue
            last = at
            while last + 1 < len(rows) and (
                named[last + 1] or (rows[last + 1][1] in "-/&" and last + 2 < len(rows) and named[last + 2])
            ):
                last += 1
            begin, end = places[at][0], places[last][1]
            kind = known.get(text[begin:end].lower().replace(" - ", "-"))
            names.append(Name(begin, end, ANY_NAME if kind is None else (kind,)))
            # A conjunct or an apposition may stand beside its head without a word between them.
            for i in range(at + 1, last + 1):
                together = rows[i][7] in ("flat", "compound", "goeswith", "punct") or rows[i - 1][7] == "compound"
                if not together or kind is None and rows[i - 1][1][0].isupper() and rows[i][7] == "compound":
                    joints.append(places[i])
            behind = last + 1
            while behind < len(rows) and behind <= last + 2 and rows[behind][1] in ("of", "for", "the", "and", "'s"):
                behind += 1
            if last + 1 < behind < len(rows) and named[behind] and kind is None:
                joints += places[last + 1 : behind + 1]
            at = last + 1
        if text.strip():
            found.append(Text(text.rstrip(), tuple(names), (PEOPLE, EVENT, OTHER), tuple(joints)))
    return found


def gazetteer(folder: Path) -> dict[int, list[str]]:
    """The names that the entity stage's tables list, by kind; ambiguous ones are left out."""
    found = {PERSON: [], ORGANISATION: [], PLACE: [], EVENT: []}
    columns = {
        "people": (PERSON, (1,)),
        "organisations": (ORGANISATION, (1, 2)),
        "places": (PLACE, (0, 1)),
        "states": (PLACE, (1, 2, 5)),
        "events": (EVENT, (0, 1)),
    }
    for table, (kind, cells) in columns.items():
        for line in (folder / f"{table}.tsv").read_text(encoding="utf-8").splitlines():
            if line and line[0] != "#":
                row = line.split("\t")
                entries = [name for cell in cells if cell < len(row) for name in row[cell].split(";")]
                found[kind] += [name for name in entries if name[:1].isupper()]
    return found


def with_other_names(text: Text, pools: dict[int, list[str]], chance) -> Text:
    """Puts other names of their kinds in the places of some names."""
    new, at, names = "", 0, []
    for name in text.names:
        new += text.text[at : name.begin]
        written = text.text[name.begin : name.end]
        if len(name.kinds) == 1 and pools.get(name.kinds[0]) and written[:1].isupper() and chance.random() < 0.6:
            written = chance.choice(pools[name.kinds[0]])
        names.append(Name(len(new), len(new) + len(written), name.kinds))
        new += written
        at = name.end
    return replace(text, text=new + text.text[at:], names=tuple(names))


PRONOUNS = {"he", "she", "it", "they", "we", "i", "you", "his", "her", "their", "our", "my"}


def re3d(path: Path) -> list[Text]:
    """Sentences, roughly; common nouns ("the government") are mentions there, but no names."""
    kinds = {"Person": PERSON, "Organisation": ORGANISATION, "Location": PLACE, "Nationality": PEOPLE}
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
            kind = kinds[entity["type"]]
            mention = whole[begin:end].replace(", ", " ")
            is_proper = mention.lower() not in PRONOUNS and not mention.split(" ")[-1].islower()
            if is_proper and is_name(mention, kind) and (not names or names[-1].end <= begin):
                names += named(whole, begin, end, kind)
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
