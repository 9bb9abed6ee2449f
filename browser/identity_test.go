package browser

import "testing"

func identityInChromium(t *testing.T, s *Session) {}
