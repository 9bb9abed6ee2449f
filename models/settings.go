package models

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kurir/problem"
)

// Setting returns a value that kurir keeps; ok is false when it was never set.
func (db *DB) Setting(ctx context.Context, name string) (value string, ok bool, err error) {
	var rows []Setting
	err = db.reader(ctx).Where("name = ?", name).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return "", false, notFound(err, "setting "+name)
	}
	return rows[0].Value, true, nil
}

// SetSetting keeps a value.
func (db *DB) SetSetting(ctx context.Context, name, value string) error {
	err := db.Write(ctx, func(tx *gorm.DB) error {
		return tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&Setting{Name: name, Value: value}).Error
	})
	if err != nil {
		return fmt.Errorf("keep setting %s: %w", name, err)
	}
	return nil
}

// SettingOnce keeps value unless the setting has one, and returns the one it has now: two that start at the same
// moment end with the same value. created says that it is the caller's.
func (db *DB) SettingOnce(ctx context.Context, name, value string) (kept string, created bool, err error) {
	err = db.Write(ctx, func(tx *gorm.DB) error {
		res := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&Setting{Name: name, Value: value})
		if res.Error != nil {
			return res.Error
		}
		created = res.RowsAffected == 1
		return tx.Model(&Setting{}).Where("name = ?", name).Pluck("value", &kept).Error
	})
	if err != nil {
		return "", false, fmt.Errorf("keep setting %s: %w", name, err)
	}
	return kept, created, nil
}

// CreateConsoleSession stores a signed-in browser by the hash of its cookie (HashSecret).
func (db *DB) CreateConsoleSession(ctx context.Context, s ConsoleSession) error {
	if s.CreatedAt.IsZero() {
		s.CreatedAt = now()
	}
	if err := db.Write(ctx, func(tx *gorm.DB) error { return tx.Create(&s).Error }); err != nil {
		return fmt.Errorf("create console session: %w", err)
	}
	return nil
}

// ConsoleSession returns the session of a cookie's hash; UNAUTHORIZED when there is none or it has expired.
func (db *DB) ConsoleSession(ctx context.Context, hash string) (ConsoleSession, error) {
	var rows []ConsoleSession
	if err := db.reader(ctx).Where("hash = ? AND expires_at > ?", hash, now()).Find(&rows).Error; err != nil {
		return ConsoleSession{}, notFound(err, "console session")
	}
	if len(rows) == 0 {
		return ConsoleSession{}, problem.New(problem.Unauthorized, "")
	}
	return rows[0], nil
}

// DeleteConsoleSession signs a browser out. One that is gone already is no error.
func (db *DB) DeleteConsoleSession(ctx context.Context, hash string) error {
	err := db.Write(ctx, func(tx *gorm.DB) error { return tx.Where("hash = ?", hash).Delete(&ConsoleSession{}).Error })
	if err != nil {
		return fmt.Errorf("delete console session: %w", err)
	}
	return nil
}

// ExpireConsoleSessions removes the sessions that ended by the given time.
func (db *DB) ExpireConsoleSessions(ctx context.Context, by time.Time) error {
	err := db.Write(ctx, func(tx *gorm.DB) error {
		return tx.Where("expires_at <= ?", by.UTC()).Delete(&ConsoleSession{}).Error
	})
	if err != nil {
		return fmt.Errorf("expire console sessions: %w", err)
	}
	return nil
}
