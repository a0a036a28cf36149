-- Version 1 of the store. Tables are for the program; people read the views.

CREATE TABLE document (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    source TEXT NOT NULL,
    path TEXT,
    source_id TEXT,
    title TEXT,
    language TEXT,
    published TEXT,
    author TEXT,
    status TEXT NOT NULL,
    notes TEXT NOT NULL,
    attributes TEXT NOT NULL,
    text TEXT NOT NULL,
    sentiment_label TEXT,
    sentiment_score REAL,
    sentiment_confidence REAL,
    pipeline TEXT NOT NULL,
    standpoint TEXT NOT NULL,
    stored_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    day TEXT GENERATED ALWAYS AS (
        CASE WHEN published GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*'
        THEN substr(published, 1, 10) END
    ) STORED
) STRICT;
CREATE INDEX document_by_day ON document (day);

-- One row for each actor and target of a document, and one for its author (`holder` = 'author').
CREATE TABLE stance (
    key INTEGER PRIMARY KEY,
    document INTEGER NOT NULL REFERENCES document (key) ON DELETE CASCADE,
    day TEXT,
    target_id TEXT NOT NULL,
    target_name TEXT NOT NULL,
    holder TEXT NOT NULL CHECK (holder IN ('actor', 'author')),
    actor_id TEXT,
    actor_name TEXT,
    kind TEXT,
    country TEXT,
    mentions INTEGER,
    label TEXT NOT NULL,
    degree TEXT NOT NULL,
    score REAL NOT NULL,
    confidence REAL NOT NULL
) STRICT;
CREATE INDEX stance_of_document ON stance (document);
CREATE INDEX stance_by_actor ON stance (target_id, actor_id, day);

-- Offsets count Unicode code points of the document's text.
CREATE TABLE evidence_row (
    key INTEGER PRIMARY KEY,
    stance INTEGER NOT NULL REFERENCES stance (key) ON DELETE CASCADE,
    is_counter INTEGER NOT NULL,
    start_offset INTEGER NOT NULL,
    end_offset INTEGER NOT NULL,
    text TEXT NOT NULL,
    score REAL NOT NULL,
    confidence REAL NOT NULL,
    voice TEXT NOT NULL,
    time TEXT NOT NULL,
    holder_start INTEGER,
    holder_end INTEGER,
    target_start INTEGER,
    target_end INTEGER
) STRICT;
CREATE INDEX evidence_of_stance ON evidence_row (stance);

CREATE VIRTUAL TABLE document_text USING fts5 (
    title, text, content = 'document', content_rowid = 'key',
    tokenize = 'unicode61 remove_diacritics 2'
);
CREATE TRIGGER document_text_insert AFTER INSERT ON document BEGIN
    INSERT INTO document_text (rowid, title, text) VALUES (new.key, new.title, new.text);
END;
CREATE TRIGGER document_text_delete AFTER DELETE ON document BEGIN
    INSERT INTO document_text (document_text, rowid, title, text)
    VALUES ('delete', old.key, old.title, old.text);
END;
-- A document that comes again has the text of before unless its id was given by hand.
CREATE TRIGGER document_text_update AFTER UPDATE OF title, text ON document
WHEN old.title IS NOT new.title OR old.text IS NOT new.text BEGIN
    INSERT INTO document_text (document_text, rowid, title, text)
    VALUES ('delete', old.key, old.title, old.text);
    INSERT INTO document_text (rowid, title, text) VALUES (new.key, new.title, new.text);
END;

CREATE VIEW documents AS
SELECT key, id, source, path, source_id, title, language, published, day, author, status, notes,
    attributes, sentiment_label, sentiment_score, sentiment_confidence, pipeline, standpoint,
    stored_at, text
FROM document;

CREATE VIEW actor_stance AS
SELECT d.id AS document_id, d.title, d.source, d.published, s.day, s.target_id, s.target_name,
    s.actor_id, s.actor_name, s.kind, s.country, s.mentions, s.label, s.degree, s.score,
    s.confidence
FROM stance AS s JOIN document AS d ON d.key = s.document
WHERE s.holder = 'actor';

CREATE VIEW author_stance AS
SELECT d.id AS document_id, d.title, d.source, d.published, s.day, s.target_id, s.target_name,
    d.author, s.label, s.degree, s.score, s.confidence
FROM stance AS s JOIN document AS d ON d.key = s.document
WHERE s.holder = 'author';

CREATE VIEW evidence AS
SELECT d.id AS document_id, d.title, d.source, d.published, s.day, s.target_id, s.target_name,
    s.holder, s.actor_id, s.actor_name, e.is_counter, e.start_offset, e.end_offset, e.text,
    e.score, e.confidence, e.voice, e.time, e.holder_start, e.holder_end, e.target_start,
    e.target_end
FROM evidence_row AS e
JOIN stance AS s ON s.key = e.stance
JOIN document AS d ON d.key = s.document;
