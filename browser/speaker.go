package browser

import (
	"encoding/json"

	"github.com/go-rod/rod/lib/proto"
)

// speaker is whom kurir listens to: the main world of the document in the page's main frame, when that document is
// WhatsApp Web's. Chromium gives the binding to every document of the process, frames of other sites among them, and says
// of each call only the execution context that it came from. It belongs to the reader's goroutine.
type speaker struct {
	context proto.RuntimeExecutionContextID // 0: nobody
	warned  bool                            // that somebody else spoke, in this document
}

// follow takes note of contexts that come and go. A context is announced before anything runs in it.
func (s *speaker) follow(e frame, main proto.TargetTargetID, home string) error {
	switch e.Method {
	case "Runtime.executionContextCreated":
		var made struct {
			Context struct {
				ID      proto.RuntimeExecutionContextID
				Origin  string
				AuxData struct {
					IsDefault bool
					FrameID   string
				}
			}
		}
		if err := json.Unmarshal(e.Params, &made); err != nil {
			return err
		}
		c := made.Context
		if !c.AuxData.IsDefault || c.AuxData.FrameID != string(main) { // the main frame's id is the page's
			return nil
		}
		*s = speaker{}
		if sameOrigin(c.Origin, home) {
			s.context = c.ID
		}
	case "Runtime.executionContextDestroyed":
		var gone struct {
			ExecutionContextID proto.RuntimeExecutionContextID
		}
		if err := json.Unmarshal(e.Params, &gone); err != nil {
			return err
		}
		if gone.ExecutionContextID == s.context {
			s.context = 0
		}
	case "Runtime.executionContextsCleared":
		s.context = 0
	}
	return nil
}

// is says whether a call came from there.
func (s *speaker) is(from proto.RuntimeExecutionContextID) bool {
	return from != 0 && from == s.context
}

// stranger takes note that somebody else spoke; true when that is news. A frame can speak a thousand times a second.
func (s *speaker) stranger() bool {
	news := !s.warned
	s.warned = true
	return news
}
