-- Times are TIMESTAMP columns. The SQLite driver keeps them as whole microseconds since 1970 (UTC), so that they
-- compare as numbers; the Postgres twin of this file says timestamptz. A time that was never set is NULL where the
-- Go field is a pointer, and the year 1 where it is not.

-- +goose Up
CREATE TABLE instances (
    id         TEXT      NOT NULL PRIMARY KEY,
    name       TEXT      NOT NULL,
    sandbox    BOOLEAN   NOT NULL DEFAULT FALSE,
    region     TEXT      NOT NULL DEFAULT '',
    language   TEXT      NOT NULL DEFAULT '',
    time_zone  TEXT      NOT NULL DEFAULT '',
    wanted     BOOLEAN   NOT NULL DEFAULT FALSE,
    linked     BOOLEAN   NOT NULL DEFAULT FALSE,
    phone      TEXT      NOT NULL DEFAULT '',
    lid        TEXT      NOT NULL DEFAULT '',
    pushname   TEXT      NOT NULL DEFAULT '',
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL
);
CREATE UNIQUE INDEX instances_name ON instances (name);

CREATE TABLE api_keys (
    id           TEXT      NOT NULL PRIMARY KEY,
    instance_id  TEXT      NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
    name         TEXT      NOT NULL DEFAULT '',
    hash         TEXT      NOT NULL,
    hint         TEXT      NOT NULL,
    created_at   TIMESTAMP NOT NULL,
    last_used_at TIMESTAMP
);
CREATE UNIQUE INDEX api_keys_hash ON api_keys (hash);
CREATE INDEX api_keys_instance ON api_keys (instance_id, id);

-- The outbox: the row is the queue.
CREATE TABLE messages (
    seq             INTEGER   NOT NULL PRIMARY KEY,
    id              TEXT      NOT NULL,
    instance_id     TEXT      NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
    wa_id           TEXT      NOT NULL,
    chat            TEXT      NOT NULL,
    phone           TEXT      NOT NULL DEFAULT '',
    kind            TEXT      NOT NULL,
    body            TEXT      NOT NULL DEFAULT '',
    file_path       TEXT      NOT NULL DEFAULT '',
    file_name       TEXT      NOT NULL DEFAULT '',
    mime_type       TEXT      NOT NULL DEFAULT '',
    file_size       BIGINT    NOT NULL DEFAULT 0,
    priority        INTEGER   NOT NULL DEFAULT 0,
    state           TEXT      NOT NULL,
    code            TEXT      NOT NULL DEFAULT '',
    detail          TEXT      NOT NULL DEFAULT '',
    claims          INTEGER   NOT NULL DEFAULT 0,
    attempts        INTEGER   NOT NULL DEFAULT 0,
    not_before      TIMESTAMP NOT NULL,
    retry_at        TIMESTAMP NOT NULL,
    idempotency_key TEXT,
    content_hash    TEXT      NOT NULL DEFAULT '',
    ack             INTEGER   NOT NULL DEFAULT 0,
    created_at      TIMESTAMP NOT NULL,
    sending_at      TIMESTAMP,
    sent_at         TIMESTAMP,
    delivered_at    TIMESTAMP,
    read_at         TIMESTAMP,
    failed_at       TIMESTAMP
);
CREATE UNIQUE INDEX messages_id ON messages (id);
CREATE UNIQUE INDEX messages_wa_id ON messages (instance_id, wa_id);
CREATE UNIQUE INDEX messages_idempotency ON messages (instance_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
-- The order of the queue. Without it every claim sorts the whole backlog.
CREATE INDEX messages_queue ON messages (instance_id, priority DESC, seq) WHERE state = 'queued';
-- One in flight per instance is a fact of the database.
CREATE UNIQUE INDEX messages_sending ON messages (instance_id) WHERE state = 'sending';
CREATE INDEX messages_file ON messages (file_path) WHERE file_path <> '';

-- No reference to instances: the log outlives what it speaks of.
CREATE TABLE audit_log (
    id          INTEGER   NOT NULL PRIMARY KEY,
    time        TIMESTAMP NOT NULL,
    request_id  TEXT      NOT NULL DEFAULT '',
    ip          TEXT      NOT NULL DEFAULT '',
    actor       TEXT      NOT NULL DEFAULT '',
    instance_id TEXT      NOT NULL DEFAULT '',
    action      TEXT      NOT NULL,
    target      TEXT      NOT NULL DEFAULT '',
    code        TEXT      NOT NULL DEFAULT '',
    latency_us  BIGINT    NOT NULL DEFAULT 0
);
-- +goose StatementBegin
CREATE TRIGGER audit_log_no_update BEFORE UPDATE ON audit_log
BEGIN
    SELECT RAISE(ABORT, 'audit_log is append-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_log_no_delete BEFORE DELETE ON audit_log
BEGIN
    SELECT RAISE(ABORT, 'audit_log is append-only');
END;
-- +goose StatementEnd

CREATE TABLE console_sessions (
    hash       TEXT      NOT NULL PRIMARY KEY,
    created_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL,
    ip         TEXT      NOT NULL DEFAULT ''
);
CREATE INDEX console_sessions_expiry ON console_sessions (expires_at);

CREATE TABLE settings (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- +goose Down
DROP TABLE settings;
DROP TABLE console_sessions;
DROP TABLE audit_log;
DROP TABLE messages;
DROP TABLE api_keys;
DROP TABLE instances;
