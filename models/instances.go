package models

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"kurir/problem"
)

// CreateInstance stores a new instance and fills its ID and times. A name that is taken is INSTANCE_EXISTS.
func (db *DB) CreateInstance(ctx context.Context, in *Instance) error {
	row := *in
	if row.ID == "" {
		row.ID = NewInstanceID()
	}
	row.CreatedAt = now()
	row.UpdatedAt = row.CreatedAt
	err := db.Write(ctx, func(tx *gorm.DB) error { return tx.Create(&row).Error })
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		return problem.Wrap(problem.InstanceExists, fmt.Sprintf("name %q", in.Name), err)
	}
	if err != nil {
		return fmt.Errorf("create instance: %w", err)
	}
	*in = row
	return nil
}

// CreateInstanceWithKey is CreateInstance and CreateKey in one: both exist, or neither.
func (db *DB) CreateInstanceWithKey(ctx context.Context, in *Instance, key NewKey) (APIKey, string, error) {
	row := *in
	if row.ID == "" {
		row.ID = NewInstanceID()
	}
	row.CreatedAt = now()
	row.UpdatedAt = row.CreatedAt
	key.InstanceID, key.Sandbox = row.ID, row.Sandbox
	k, plain, err := key.make()
	if err != nil {
		return APIKey{}, "", err
	}
	var what string
	err = db.writeKeys(ctx, func(tx *gorm.DB) error {
		what = fmt.Sprintf("name %q", in.Name)
		if err := tx.Create(&row).Error; err != nil {
			return err
		}
		what = "the key is used by another instance"
		return k.insert(tx)
	})
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		return APIKey{}, "", problem.Wrap(problem.InstanceExists, what, err)
	}
	if err != nil {
		return APIKey{}, "", fmt.Errorf("create instance: %w", err)
	}
	*in = row
	return k, plain, nil
}

// Instances returns every instance, oldest first.
func (db *DB) Instances(ctx context.Context) ([]Instance, error) {
	var rows []Instance
	err := db.reader(ctx).Order("id").Find(&rows).Error
	return rows, notFound(err, "instances")
}

// Instance returns one instance; NOT_FOUND when there is none.
func (db *DB) Instance(ctx context.Context, id string) (Instance, error) {
	var row Instance
	err := db.reader(ctx).Where("id = ?", id).Take(&row).Error
	return row, notFound(err, "instance "+id)
}

// InstanceByName returns the instance of that name; NOT_FOUND when there is none.
func (db *DB) InstanceByName(ctx context.Context, name string) (Instance, error) {
	var row Instance
	err := db.reader(ctx).Where("name = ?", name).Take(&row).Error
	return row, notFound(err, fmt.Sprintf("instance %q", name))
}

// UpdateInstance changes the named columns of an instance, for example {"wanted": true}. NOT_FOUND when there is no
// such instance, INSTANCE_EXISTS when a new name is taken.
func (db *DB) UpdateInstance(ctx context.Context, id string, columns map[string]any) error {
	err := db.Write(ctx, func(tx *gorm.DB) error {
		res := tx.Model(&Instance{}).Where("id = ?", id).Updates(columns)
		if res.Error == nil && res.RowsAffected == 0 {
			return problem.New(problem.NotFound, "instance "+id)
		}
		return res.Error
	})
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		return problem.Wrap(problem.InstanceExists, "", err)
	}
	if err != nil {
		return fmt.Errorf("update instance: %w", err)
	}
	return nil
}

// SetPacing stores the figures of an instance's pace; without Pacing.Set the defaults hold again. NOT_FOUND when there
// is no such instance.
func (db *DB) SetPacing(ctx context.Context, id string, p Pacing) error {
	figures, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("store the pace: %w", err)
	}
	// The text as it is: GORM would not pass it through the field's serializer here.
	if err := db.UpdateInstance(ctx, id, map[string]any{"pacing": gorm.Expr("?", string(figures))}); err != nil {
		return fmt.Errorf("store the pace: %w", err)
	}
	return nil
}

// DeleteInstance removes an instance with its keys and messages; the audit log stays. NOT_FOUND when there is none.
// Detach it from the outbox before, and remove its files after (see UnneededFiles).
func (db *DB) DeleteInstance(ctx context.Context, id string) error {
	err := db.writeKeys(ctx, func(tx *gorm.DB) error {
		res := tx.Where("id = ?", id).Delete(&Instance{})
		if res.Error == nil && res.RowsAffected == 0 {
			return problem.New(problem.NotFound, "instance "+id)
		}
		return res.Error
	})
	if err != nil {
		return fmt.Errorf("delete instance: %w", err)
	}
	return nil
}
