-- Fills a store quickly with as many documents as the table `size` says: rows as the program makes
-- them, but without reading texts for copies. Every tenth document is a copy of the one before; texts
-- are as long as a short article, because what stands behind a text in its row is read past it.
PRAGMA synchronous = OFF;
BEGIN;
CREATE TEMP TABLE n AS WITH RECURSIVE n(i) AS
    (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < (SELECT documents FROM temp.size))
    SELECT i FROM n;
CREATE TEMP TABLE word AS WITH RECURSIVE w(j) AS
    (SELECT 1 UNION ALL SELECT j + 1 FROM w WHERE j < 400) SELECT j FROM w;
INSERT INTO document (key, id, source, title, published, status, notes, attributes, text, pipeline,
    standpoint, stages, story, sentiment_label, sentiment_score, sentiment_confidence)
SELECT i, 'd' || i, 'source' || (i * 7919 % 30), 'Title ' || i,
    date('2016-01-01', '+' || (i * 104729 % 3650) || ' days'), 'complete', '[]', '{}',
    'Text of some length about exports, talks and borders. ' || (SELECT
        group_concat('w' || ((i * 7919 + j * j * 104729) % 20011), ' ') FROM word),
    'stance-toward-russia@' || (i / 40000), '0.1.0',
    '[{"name":"tokenise","version":"0.1.0","model":null,"ms":0.0},{"name":"entity","version":"0.1.0","model":"linear/3","ms":0.0},{"name":"sentiment","version":"0.1.0","model":"words/2","ms":0.0},{"name":"stance","version":"0.1.0","model":"rules/7","ms":0.0}]',
    i - (i % 10 = 0), 'neutral', (i % 200 - 100) / 100.0, 0.7
FROM n;
INSERT INTO document_layer SELECT i, '[]', '[]' FROM n;
INSERT INTO target VALUES ('RUS', 'Russia'), ('UKR', 'Ukraine');
INSERT INTO actor WITH RECURSIVE a(i) AS
    (SELECT 0 UNION ALL SELECT i + 1 FROM a WHERE i < 199)
    SELECT 'A' || i, 'Actor ' || i, 'country', NULL FROM a;
INSERT INTO actor SELECT 'author:W' || (i % 50), 'W' || (i % 50), 'author', NULL FROM n
    GROUP BY i % 50;
INSERT INTO stance (document, day, target_id, target_name, holder, actor_id, actor_name, kind,
    mentions, label, degree, score, confidence, source, who, story, leads, pieces, said_score,
    said_confidence)
SELECT i, date('2016-01-01', '+' || (i * 104729 % 3650) || ' days'), 'RUS', 'Russia', 'actor',
    'A' || a, 'Actor ' || a, 'country', 1, 'neutral', 'neutral', x, 0.8,
    'source' || (i * 7919 % 30), 'A' || a, i - (i % 10 = 0), i % 10 <> 0, 3, x, 0.8
FROM (SELECT i, (i * (k * 31 + 17) % 200) * (i * 13 % 200) / 200 AS a,
        ((i * 37 + k) % 2001 - 1000) / 1000.0 AS x
    FROM n, (SELECT 0 AS k UNION SELECT 1 UNION SELECT 2 UNION SELECT 3)) GROUP BY i, a;
INSERT INTO stance (document, day, target_id, target_name, holder, label, degree, score,
    confidence, source, who, story, leads, pieces, said_score, said_confidence)
SELECT i, date('2016-01-01', '+' || (i * 104729 % 3650) || ' days'), 'RUS', 'Russia', 'author',
    'neutral', 'neutral', (i * 31 % 2001 - 1000) / 1000.0, 0.8, 'source' || (i * 7919 % 30),
    'author:W' || (i % 50), i - (i % 10 = 0), i % 10 <> 0, 3, (i * 31 % 2001 - 1000) / 1000.0, 0.8
FROM n WHERE i % 5 = 0;
INSERT INTO evidence_row (stance, is_counter, start_offset, end_offset, text, score, confidence,
    voice, time, said_stance, said_score, said_counter)
SELECT key, 0, k, k + 20, 'Some words of a sentence that shows it.', score, 0.9,
    iif(key % 9 = 0, 'reported', iif(key % 5003 = 0, 'quoted', 'author')),
    iif(key % 7 = 0, 'past', iif(key % 4001 = 0, 'hypothetical', 'present')), key, score, 0
FROM stance, (SELECT 0 AS k UNION SELECT 30 UNION SELECT 60);
UPDATE evidence_row SET verdict = iif(key % 2, 'accepted', 'rejected') WHERE key % 997 = 0;
COMMIT;
