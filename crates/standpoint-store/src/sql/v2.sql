-- Version 2: what dashboards and reports need, and what people said.

ALTER TABLE document ADD COLUMN story INTEGER;
ALTER TABLE document ADD COLUMN stages TEXT NOT NULL DEFAULT '[]';
CREATE INDEX document_of_story ON document (story);
CREATE INDEX document_by_source ON document (source, day);

-- Where the text is marked, read for one document at a time.
CREATE TABLE document_layer (
    document INTEGER PRIMARY KEY REFERENCES document (key) ON DELETE CASCADE,
    sentences TEXT NOT NULL,
    mentions TEXT NOT NULL
) STRICT;

CREATE TABLE entity (
    document INTEGER NOT NULL REFERENCES document (key) ON DELETE CASCADE,
    entity_id TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    mentions INTEGER NOT NULL,
    sentiment REAL,
    PRIMARY KEY (document, entity_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX entity_by_id ON entity (entity_id);

-- Some of a text's smallest hashes, by which its copies are found.
CREATE TABLE sketch (
    hash INTEGER NOT NULL,
    document INTEGER NOT NULL REFERENCES document (key) ON DELETE CASCADE,
    PRIMARY KEY (hash, document)
) STRICT, WITHOUT ROWID;
CREATE INDEX sketch_of_document ON sketch (document);
CREATE TABLE document_sketch (
    document INTEGER PRIMARY KEY REFERENCES document (key) ON DELETE CASCADE,
    hashes BLOB NOT NULL
) STRICT;

-- `who` holds the stance: an actor's id, or `author:` and the author's name. `leads` marks the one
-- document of a story that counts for it. `said_...` is what the pipeline said, the columns
-- without it what stands after people's corrections.
ALTER TABLE stance ADD COLUMN source TEXT NOT NULL DEFAULT '';
ALTER TABLE stance ADD COLUMN who TEXT NOT NULL DEFAULT '';
ALTER TABLE stance ADD COLUMN story INTEGER NOT NULL DEFAULT 0;
ALTER TABLE stance ADD COLUMN leads INTEGER NOT NULL DEFAULT 0;
ALTER TABLE stance ADD COLUMN pieces INTEGER NOT NULL DEFAULT 0;
ALTER TABLE stance ADD COLUMN is_shown INTEGER NOT NULL DEFAULT 1;
ALTER TABLE stance ADD COLUMN origin TEXT NOT NULL DEFAULT 'pipeline'
    CHECK (origin IN ('pipeline', 'person'));
ALTER TABLE stance ADD COLUMN said_score REAL;
ALTER TABLE stance ADD COLUMN said_confidence REAL;

ALTER TABLE evidence_row ADD COLUMN cue_start INTEGER;
ALTER TABLE evidence_row ADD COLUMN cue_end INTEGER;
ALTER TABLE evidence_row ADD COLUMN rule TEXT;
ALTER TABLE evidence_row ADD COLUMN verdict TEXT CHECK (verdict IN ('accepted', 'rejected'));
ALTER TABLE evidence_row ADD COLUMN said_stance INTEGER;
ALTER TABLE evidence_row ADD COLUMN said_score REAL;
ALTER TABLE evidence_row ADD COLUMN said_counter INTEGER;
CREATE INDEX evidence_by_verdict ON evidence_row (verdict) WHERE verdict IS NOT NULL;

CREATE TABLE actor (
    who TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    country TEXT
) STRICT, WITHOUT ROWID;
CREATE TABLE target (id TEXT PRIMARY KEY, name TEXT NOT NULL) STRICT, WITHOUT ROWID;

-- What a person said of a passage: `verdict`, `score`, `holder`; or of all that a document says of
-- an actor: `actor`. It belongs to the document's id, so it outlives the rows of one run.
CREATE TABLE correction (
    key INTEGER PRIMARY KEY,
    document_id TEXT NOT NULL,
    target_id TEXT NOT NULL,
    who TEXT NOT NULL,
    start_offset INTEGER NOT NULL,
    end_offset INTEGER NOT NULL,
    field TEXT NOT NULL CHECK (field IN ('verdict', 'score', 'holder', 'actor')),
    value TEXT NOT NULL,
    passage TEXT NOT NULL,
    person TEXT,
    note TEXT,
    made_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    UNIQUE (document_id, target_id, who, start_offset, end_offset, field)
) STRICT;

-- What another version of the stages changed in a document.
CREATE TABLE revision (
    key INTEGER PRIMARY KEY,
    document_id TEXT NOT NULL,
    made_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    stages_before TEXT NOT NULL,
    stages_after TEXT NOT NULL,
    changes TEXT NOT NULL
) STRICT;
CREATE INDEX revision_of_document ON revision (document_id);

-- What each says of each target in a month, stories counted once. Sums are whole numbers, so that
-- what is taken away leaves exactly what was there before: weights are confidences in thousandths,
-- scores thousandths too.
CREATE TABLE month_figure (
    target_id TEXT NOT NULL,
    who TEXT NOT NULL,
    month TEXT NOT NULL,
    stories INTEGER NOT NULL,
    pieces INTEGER NOT NULL,
    w INTEGER NOT NULL,
    ww INTEGER NOT NULL,
    wx INTEGER NOT NULL,
    wxx INTEGER NOT NULL,
    PRIMARY KEY (target_id, who, month)
) STRICT, WITHOUT ROWID;

CREATE VIEW stance_weight AS
SELECT key, target_id, who, coalesce(substr(day, 1, 7), '') AS month, pieces,
    max(1, CAST(round(confidence * 1000) AS INTEGER)) AS w,
    CAST(round(score * 1000) AS INTEGER) AS x
FROM stance WHERE leads AND is_shown;

CREATE TRIGGER stance_counts AFTER INSERT ON stance WHEN new.leads AND new.is_shown BEGIN
    INSERT INTO month_figure
    SELECT target_id, who, month, 1, pieces, w, w * w, w * x, w * x * x
    FROM stance_weight WHERE key = new.key
    ON CONFLICT (target_id, who, month) DO UPDATE SET
        stories = stories + 1, pieces = pieces + excluded.pieces, w = w + excluded.w,
        ww = ww + excluded.ww, wx = wx + excluded.wx, wxx = wxx + excluded.wxx;
END;
CREATE TRIGGER stance_goes BEFORE DELETE ON stance WHEN old.leads AND old.is_shown BEGIN
    UPDATE month_figure SET
        stories = month_figure.stories - 1, pieces = month_figure.pieces - s.pieces,
        w = month_figure.w - s.w, ww = ww - s.w * s.w, wx = wx - s.w * s.x,
        wxx = wxx - s.w * s.x * s.x
    FROM (SELECT * FROM stance_weight WHERE key = old.key) AS s
    WHERE month_figure.target_id = s.target_id AND month_figure.who = s.who
        AND month_figure.month = s.month;
    DELETE FROM month_figure WHERE target_id = old.target_id AND who = old.who AND stories = 0;
END;
CREATE TRIGGER stance_changes BEFORE UPDATE OF score, confidence, pieces, leads, is_shown, who
ON stance WHEN old.leads AND old.is_shown BEGIN
    UPDATE month_figure SET
        stories = month_figure.stories - 1, pieces = month_figure.pieces - s.pieces,
        w = month_figure.w - s.w, ww = ww - s.w * s.w, wx = wx - s.w * s.x,
        wxx = wxx - s.w * s.x * s.x
    FROM (SELECT * FROM stance_weight WHERE key = old.key) AS s
    WHERE month_figure.target_id = s.target_id AND month_figure.who = s.who
        AND month_figure.month = s.month;
    DELETE FROM month_figure WHERE target_id = old.target_id AND who = old.who AND stories = 0;
END;
CREATE TRIGGER stance_changed AFTER UPDATE OF score, confidence, pieces, leads, is_shown, who
ON stance WHEN new.leads AND new.is_shown BEGIN
    INSERT INTO month_figure
    SELECT target_id, who, month, 1, pieces, w, w * w, w * x, w * x * x
    FROM stance_weight WHERE key = new.key
    ON CONFLICT (target_id, who, month) DO UPDATE SET
        stories = stories + 1, pieces = pieces + excluded.pieces, w = w + excluded.w,
        ww = ww + excluded.ww, wx = wx + excluded.wx, wxx = wxx + excluded.wxx;
END;

-- What version 1 kept. Copies among it are found by the program.
UPDATE document SET story = key;
INSERT INTO document_layer SELECT key, '[]', '[]' FROM document;
INSERT INTO actor
SELECT actor_id, actor_name, coalesce(kind, 'other'), country
FROM stance WHERE holder = 'actor' GROUP BY actor_id;
INSERT OR IGNORE INTO actor
SELECT 'author:' || coalesce(d.author, ''), coalesce(d.author, 'unnamed author'), 'author', NULL
FROM stance AS s JOIN document AS d ON d.key = s.document WHERE s.holder = 'author';
INSERT INTO target SELECT target_id, max(target_name) FROM stance GROUP BY target_id;
UPDATE evidence_row SET said_stance = stance, said_score = score, said_counter = is_counter;
UPDATE stance SET
    said_score = stance.score, said_confidence = stance.confidence, source = d.source,
    story = d.key,
    who = iif(holder = 'actor', actor_id, 'author:' || coalesce(d.author, '')),
    pieces = (SELECT count(*) FROM evidence_row AS e
        WHERE e.stance = stance.key AND NOT e.is_counter)
FROM document AS d WHERE d.key = stance.document;
UPDATE stance SET leads = 1;

CREATE INDEX stance_by_day ON stance (target_id, day, key);
CREATE INDEX stance_by_who ON stance (target_id, who, day, key);
CREATE INDEX stance_by_source ON stance (target_id, source, day, who, story, document, score,
    confidence, pieces, is_shown);
CREATE INDEX stance_of_story ON stance (story, target_id, who);
DROP INDEX stance_by_actor;

DROP VIEW documents;
DROP VIEW actor_stance;
DROP VIEW author_stance;
DROP VIEW evidence;

CREATE VIEW documents AS
SELECT key, id, source, path, source_id, title, language, published, day, author, status, notes,
    attributes, sentiment_label, sentiment_score, sentiment_confidence, pipeline, standpoint,
    stored_at, (SELECT id FROM document AS first WHERE first.key = document.story) AS story,
    text
FROM document;

CREATE VIEW actor_stance AS
SELECT d.id AS document_id, d.title, s.source, d.published, s.day, s.target_id, s.target_name,
    s.actor_id, s.actor_name, s.kind, s.country, s.mentions, s.label, s.degree, s.score,
    s.confidence, s.pieces, s.leads AS counts, s.said_score, s.said_confidence
FROM stance AS s JOIN document AS d ON d.key = s.document
WHERE s.holder = 'actor' AND s.is_shown;

CREATE VIEW author_stance AS
SELECT d.id AS document_id, d.title, s.source, d.published, s.day, s.target_id, s.target_name,
    d.author, s.label, s.degree, s.score, s.confidence, s.pieces, s.leads AS counts, s.said_score,
    s.said_confidence
FROM stance AS s JOIN document AS d ON d.key = s.document
WHERE s.holder = 'author' AND s.is_shown;

CREATE VIEW evidence AS
SELECT d.id AS document_id, d.title, s.source, d.published, s.day, s.target_id, s.target_name,
    s.holder, s.actor_id, s.actor_name, e.is_counter, e.start_offset, e.end_offset, e.text,
    e.score, e.confidence, e.voice, e.time, e.holder_start, e.holder_end, e.target_start,
    e.target_end, e.cue_start, e.cue_end, e.rule, e.verdict
FROM evidence_row AS e
JOIN stance AS s ON s.key = e.stance
JOIN document AS d ON d.key = s.document;

CREATE VIEW entities AS
SELECT d.id AS document_id, d.source, d.published, d.day, n.entity_id, n.name, n.kind, n.mentions,
    n.sentiment
FROM entity AS n JOIN document AS d ON d.key = n.document;

CREATE VIEW provenance AS
SELECT d.id AS document_id, d.standpoint, d.pipeline, d.stored_at,
    j.value ->> 'name' AS stage, j.value ->> 'version' AS version, j.value ->> 'model' AS model
FROM document AS d, json_each(d.stages) AS j;

CREATE VIEW corrections AS
SELECT document_id, target_id, who, start_offset, end_offset, field, value, passage, person, note,
    made_at
FROM correction;
