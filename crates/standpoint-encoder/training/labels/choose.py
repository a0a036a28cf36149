"""Chooses sentences to label: `python choose.py DATA_FOLDER COUNT SEED > sheet.jsonl`.

A sentence is taken when it names two actors, or one in a speech. Half of them hold a word that
often turns a stance (not, refuse, despite, abstain, ...); at most a third name Russia. Documents
that `attitudes` or `stance-documents` use are passed over, so that nothing measured with is labelled.
With `--turns LABELS` only those with two actors and such a word are kept, and none that LABELS has.
The same seed and data give the same sheet. It holds sentences: it stays out of the repository.
"""

import collections
import gzip
import json
import random
import re
import sys
from pathlib import Path

CORPORA = {
    "news-corpus": "news-corpus/news.jsonl.gz",
    "un-general-debate": "un-general-debate/speeches-2014-2021.jsonl.gz",
}
SHARES = {"un": 0.44, "usdos": 0.24, "uswh": 0.16, "wikinews": 0.09, "uspres": 0.03, "GUM": 0.02, "re3d": 0.02}
TURNS = re.compile(
    r"\b(not|never|nor|refus\w+|reject\w*|despite|although|abstain\w*|den(?:y|ie[sd])|accus\w+|warn\w*|threat\w+|"
    r"if|would|should|hope\w*|expect\w*|recogni[sz]\w+|sanction\w*|embargo|allege\w*|claim\w*|reported\w*|"
    r"condemn\w*|welcom\w+|thank\w*|commend\w*|prais\w+|appreciat\w+|concern\w*|dialogue|mediat\w+|ally|allies|partner\w*)\b",
    re.IGNORECASE,
)
RUSSIA = re.compile(r"Russia|Moscow|Kremlin|Putin|Lavrov|Soviet")
# What the table of countries lacks: other names of states, organisations, armed groups, leaders.
OTHERS = """
USA=United States|United States of America|U.S.|US|America|American|Americans|White House|Washington|Obama|Biden|Trump|Blinken|Kerry
RUS=Russian Federation|Russians|Kremlin|Moscow|Putin|Lavrov|Medvedev|Soviet Union
GBR=United Kingdom|UK|Britain|British|Cameron|Great Britain
PRK=DPRK|North Korea|Democratic People's Republic of Korea|North Korean|Kim Jong Un|Pyongyang
KOR=Republic of Korea|South Korea|South Korean|Seoul
CHN=PRC|China|Chinese|Beijing|People's Republic of China|Xi Jinping
IRN=Iran|Islamic Republic of Iran|Iranian|Tehran|Rouhani
SYR=Syria|Syrian|Syrians|Assad|Damascus
UKR=Ukraine|Ukrainian|Ukrainians|Kyiv|Kiev|Zelenskyy|Poroshenko
ISR=Israel|Israeli|Israelis|Netanyahu|Tel Aviv
PSE=Palestine|Palestinian|Palestinians|Palestinian Authority
VEN=Venezuela|Venezuelan|Maduro
TUR=Turkey|Türkiye|Turkish|Erdogan|Erdoğan|Ankara
COD=Democratic Republic of the Congo|Congo
XKX=Kosovo
TWN=Taiwan
EU=European Union|EU|Europeans|European Commission|European Council
NATO=NATO|North Atlantic Treaty Organization
UN=United Nations|UN|Security Council|General Assembly
AU=African Union
ASEAN=ASEAN
ECOWAS=ECOWAS
OAS=OAS|Organization of American States
OSCE=OSCE
IAEA=IAEA
ICC=International Criminal Court|ICC
ARL=Arab League|League of Arab States
CARICOM=CARICOM|Caribbean Community
G7=G7|G-7
QUAD=Quad
TALIBAN=Taliban
ISIL=ISIL|ISIS|Daesh|Islamic State
AQ=Al-Qaida|Al-Qaeda|al-Qaeda|al-Qaida
SHAB=Al-Shabaab|al-Shabaab
BOKO=Boko Haram
HAMAS=Hamas
HEZB=Hizbullah|Hezbollah|Hizballah
HOUTHI=Houthis|Houthi
MIN=MINUSCA|MONUSCO|MINUSMA|UNIFIL|AMISOM
WHO=World Health Organization|WHO
WB=World Bank
IMF=International Monetary Fund|IMF
"""


