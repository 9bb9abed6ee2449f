-- The audit log becomes a chain: hash is the SHA-256 over a line and the hash of the line before, which is in prev
-- (models/chain.go). Lines from before this migration have neither; the first line after it holds the hash over all of
-- them. audit_anchor is where the chain begins: the last line that the retention has deleted.

-- +goose Up
ALTER TABLE audit_log ADD COLUMN prev BLOB;
ALTER TABLE audit_log ADD COLUMN hash BLOB;
CREATE TABLE audit_anchor (
    one  INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    id   BIGINT  NOT NULL,
    hash BLOB    NOT NULL
);
INSERT INTO audit_anchor (one, id, hash)
VALUES (1, coalesce((SELECT min(id) - 1 FROM audit_log), 0), zeroblob(32));
-- +goose StatementBegin
CREATE TRIGGER audit_anchor_rises BEFORE UPDATE ON audit_anchor WHEN NEW.id < OLD.id
BEGIN
    SELECT RAISE(ABORT, 'the anchor of the audit log only rises');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_anchor_stays BEFORE DELETE ON audit_anchor
BEGIN
    SELECT RAISE(ABORT, 'the audit log keeps its anchor');
END;
-- +goose StatementEnd

-- +goose Down
DROP TABLE audit_anchor;
ALTER TABLE audit_log DROP COLUMN hash;
ALTER TABLE audit_log DROP COLUMN prev;
