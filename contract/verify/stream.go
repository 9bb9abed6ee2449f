package verify

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// stream checks Server-Sent Events as they pass: each carries an event of the contract.
type stream struct {
	c    *Contract
	rest []byte
}

// pass takes a piece of the stream and returns what is wrong with the events that end in it.
func (s *stream) pass(p []byte) error {
	s.rest = append(s.rest, p...)
	for {
		frame, rest, ok := bytes.Cut(s.rest, []byte("\n\n"))
		if !ok {
			return nil
		}
		s.rest = rest
		if err := s.c.checkFrame(frame); err != nil {
			return fmt.Errorf("contract: event stream: %w\n%s", err, clip(frame))
		}
	}
}

func (c *Contract) checkFrame(frame []byte) error {
	fields := map[string][]byte{}
	for line := range bytes.SplitSeq(frame, []byte("\n")) {
		name, value, ok := bytes.Cut(line, []byte(": "))
		if !ok {
			return fmt.Errorf("%q is no field", line)
		}
		fields[string(name)] = value
	}
	data, ok := fields["data"]
	if !ok {
		return nil // a comment, or when to come back
	}
	var event map[string]any
	if err := json.Unmarshal(data, &event); err != nil {
		return err
	}
	if event["id"] != string(fields["id"]) || event["type"] != string(fields["event"]) {
		return fmt.Errorf("id or event are not its id and type")
	}
	return c.schemas.check("#/components/schemas/"+closedEvent, data)
}
