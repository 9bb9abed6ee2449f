-- heard_at: until when everything that happened on an instance's phone is in the event log; what the page has from later
-- on may be news. heard_from: what happened before is never told, because the number was linked only then. Empty: it was
-- never linked.

-- +goose Up
ALTER TABLE instances ADD COLUMN heard_at TIMESTAMP;
ALTER TABLE instances ADD COLUMN heard_from TIMESTAMP;

-- +goose Down
ALTER TABLE instances DROP COLUMN heard_from;
ALTER TABLE instances DROP COLUMN heard_at;
