-- What a key may do. scopes: JSON list of send, read, manage (NULL: nothing); the keys that there were could send and read.
-- ips and recipients: JSON lists of networks and of wids; NULL: all. rate_per_minute 0: as the settings say. old_hash opens the
-- key too until old_until, after a rotation.

-- +goose Up
ALTER TABLE api_keys ADD COLUMN scopes TEXT DEFAULT '["send","read"]';
ALTER TABLE api_keys ADD COLUMN ips TEXT;
ALTER TABLE api_keys ADD COLUMN recipients TEXT;
ALTER TABLE api_keys ADD COLUMN rate_per_minute INTEGER NOT NULL DEFAULT 0;
ALTER TABLE api_keys ADD COLUMN expires_at TIMESTAMP;
ALTER TABLE api_keys ADD COLUMN old_hash TEXT NOT NULL DEFAULT '';
ALTER TABLE api_keys ADD COLUMN old_until TIMESTAMP;
CREATE UNIQUE INDEX api_keys_old_hash ON api_keys (old_hash) WHERE old_hash <> '';

-- +goose Down
DROP INDEX api_keys_old_hash;
ALTER TABLE api_keys DROP COLUMN old_until;
ALTER TABLE api_keys DROP COLUMN old_hash;
ALTER TABLE api_keys DROP COLUMN expires_at;
ALTER TABLE api_keys DROP COLUMN rate_per_minute;
ALTER TABLE api_keys DROP COLUMN recipients;
ALTER TABLE api_keys DROP COLUMN ips;
ALTER TABLE api_keys DROP COLUMN scopes;
