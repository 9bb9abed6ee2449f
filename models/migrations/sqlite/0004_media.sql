-- The files of messages.

-- +goose Up
-- A row is written with the event of its message, in the same transaction. No reference to instances: what was promised to
-- webhooks is served also after the instance was deleted, and the janitor removes the rest in small batches.
CREATE TABLE media (
    id          TEXT      NOT NULL PRIMARY KEY,
    instance_id TEXT      NOT NULL,
    message_id  TEXT      NOT NULL,             -- WhatsApp's
    chat        TEXT      NOT NULL,             -- as the page calls it
    phone       TEXT      NOT NULL DEFAULT '',  -- of the other side, when known
    author      TEXT      NOT NULL DEFAULT '',  -- in groups
    from_me     BOOLEAN   NOT NULL DEFAULT FALSE,
    kind        TEXT      NOT NULL DEFAULT '',
    mime_type   TEXT      NOT NULL DEFAULT '',
    file_name   TEXT      NOT NULL DEFAULT '',  -- as told by the sender: never a path of ours
    told_size   BIGINT    NOT NULL DEFAULT 0,   -- as told by the sender
    state       TEXT      NOT NULL,
    sha256      TEXT      NOT NULL DEFAULT '',  -- hex; the file's name below the folder of media
    size        BIGINT    NOT NULL DEFAULT 0,
    attempts    INTEGER   NOT NULL DEFAULT 0,
    next_at     TIMESTAMP NOT NULL,             -- of pending: not before
    error       TEXT      NOT NULL DEFAULT '',
    asked       BOOLEAN   NOT NULL DEFAULT FALSE, -- somebody asked for it: the instance's limits do not hold
    event_pos   BIGINT    NOT NULL DEFAULT 0,   -- the last event that mentions it
    created_at  TIMESTAMP NOT NULL,
    stored_at   TIMESTAMP,
    free_since  TIMESTAMP                       -- since when no webhook waits for it; from then on the retention counts
);
CREATE INDEX media_message ON media (instance_id, message_id);
CREATE INDEX media_due ON media (next_at) WHERE state = 'pending';
CREATE INDEX media_sha256 ON media (sha256) WHERE sha256 <> '';
CREATE INDEX media_free ON media (free_since);

-- JSON of models.MediaSettings; empty: the defaults.
ALTER TABLE instances ADD COLUMN media TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE instances DROP COLUMN media;
DROP TABLE media;
