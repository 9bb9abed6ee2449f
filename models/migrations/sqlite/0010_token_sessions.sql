-- +goose Up
-- A fingerprint of the admin token that opened a session which is nobody's. When the token is another one, the
-- session is over. Those from before say nothing, and are over too.
ALTER TABLE console_sessions ADD COLUMN opened_with TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE console_sessions DROP COLUMN opened_with;
