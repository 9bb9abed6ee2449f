package models

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
	"gorm.io/gorm"

	"kurir/problem"
)

// Webhook is a subscriber: a URL that gets events of one instance, or of all.
//
// Secret is stored as it is. To sign is to know the secret: a hash cannot do it, and a key to encrypt it with would
// lie beside the database and be copied with it. What it opens is little: who has it can forge calls to the receiver,
// not touch kurir or WhatsApp. It is shown when it is made and never again, and is in no log and no answer.
type Webhook struct {
	ID             string `gorm:"primaryKey"` // wh_ + ULID
	InstanceID     string // empty: all instances
	URL            string
	Events         string // types: AllEvents, or with a comma before, between and after
	Metadata       string // JSON that comes with every delivery; empty: none
	Secret         string // whsec_ + base64 of 32 random bytes
	OldSecret      string // signs too until OldSecretUntil
	OldSecretUntil *time.Time
	Enabled        bool
	DisabledReason string
	DisabledAt     *time.Time
	FailingSince   *time.Time // first failure after the last success; nil: the last attempt went well
	FailedAt       *time.Time // last failure
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

// AllEvents subscribes to every type but presence, which has to be named.
const AllEvents = "*"

// maxWebhooks bounds how many there are in all: every event is matched with each.
const maxWebhooks = 1000

// EventTypes returns the types that a webhook gets; nil: all.
func (w Webhook) EventTypes() []string {
	if w.Events == AllEvents {
		return nil
	}
	return strings.Split(strings.Trim(w.Events, ","), ",")
}

// JoinEventTypes is the reverse of EventTypes.
func JoinEventTypes(types []string) string {
	if len(types) == 0 {
		return AllEvents
	}
	return "," + strings.Join(types, ",") + ","
}

// Secrets returns the secrets that sign now, the newest first.
func (w Webhook) Secrets(at time.Time) []string {
	if w.OldSecret != "" && w.OldSecretUntil != nil && at.Before(*w.OldSecretUntil) {
		return []string{w.Secret, w.OldSecret}
	}
	return []string{w.Secret}
}

// NewWebhookSecret returns a new secret in the form of Standard Webhooks: whsec_ and base64 of 32 random bytes.
func NewWebhookSecret() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return "whsec_" + base64.StdEncoding.EncodeToString(b[:])
}

// CreateWebhook stores a new webhook; ID, Secret and times are filled in. It gets what happens from now on.
func (db *DB) CreateWebhook(ctx context.Context, w *Webhook) error {
	row := *w
	row.ID, row.Enabled = "wh_"+ulid.Make().String(), true
	row.Secret = NewWebhookSecret()
	row.CreatedAt = now()
	row.UpdatedAt = row.CreatedAt
	err := db.Write(ctx, func(tx *gorm.DB) error {
		var n int64
		if err := tx.Model(&Webhook{}).Count(&n).Error; err != nil {
			return err
		}
		if n >= maxWebhooks {
			return problem.New(problem.TooManyWebhooks, "")
		}
		return tx.Create(&row).Error
	})
	if err != nil {
		return fmt.Errorf("create webhook: %w", err)
	}
	*w = row
	return nil
}

// Webhooks returns up to limit webhooks with an ID greater than after, oldest first; of all instances when instanceID
// is nil, of those that get every instance's events when it is empty.
func (db *DB) Webhooks(ctx context.Context, instanceID *string, after string, limit int) ([]Webhook, error) {
	var rows []Webhook
	q := db.reader(ctx).Where("id > ?", after).Order("id").Limit(limit)
	if instanceID != nil {
		q = q.Where("instance_id = ?", *instanceID)
	}
	return rows, notFound(q.Find(&rows).Error, "webhooks")
}

// DisabledByOperator is the reason of a webhook that a person has switched off.
const DisabledByOperator = "switched off by the operator"

