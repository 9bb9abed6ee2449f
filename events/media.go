package events

import (
	"time"

	"kurir/models"
)

// MediaPath is where a file is read.
func MediaPath(id string) string { return "/v1/media/" + id }

// Describe gives the file of a message an id and the state that it begins with. Without it the file is told of and
// cannot be had.
func (c *Content) Describe(state models.MediaState) {
	if c.Media == nil {
		return
	}
	c.Media.ID, c.Media.State = models.NewMediaID(), string(state)
	c.Media.URL = MediaPath(c.Media.ID)
}

// file is the row that goes with the event; nil when there is no file, or it has no id.
func (c *Content) file(instanceID string) *models.Media {
	if c.Media == nil || c.Media.ID == "" {
		return nil
	}
	m := &models.Media{
		ID: c.Media.ID, InstanceID: instanceID, MessageID: c.ID, Chat: c.Chat, Phone: c.Phone, FromMe: c.FromMe, Kind: c.Kind,
		MimeType: c.Media.MimeType, FileName: c.Media.FileName, ToldSize: c.Media.Size, State: models.MediaState(c.Media.State),
	}
	if c.Author != nil {
		m.Author = c.Author.WID
	}
	return m
}

// MediaRow returns the event of what became of a file, as the database takes it.
func MediaRow(m models.Media) (models.NewEvent, error) {
	media := Media{
		ID: m.ID, State: string(m.State), MimeType: m.MimeType, FileName: m.FileName, Size: m.ToldSize, SHA256: m.SHA256, URL: MediaPath(m.ID),
	}
	switch m.State {
	case models.MediaStored:
		media.Size = m.Size
	case models.MediaFailed:
		media.Error = m.Error
	case models.MediaPending, models.MediaSkipped, models.MediaTooLarge, models.MediaGone:
	}
	row, err := Row(m.InstanceID, &MessageMedia{MessageID: m.MessageID, Chat: m.Chat, Phone: m.Phone, FromMe: m.FromMe, Media: media})
	row.Time = time.Now()
	return row, err
}
