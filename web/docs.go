package web

import "net/http"

// docs is GET /docs: the contract, to read and to try. It is open to everybody, as GET /openapi.yaml is: it says nothing of
// this kurir that the source does not. Its policy is the console's: the viewer needs no inline code or style, and may talk to
// this kurir alone.
func (c *Console) docs(w http.ResponseWriter, r *http.Request) {
	c.render(w, r, http.StatusOK, "docs", c.page(r, "docs.title"))
}
