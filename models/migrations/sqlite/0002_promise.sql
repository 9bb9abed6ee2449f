-- What the outbox needs to keep its promise: ends with a reason and a time, times to wait for, pacing.

-- +goose Up
-- Of every end that is not "sent": failed, expired, cancelled, unknown.
ALTER TABLE messages RENAME COLUMN failed_at TO ended_at;
ALTER TABLE messages ADD COLUMN expires_at TIMESTAMP;
-- Of an unknown row: when the page is asked for it again.
ALTER TABLE messages ADD COLUMN look_at TIMESTAMP;
-- The chat had no message before this one.
ALTER TABLE messages ADD COLUMN first_contact BOOLEAN NOT NULL DEFAULT FALSE;

-- Rows that wait for a known time are not in the queue's index, so that claims stay as quick however many they are.
UPDATE messages SET state = 'scheduled' WHERE state = 'queued' AND not_before > CAST(strftime('%s', 'now') AS INTEGER) * 1000000;
CREATE INDEX messages_scheduled ON messages (not_before) WHERE state = 'scheduled';
CREATE INDEX messages_expiry ON messages (expires_at) WHERE expires_at IS NOT NULL AND state IN ('queued', 'scheduled');
CREATE INDEX messages_unknown ON messages (instance_id, look_at) WHERE state = 'unknown';
-- The day's count, of the limits.
CREATE INDEX messages_sent ON messages (instance_id, sent_at) WHERE sent_at IS NOT NULL;
-- A person's messages, for the list.
CREATE INDEX messages_phone ON messages (instance_id, phone, seq);
-- What did not arrive, for the list: few among many.
CREATE INDEX messages_ended ON messages (instance_id, seq) WHERE ended_at IS NOT NULL;

-- JSON of models.Pacing; empty: the defaults.
ALTER TABLE instances ADD COLUMN pacing TEXT NOT NULL DEFAULT '';
-- WhatsApp's 463: no first messages until then.
ALTER TABLE instances ADD COLUMN restricted_until TIMESTAMP;

-- +goose Down
ALTER TABLE instances DROP COLUMN restricted_until;
ALTER TABLE instances DROP COLUMN pacing;
DROP INDEX messages_ended;
DROP INDEX messages_phone;
DROP INDEX messages_sent;
DROP INDEX messages_unknown;
DROP INDEX messages_expiry;
DROP INDEX messages_scheduled;
UPDATE messages SET state = 'queued' WHERE state = 'scheduled';
UPDATE messages SET state = 'failed' WHERE state IN ('expired', 'cancelled');
ALTER TABLE messages DROP COLUMN first_contact;
ALTER TABLE messages DROP COLUMN look_at;
ALTER TABLE messages DROP COLUMN expires_at;
ALTER TABLE messages RENAME COLUMN ended_at TO failed_at;
