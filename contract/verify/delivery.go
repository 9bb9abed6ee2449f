package verify

import (
	"fmt"
	"net/http"
)

// Delivery holds a call of kurir to a webhook's address to what the contract says that such an address gets. body is the
// request's, which was read.
func (c *Contract) Delivery(r *http.Request, body []byte) error {
	op := c.doc.Webhooks["event"].Post
	for _, p := range op.Parameters {
		if p.Value.Required && r.Header.Get(p.Value.Name) == "" {
			return fmt.Errorf("contract: a delivery has no %s", p.Value.Name)
		}
	}
	if kind := r.Header.Get("Content-Type"); r.Method != http.MethodPost || op.RequestBody.Value.Content.Get(kind) == nil {
		return fmt.Errorf("contract: a delivery is a %s of %q", r.Method, kind)
	}
	if err := c.schemas.check("#/components/schemas/"+closedEvent, body); err != nil {
		return fmt.Errorf("contract: a delivery: %w\n%s", err, clip(body))
	}
	return nil
}
