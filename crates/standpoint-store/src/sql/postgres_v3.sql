-- Version 3: what a page finds its rows by.

-- Who made the documents. Long texts are kept apart here, so that counting passes them by.
CREATE VIEW maker AS
SELECT standpoint, pipeline, stages, count(*) AS documents FROM document
GROUP BY standpoint, pipeline, stages;

-- Few passages are of a rare voice or time, and are found from there.
CREATE INDEX evidence_by_voice ON evidence_row (voice, time);

-- This holds all that the sums ask of a row, so that the row itself is not read.
DROP INDEX stance_of_document;
CREATE INDEX stance_of_document ON stance (document, target_id, who) INCLUDE (day, story, score,
    confidence, pieces, is_shown, leads, source);
