package models

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"gorm.io/gorm"
)

// MediaSettings say which files of an instance are fetched.
type MediaSettings struct {
	// Set says that somebody chose these. Without it every file is fetched that the gateway's limit allows.
	Set bool `json:"set,omitempty"`
	// Auto fetches incoming files when they come; else they are fetched when somebody asks.
	Auto bool `json:"auto"`
	// Types are those that are fetched when they come: image, video, audio, document, sticker; empty: all.
	Types []string `json:"types"`
	MaxMB int64    `json:"max_mb"` // the largest, in 1,000,000 bytes; 0: as the gateway allows
}

// MediaTypes are what MediaSettings.Types may name.
func MediaTypes() []string { return []string{"image", "video", "audio", "document", "sticker"} }

// MediaType is the type of a message of that kind. Voice notes are audio, round videos and GIFs are video.
func MediaType(kind string) string {
	switch kind {
	case "ptt":
		return "audio"
	case "ptv", "gif":
		return "video"
	}
	return kind
}

// MediaWanted returns the settings that hold for an instance.
func (in Instance) MediaWanted() MediaSettings {
	if in.Media.Set {
		return in.Media
	}
	return MediaSettings{Auto: true}
}

// Decide says what is to become of a file when its message comes: pending, skipped or too_large. most is the gateway's
// limit in bytes. What the linked account wrote itself is not fetched unasked: whoever wrote it has it.
func (m MediaSettings) Decide(kind string, size int64, fromMe bool, most int64) MediaState {
	if fromMe || !m.Auto || len(m.Types) > 0 && !slices.Contains(m.Types, MediaType(kind)) {
		return MediaSkipped
	}
	if size > m.Limit(most) {
		return MediaTooLarge
	}
	return MediaPending
}

// Limit is the largest file in bytes.
func (m MediaSettings) Limit(most int64) int64 {
	if m.MaxMB > 0 {
		return min(most, m.MaxMB*1_000_000)
	}
	return most
}

// SetMedia stores an instance's settings. NOT_FOUND when there is no such instance.
func (db *DB) SetMedia(ctx context.Context, id string, m MediaSettings) error {
	text, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("store media settings: %w", err)
	}
	// The text as it is: GORM would not pass it through the field's serializer here.
	if err := db.UpdateInstance(ctx, id, map[string]any{"media": gorm.Expr("?", string(text))}); err != nil {
		return fmt.Errorf("store media settings: %w", err)
	}
	return nil
}
