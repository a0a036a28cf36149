-- Version 3: what lets pages over a million passages be quick.

-- Who made the documents. Rows of documents are long, so that counting them anew takes a second.
CREATE TABLE maker (
    standpoint TEXT NOT NULL,
    pipeline TEXT NOT NULL,
    stages TEXT NOT NULL,
    documents INTEGER NOT NULL,
    PRIMARY KEY (standpoint, pipeline, stages)
) STRICT, WITHOUT ROWID;
INSERT INTO maker
SELECT standpoint, pipeline, stages, count(*) FROM document GROUP BY standpoint, pipeline, stages;
CREATE TRIGGER maker_counts AFTER INSERT ON document BEGIN
    INSERT INTO maker VALUES (new.standpoint, new.pipeline, new.stages, 1)
    ON CONFLICT (standpoint, pipeline, stages) DO UPDATE SET documents = documents + 1;
END;
CREATE TRIGGER maker_goes AFTER DELETE ON document BEGIN
    UPDATE maker SET documents = documents - 1
    WHERE standpoint = old.standpoint AND pipeline = old.pipeline AND stages = old.stages;
    DELETE FROM maker WHERE documents = 0;
END;
CREATE TRIGGER maker_changes AFTER UPDATE OF standpoint, pipeline, stages ON document
WHEN (old.standpoint, old.pipeline, old.stages) <> (new.standpoint, new.pipeline, new.stages) BEGIN
    UPDATE maker SET documents = documents - 1
    WHERE standpoint = old.standpoint AND pipeline = old.pipeline AND stages = old.stages;
    DELETE FROM maker WHERE documents = 0;
    INSERT INTO maker VALUES (new.standpoint, new.pipeline, new.stages, 1)
    ON CONFLICT (standpoint, pipeline, stages) DO UPDATE SET documents = documents + 1;
END;

-- Few passages are of a rare voice or time, and are found from there.
CREATE INDEX evidence_by_voice ON evidence_row (voice, time);

-- These hold all that is asked of a row, so that the row itself is not read.
DROP INDEX stance_of_document;
CREATE INDEX stance_of_document ON stance (document, target_id, who, day, story, score, confidence,
    pieces, is_shown, leads, source);
DROP INDEX stance_by_who;
CREATE INDEX stance_by_who ON stance (target_id, who, day, key, document, is_shown, leads);
CREATE INDEX document_days ON document (key, day, source);
