package models

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"gorm.io/gorm"

	"kurir/problem"
)

// Role is what a person may do in the console.
type Role string

// The roles. An owner may do everything; an operator keeps the instances running.
const (
	RoleOwner    Role = "owner"
	RoleOperator Role = "operator"
)

// User is a person who signs in to the console.
type User struct {
	ID        string `gorm:"primaryKey"` // usr_ + ULID
	Name      string // unique, lower case
	Role      Role
	Password  string `json:"-"` // argon2id, PHC format
	Disabled  bool   // cannot sign in
	CreatedAt time.Time
	UpdatedAt time.Time
	SeenAt    *time.Time // when they last signed in
}

var userName = regexp.MustCompile(`^[a-z0-9][a-z0-9._@-]{1,39}$`)

// UserName brings a name into the form in which it is stored; USER_NAME_INVALID when it cannot be one.
func UserName(typed string) (string, error) {
	name := strings.ToLower(strings.TrimSpace(typed))
	if !userName.MatchString(name) {
		return "", problem.New(problem.UserNameInvalid, "")
	}
	return name, nil
}

// CreateUser stores a person with the hash of a password and fills ID and times. A name that is taken is USER_EXISTS.
// Before there is an owner nobody else can be: LAST_OWNER.
func (db *DB) CreateUser(ctx context.Context, u *User) error {
	row := *u
	var err error
	if row.Name, err = UserName(u.Name); err != nil {
		return err
	}
	row.ID, row.CreatedAt = NewUserID(), now()
	row.UpdatedAt = row.CreatedAt
	err = db.Write(ctx, func(tx *gorm.DB) error {
		if err := tx.Create(&row).Error; err != nil {
			return err
		}
		return ownerLeft(tx)
	})
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		return problem.Wrap(problem.UserExists, "", err)
	}
	if err != nil {
		return fmt.Errorf("create user: %w", err)
	}
	*u = row
	return nil
}

// ownerLeft is LAST_OWNER when nobody could manage the others any more.
func ownerLeft(tx *gorm.DB) error {
	var n int64
	if err := tx.Model(&User{}).Where("role = ? AND NOT disabled", RoleOwner).Count(&n).Error; err != nil {
		return err
	}
	if n == 0 {
		return problem.New(problem.LastOwner, "")
	}
	return nil
}

// Users returns everybody, by name.
func (db *DB) Users(ctx context.Context) ([]User, error) {
	var rows []User
	err := db.reader(ctx).Order("name").Find(&rows).Error
	return rows, notFound(err, "users")
}

// User returns one; NOT_FOUND when there is none.
func (db *DB) User(ctx context.Context, id string) (User, error) {
	var row User
	err := db.reader(ctx).Where("id = ?", id).Take(&row).Error
	return row, notFound(err, "user "+id)
}

// UserByName returns the person of that name; NOT_FOUND when there is none.
func (db *DB) UserByName(ctx context.Context, name string) (User, error) {
	var row User
	err := db.reader(ctx).Where("name = ?", name).Take(&row).Error
	return row, notFound(err, "user")
}

// changeUser runs fn on the person and holds that an owner is left.
func (db *DB) changeUser(ctx context.Context, id, what string, fn func(tx *gorm.DB, u *User) error) error {
	err := db.Write(ctx, func(tx *gorm.DB) error {
		var u User
		if err := tx.Where("id = ?", id).Take(&u).Error; err != nil {
			return notFound(err, "user "+id)
		}
		if err := fn(tx, &u); err != nil {
			return err
		}
		return ownerLeft(tx)
	})
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// SetUser gives a person another role, or locks them out and in again. Who is locked out is signed out at once.
func (db *DB) SetUser(ctx context.Context, id string, role Role, disabled bool) error {
	return db.changeUser(ctx, id, "change user", func(tx *gorm.DB, u *User) error {
		if err := tx.Model(u).Updates(map[string]any{"role": role, "disabled": disabled}).Error; err != nil || !disabled {
			return err
		}
		return signOut(tx, id)
	})
}

// SetPassword stores the hash of a new password and signs the person out everywhere.
func (db *DB) SetPassword(ctx context.Context, id, hash string) error {
	return db.changeUser(ctx, id, "set password", func(tx *gorm.DB, u *User) error {
		if err := tx.Model(u).Updates(map[string]any{"password": hash}).Error; err != nil {
			return err
		}
		return signOut(tx, id)
	})
}

// RenewHash stores the same password's hash with other costs, unless the password has changed meanwhile.
func (db *DB) RenewHash(ctx context.Context, u User, hash string) error {
	err := db.Write(ctx, func(tx *gorm.DB) error {
		return tx.Model(&User{}).Where("id = ? AND password = ?", u.ID, u.Password).UpdateColumn("password", hash).Error
	})
	if err != nil {
		return fmt.Errorf("renew the hash of a password: %w", err)
	}
	return nil
}

// DeleteUser removes a person with their sessions.
func (db *DB) DeleteUser(ctx context.Context, id string) error {
	return db.changeUser(ctx, id, "delete user", func(tx *gorm.DB, u *User) error { return tx.Delete(u).Error })
}

// signOut ends a person's sessions and forgets the browsers that knew their password.
func signOut(tx *gorm.DB, userID string) error {
	if err := tx.Where("user_id = ?", userID).Delete(&ConsoleSession{}).Error; err != nil {
		return err
	}
	return tx.Where("user_id = ?", userID).Delete(&ConsoleDevice{}).Error
}

// EndSessions signs a person out everywhere; an empty id is whoever came with the admin token.
func (db *DB) EndSessions(ctx context.Context, userID string) error {
	err := db.Write(ctx, func(tx *gorm.DB) error {
		if userID == "" {
			return tx.Where("user_id IS NULL").Delete(&ConsoleSession{}).Error
		}
		return signOut(tx, userID)
	})
	if err != nil {
		return fmt.Errorf("end sessions: %w", err)
	}
	return nil
}