// DisabledWebhooks returns the webhooks of an instance, and those of all instances, that kurir has switched off.
func (db *DB) DisabledWebhooks(ctx context.Context, instanceID string) ([]Webhook, error) {
	var rows []Webhook
	err := db.reader(ctx).Where("NOT enabled AND disabled_reason <> ? AND instance_id IN ('', ?)", DisabledByOperator, instanceID).Order("id").Find(&rows).Error
	return rows, notFound(err, "webhooks")
}

// Webhook returns one webhook; NOT_FOUND when there is none.
func (db *DB) Webhook(ctx context.Context, id string) (Webhook, error) {
	var row Webhook
	err := db.reader(ctx).Raw("SELECT * FROM webhooks WHERE id = ?", id).Take(&row).Error
	return row, notFound(err, "webhook "+id)
}

// WebhooksWithWork returns the ids of the enabled webhooks that have something to deliver.
func (db *DB) WebhooksWithWork(ctx context.Context) (ids []string, err error) {
	err = db.reader(ctx).Raw(`SELECT id FROM webhooks w WHERE enabled AND EXISTS
		(SELECT 1 FROM deliveries d WHERE d.webhook_id = w.id AND d.state = 'pending')`).Scan(&ids).Error
	return ids, notFound(err, "webhooks")
}

// Subscribed says whether an enabled webhook wants that type of an instance's events.
func (db *DB) Subscribed(ctx context.Context, instanceID, eventType string) (bool, error) {
	var n int64
	err := db.reader(ctx).Raw(`SELECT count(*) FROM webhooks WHERE enabled AND instance_id IN (?, '') AND `+wants,
		instanceID, ","+eventType+",", eventType).Scan(&n).Error
	return n > 0, notFound(err, "webhooks")
}

// UpdateWebhook changes the named columns of a webhook and returns it; NOT_FOUND when there is none. One that is
// switched on goes on with what was waiting when it was switched off.
func (db *DB) UpdateWebhook(ctx context.Context, id string, columns map[string]any) (Webhook, error) {
	var row Webhook
	set := map[string]any{"updated_at": now()}
	for k, v := range columns {
		set[k] = v
	}
	if columns["enabled"] == true {
		set["disabled_reason"], set["disabled_at"], set["failing_since"], set["failed_at"] = "", nil, nil, nil
	}
	err := db.Write(ctx, func(tx *gorm.DB) error {
		res := tx.Model(&Webhook{}).Where("id = ?", id).Updates(set)
		if res.Error == nil && res.RowsAffected == 0 {
			return problem.New(problem.NotFound, "webhook "+id)
		}
		if res.Error != nil {
			return res.Error
		}
		return tx.Where("id = ?", id).Take(&row).Error
	})
	if err != nil {
		return Webhook{}, fmt.Errorf("update webhook: %w", err)
	}
	return row, nil
}

// RotateSecret gives a webhook a new secret; the one before signs too until the given time.
func (db *DB) RotateSecret(ctx context.Context, id string, oldUntil time.Time) (Webhook, error) {
	return db.UpdateWebhook(ctx, id, map[string]any{
		"old_secret": gorm.Expr("secret"), "secret": NewWebhookSecret(), "old_secret_until": oldUntil.UTC().Truncate(time.Microsecond),
	})
}

// DeleteWebhook removes a webhook; what it had to deliver is never sent. The janitor removes its deliveries.
func (db *DB) DeleteWebhook(ctx context.Context, id string) error {
	err := db.Write(ctx, func(tx *gorm.DB) error {
		res := tx.Where("id = ?", id).Delete(&Webhook{})
		if res.Error == nil && res.RowsAffected == 0 {
			return problem.New(problem.NotFound, "webhook "+id)
		}
		return res.Error
	})
	if err != nil {
		return fmt.Errorf("delete webhook: %w", err)
	}
	return nil
}

// MetadataJSON returns the metadata, or nil.
func (w Webhook) MetadataJSON() json.RawMessage {
	if w.Metadata == "" {
		return nil
	}
	return json.RawMessage(w.Metadata)
}