def names_by_actor(folder: Path) -> dict[str, str]:
    named = {}
    for path in sorted((folder / "gazetteer-countries").glob("*.json*")):
        opened = gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8")
        for country in json.load(opened):
            own = [country["name"]["common"], country["name"]["official"], *country.get("capital", [])]
            demonyms = country.get("demonyms", {}).get("eng", {})
            for name in [*own, demonyms.get("m", ""), demonyms.get("f", "")]:
                if len(name) > 3:
                    named.setdefault(name, country["cca3"])
    for line in OTHERS.strip().splitlines():
        actor, surfaces = line.split("=")
        named |= dict.fromkeys(surfaces.split("|"), actor)
    return named


def sentences_of(text: str):
    """Yields (start, end) of what looks like a sentence; rough, but offsets are exact."""
    start = 0
    for stop in re.finditer(r"(?<![A-Z])(?<!Mr)(?<!Ms)(?<!Dr)[.?!]['”\"’]?(?=\s+[“\"A-Z])|\n\n", text):
        yield start, stop.end()
        start = stop.end()
    yield start, len(text)


def others_that_turn(rows: list[dict], known: set[tuple[str, int]]) -> list[dict]:
    kept = {}
    for row in rows:
        if (row["document"], row["start"]) not in known and TURNS.search(row["sentence"]) and len(row["actors"]) >= 2:
            kept.setdefault(row["sentence"], row)
    return list(kept.values())


def main() -> None:
    folder, count, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    named = names_by_actor(folder)
    pattern = re.compile(r"(?<![\w-])(" + "|".join(sorted(map(re.escape, named), key=len, reverse=True)) + r")(?!\w)")
    used = set()
    for path in [*folder.glob("attitudes/*.jsonl.gz"), *folder.glob("stance-documents/*.jsonl*")]:
        opened = gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8")
        used |= {json.loads(line)["id"].split("#")[0] for line in opened}

    pools = collections.defaultdict(list)
    for corpus, file in CORPORA.items():
        for line in gzip.open(folder / file, "rt", encoding="utf-8"):
            document = json.loads(line)
            if document["id"] in used:
                continue
            text, before = document["text"], 0
            for start, end in sentences_of(text):
                while start < end and text[start].isspace():
                    start += 1
                sentence = " ".join(text[start:end].split())
                context_start, before = before, start
                if not 10 <= len(sentence.split()) <= 55 or "- " in sentence or not sentence[-1:] in ".?!”\"’":
                    continue
                actors = {}
                for match in pattern.finditer(sentence):
                    actors.setdefault(named[match.group()], match.group())
                author = document.get("speaker")
                # Everybody names the United Nations; it makes no sentence worth reading.
                others = [actor for actor in actors if actor not in (author, "UN")]
                if len(others) < (1 if author else 2) or len(actors) > 7:
                    continue
                row = {"corpus": corpus, "document": document["id"], "start": start, "end": end}
                row |= {"context_start": context_start, "author": author, "sentence": sentence}
                row |= {"actors": list(actors.values()), "own": actors.get(author)}
                kind = re.split(r"[-_]", document["id"])[0]
                pools[kind, bool(TURNS.search(sentence)), bool(RUSSIA.search(sentence))].append(row)

    chance, chosen = random.Random(seed), []
    for kind, share in SHARES.items():
        for turns in (True, False):
            for russia, part in ((True, 0.33), (False, 0.67)):
                pool = pools[kind, turns, russia]
                chosen += chance.sample(pool, min(len(pool), round(count * share / 2 * part)))
    chance.shuffle(chosen)
    if "--turns" in sys.argv:
        labels = Path(sys.argv[sys.argv.index("--turns") + 1]).read_text(encoding="utf-8").splitlines()
        chosen = others_that_turn(chosen, {(row["document"], row["start"]) for row in map(json.loads, labels)})
    for row in chosen:
        print(json.dumps(row, ensure_ascii=False))


if __name__ == "__main__":
    main()
