-- The event log, who gets it, and how old rows may go.

-- +goose Up
-- pos is the order of all instances; AUTOINCREMENT, so that a place which somebody remembers is never given twice. No
-- reference to instances: what happened is delivered also after the instance was deleted, and the janitor removes
-- the rest in small batches.
CREATE TABLE events (
    pos         INTEGER   NOT NULL PRIMARY KEY AUTOINCREMENT,
    id          TEXT      NOT NULL,
    instance_id TEXT      NOT NULL,
    seq         BIGINT    NOT NULL,
    type        TEXT      NOT NULL,
    time        TIMESTAMP NOT NULL,
    chat        TEXT      NOT NULL DEFAULT '',
    key         TEXT      NOT NULL,
    payload     TEXT      NOT NULL,
    created_at  TIMESTAMP NOT NULL
);
CREATE UNIQUE INDEX events_id ON events (id);
-- The same message, ack or state is one event, however often it is seen.
CREATE UNIQUE INDEX events_key ON events (instance_id, key);
CREATE UNIQUE INDEX events_seq ON events (instance_id, seq);
-- A state tells the three before it.
CREATE INDEX events_state ON events (instance_id, seq) WHERE type = 'session.state';

-- The last number given to each instance. It outlives the events, so that numbers go on after old ones were deleted.
CREATE TABLE event_heads (
    instance_id TEXT   NOT NULL PRIMARY KEY,
    seq         BIGINT NOT NULL
);

CREATE TABLE webhooks (
    id               TEXT      NOT NULL PRIMARY KEY,
    instance_id      TEXT      NOT NULL DEFAULT '', -- empty: of all instances
    url              TEXT      NOT NULL,
    events           TEXT      NOT NULL,            -- '*', or ',message,message.ack,'
    metadata         TEXT      NOT NULL DEFAULT '',
    secret           TEXT      NOT NULL,
    old_secret       TEXT      NOT NULL DEFAULT '',
    old_secret_until TIMESTAMP,
    enabled          BOOLEAN   NOT NULL DEFAULT TRUE,
    disabled_reason  TEXT      NOT NULL DEFAULT '',
    disabled_at      TIMESTAMP,
    failing_since    TIMESTAMP,
    failed_at        TIMESTAMP,
    created_at       TIMESTAMP NOT NULL,
    updated_at       TIMESTAMP NOT NULL
);
CREATE INDEX webhooks_instance ON webhooks (instance_id, id);
-- +goose StatementBegin
CREATE TRIGGER webhooks_of_instance AFTER DELETE ON instances
BEGIN
    DELETE FROM webhooks WHERE instance_id = OLD.id;
END;
-- +goose StatementEnd

-- What each webhook gets. A lane is what must stay in order: one chat of one instance at one webhook. Only the head of
-- a lane may be sent; the next one becomes head in the transaction that ends it.
CREATE TABLE deliveries (
    id          INTEGER   NOT NULL PRIMARY KEY AUTOINCREMENT,
    webhook_id  TEXT      NOT NULL,
    event_pos   BIGINT    NOT NULL,
    instance_id TEXT      NOT NULL,
    chat        TEXT      NOT NULL DEFAULT '',
    state       TEXT      NOT NULL,
    head        BOOLEAN   NOT NULL DEFAULT FALSE,
    attempts    INTEGER   NOT NULL DEFAULT 0,
    next_at     TIMESTAMP NOT NULL,
    status      INTEGER   NOT NULL DEFAULT 0, -- HTTP, of the last attempt; 0: no answer
    error       TEXT      NOT NULL DEFAULT '',
    response    TEXT      NOT NULL DEFAULT '',
    latency_us  BIGINT    NOT NULL DEFAULT 0,
    created_at  TIMESTAMP NOT NULL,
    finished_at TIMESTAMP
);
CREATE UNIQUE INDEX deliveries_head ON deliveries (webhook_id, instance_id, chat) WHERE state = 'pending' AND head;
CREATE INDEX deliveries_due ON deliveries (webhook_id, next_at) WHERE state = 'pending' AND head;
CREATE INDEX deliveries_lane ON deliveries (webhook_id, instance_id, chat, id) WHERE state = 'pending';
CREATE INDEX deliveries_webhook ON deliveries (webhook_id, id);

-- The audit log stays append-only with one exception: lines below the retention's mark, which only rises, may be
-- deleted, and whatever the mark says none that is younger than a week.
INSERT INTO settings (name, value) VALUES ('audit_mark', '0');
DROP TRIGGER audit_log_no_delete;
-- +goose StatementBegin
CREATE TRIGGER audit_log_no_delete BEFORE DELETE ON audit_log
WHEN OLD.id > coalesce((SELECT CAST(value AS INTEGER) FROM settings WHERE name = 'audit_mark'), 0)
    OR OLD.time > (unixepoch() - 7 * 24 * 3600) * 1000000
BEGIN
    SELECT RAISE(ABORT, 'audit_log is append-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_mark_rises BEFORE UPDATE ON settings
WHEN OLD.name = 'audit_mark' AND (NEW.name <> OLD.name OR CAST(NEW.value AS INTEGER) < CAST(OLD.value AS INTEGER))
BEGIN
    SELECT RAISE(ABORT, 'the mark of the audit log only rises');
END;
-- +goose StatementEnd

-- +goose Down
DROP TRIGGER audit_mark_rises;
DROP TRIGGER audit_log_no_delete;
DELETE FROM settings WHERE name = 'audit_mark';
-- +goose StatementBegin
CREATE TRIGGER audit_log_no_delete BEFORE DELETE ON audit_log
BEGIN
    SELECT RAISE(ABORT, 'audit_log is append-only');
END;
-- +goose StatementEnd
DROP TABLE deliveries;
DROP TRIGGER webhooks_of_instance;
DROP TABLE webhooks;
DROP TABLE event_heads;
DROP TABLE events;
