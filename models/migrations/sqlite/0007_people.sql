-- The people of the console, their sessions and the browsers that they have signed in with before. Of a password only
-- its argon2id hash is here, of a cookie only its SHA-256. A session without a user was opened with the admin token.

-- +goose Up
CREATE TABLE users (
    id         TEXT      NOT NULL PRIMARY KEY,
    name       TEXT      NOT NULL,
    role       TEXT      NOT NULL CHECK (role IN ('owner', 'operator')),
    password   TEXT      NOT NULL,
    disabled   BOOLEAN   NOT NULL DEFAULT FALSE,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL,
    seen_at    TIMESTAMP
);
CREATE UNIQUE INDEX users_name ON users (name);
ALTER TABLE console_sessions ADD COLUMN user_id TEXT REFERENCES users (id) ON DELETE CASCADE;
CREATE INDEX console_sessions_user ON console_sessions (user_id);
CREATE TABLE console_devices (
    hash       TEXT      NOT NULL PRIMARY KEY,
    user_id    TEXT      NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    expires_at TIMESTAMP NOT NULL
);
CREATE INDEX console_devices_user ON console_devices (user_id);

-- +goose Down
DROP TABLE console_devices;
DROP INDEX console_sessions_user;
DELETE FROM console_sessions WHERE user_id IS NOT NULL;
ALTER TABLE console_sessions DROP COLUMN user_id;
DROP TABLE users;
