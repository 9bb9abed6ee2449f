package models

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kurir/problem"
)

// maxDevices is how many browsers are remembered for a person; the one that was to be forgotten first goes.
const maxDevices = 20

// CreateConsoleSession stores a signed-in browser by the hash of its cookie (HashSecret). With s.User it is that
// person's: UNAUTHORIZED when they were locked out or got another password since they were read.
func (db *DB) CreateConsoleSession(ctx context.Context, s ConsoleSession) error {
	if s.CreatedAt.IsZero() {
		s.CreatedAt = now()
	}
	err := db.Write(ctx, func(tx *gorm.DB) error {
		if u := s.User; u != nil {
			s.UserID = &u.ID
			res := tx.Model(&User{}).Where("id = ? AND NOT disabled AND password = ?", u.ID, u.Password).
				UpdateColumn("seen_at", s.CreatedAt.UTC())
			if res.Error != nil {
				return res.Error
			}
			if res.RowsAffected == 0 {
				return problem.New(problem.Unauthorized, "")
			}
		}
		return tx.Create(&s).Error
	})
	if err != nil {
		return fmt.Errorf("create console session: %w", err)
	}
	return nil
}

// ConsoleSession returns the session of a cookie's hash with its person; UNAUTHORIZED when there is none, it has
// expired, or the person is locked out.
func (db *DB) ConsoleSession(ctx context.Context, hash string) (ConsoleSession, error) {
	var rows []ConsoleSession
	if err := db.reader(ctx).Where("hash = ? AND expires_at > ?", hash, now()).Find(&rows).Error; err != nil {
		return ConsoleSession{}, notFound(err, "console session")
	}
	if len(rows) == 0 {
		return ConsoleSession{}, problem.New(problem.Unauthorized, "")
	}
	s := rows[0]
	if s.UserID == nil {
		return s, nil
	}
	u, err := db.User(ctx, *s.UserID)
	if problem.CodeOf(err) == problem.NotFound && err != nil || err == nil && u.Disabled {
		return ConsoleSession{}, problem.Wrap(problem.Unauthorized, "", err) // deleted or locked out between the two looks
	}
	s.User = &u
	return s, err
}

// DeleteConsoleSession signs a browser out. One that is gone already is no error.
func (db *DB) DeleteConsoleSession(ctx context.Context, hash string) error {
	err := db.Write(ctx, func(tx *gorm.DB) error { return tx.Where("hash = ?", hash).Delete(&ConsoleSession{}).Error })
	if err != nil {
		return fmt.Errorf("delete console session: %w", err)
	}
	return nil
}

// ExpireConsoleSessions removes the sessions and the remembered browsers whose time was over by then.
func (db *DB) ExpireConsoleSessions(ctx context.Context, by time.Time) error {
	err := db.Write(ctx, func(tx *gorm.DB) error {
		if err := tx.Where("expires_at <= ?", by.UTC()).Delete(&ConsoleSession{}).Error; err != nil {
			return err
		}
		return tx.Where("expires_at <= ?", by.UTC()).Delete(&ConsoleDevice{}).Error
	})
	if err != nil {
		return fmt.Errorf("expire console sessions: %w", err)
	}
	return nil
}

// RememberDevice keeps a browser that has shown that it knows a person's password.
func (db *DB) RememberDevice(ctx context.Context, d ConsoleDevice) error {
	d.ExpiresAt = d.ExpiresAt.UTC()
	err := db.Write(ctx, func(tx *gorm.DB) error {
		if err := tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&d).Error; err != nil {
			return err
		}
		return tx.Exec(`DELETE FROM console_devices WHERE user_id = ?1 AND hash NOT IN
			(SELECT hash FROM console_devices WHERE user_id = ?1 ORDER BY expires_at DESC LIMIT ?2)`, d.UserID, maxDevices).Error
	})
	if errors.Is(err, gorm.ErrForeignKeyViolated) {
		return problem.Wrap(problem.NotFound, "user", err)
	}
	if err != nil {
		return fmt.Errorf("remember browser: %w", err)
	}
	return nil
}

// KnowsDevice says whether a browser has shown before that it knows the person's password.
func (db *DB) KnowsDevice(ctx context.Context, d ConsoleDevice) (bool, error) {
	var n int64
	err := db.reader(ctx).Model(&ConsoleDevice{}).
		Where("hash = ? AND user_id = ? AND expires_at > ?", d.Hash, d.UserID, now()).Count(&n).Error
	return n > 0, notFound(err, "browser")
}
