#!/usr/bin/env python3
"""spaCy without a model: blank("en"), sentencizer, entity_ruler.

    bench_spacy.py IN.jsonl GAZETTEER.json OUT.jsonl

Writes one line per document, and counts to standard output.
"""
import json
import sys

import spacy

source, gazetteer, out = sys.argv[1:4]
nlp = spacy.blank("en")
nlp.add_pipe("sentencizer")
with open(gazetteer, encoding="utf-8") as file:
    nlp.add_pipe("entity_ruler").add_patterns(
        [{"label": name["label"], "pattern": name["name"], "id": name["id"]} for name in json.load(file)]
    )


def rows():
    with open(source, encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            yield row["text"], row["id"]


counts = dict.fromkeys(("documents", "tokens", "sentences", "entities"), 0)
with open(out, "w", encoding="utf-8") as file:
    for document, name in nlp.pipe(rows(), as_tuples=True, batch_size=100):
        entities = [[e.start_char, e.end_char, e.label_, e.ent_id_] for e in document.ents]
        sentences = sum(1 for _ in document.sents)
        record = {"id": name, "tokens": len(document), "sentences": sentences, "entities": entities}
        file.write(json.dumps(record) + "\n")
        counts["documents"] += 1
        counts["tokens"] += len(document)
        counts["sentences"] += sentences
        counts["entities"] += len(entities)
print(json.dumps(counts))
