// wink-nlp with its light English model: sentences, negation, sentiment, parts of speech, entities,
// and our gazetteer as custom entities.
//
//     node bench_wink.js IN.jsonl GAZETTEER.json OUT.jsonl
//
// Writes one line per document, and counts to standard output. Run it where `npm install wink-nlp
// wink-eng-lite-web-model` was run, or with NODE_PATH.
const fs = require('fs');
const readline = require('readline');

const [source, gazetteer, out] = process.argv.slice(2);
const stages = ['sbd', 'negation', 'sentiment', 'pos', 'ner', 'cer'];
const nlp = require('wink-nlp')(require('wink-eng-lite-web-model'), stages);
const its = nlp.its;

// Its pattern language gives meaning to these characters; it cuts words at hyphens.
const patterns = {};
for (const entry of JSON.parse(fs.readFileSync(gazetteer))) {
  if (/[\[\]|,.&()’'ʼ]/.test(entry.name)) continue;
  const key = `${entry.label}_${entry.id}`;
  (patterns[key] = patterns[key] || []).push(entry.name.replace(/-/g, ' - '));
}
nlp.learnCustomEntities(
  Object.entries(patterns).map(([name, list]) => ({ name, patterns: list })),
  { matchValue: true, useEntity: false, usePOS: false },
);

const counts = { documents: 0, tokens: 0, sentences: 0, entities: 0 };
const sink = fs.createWriteStream(out);
readline.createInterface({ input: fs.createReadStream(source, 'utf8') }).on('line', (line) => {
  const row = JSON.parse(line);
  const document = nlp.readDoc(row.text);
  const record = {
    id: row.id,
    tokens: document.tokens().out(its.pos).length,
    sentences: document.sentences().out(its.sentiment),
    entities: document.customEntities().out(its.detail),
    sentiment: document.out(its.sentiment),
  };
  counts.documents += 1;
  counts.tokens += record.tokens;
  counts.sentences += record.sentences.length;
  counts.entities += record.entities.length;
  sink.write(JSON.stringify(record) + '\n');
}).on('close', () => sink.end(() => console.log(JSON.stringify(counts))));
