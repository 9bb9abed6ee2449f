package models

import "fmt"

// appendOutcome writes down what a message's step means to those who listen, in the step's own transaction.
func appendOutcome(s *session, before, after Message) error {
	if s.outcomes == nil {
		return nil
	}
	if _, err := appendEvents(s, s.outcomes(before, after)); err != nil {
		return fmt.Errorf("append a message's outcome to the event log: %w", err)
	}
	return nil
}
