-- Version 4: a document that names its outlet counts as that outlet's.

-- `source` is the outlet where the document names one. This is the source of the pipeline that it was
-- read from; null in rows of before, whose `source` it is.
ALTER TABLE document ADD COLUMN read_from TEXT;
