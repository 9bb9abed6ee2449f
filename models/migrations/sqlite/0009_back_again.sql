-- +goose Up
-- When a receiver that failed at everything takes one delivery again, the heads of its other lanes are brought forward.
-- later_at is when such a head was to be tried, and is tried should this fail; asked: its receiver named the time itself.
ALTER TABLE deliveries ADD COLUMN later_at TIMESTAMP;
ALTER TABLE deliveries ADD COLUMN asked BOOLEAN NOT NULL DEFAULT FALSE;

-- +goose Down
ALTER TABLE deliveries DROP COLUMN asked;
ALTER TABLE deliveries DROP COLUMN later_at;
