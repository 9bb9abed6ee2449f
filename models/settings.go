package models

import (
	"context"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
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
