package web

import (
	"io"
	"net/http"

	"kurir/licenses"
)

// docs is GET /docs: the contract, to read and to try. It is open to everybody, as GET /openapi.yaml is: it says nothing of
// this kurir that the source does not. Its policy is the console's: the viewer needs no inline code or style, and may talk to
// this kurir alone.
func (c *Console) docs(w http.ResponseWriter, r *http.Request) {
	c.render(w, r, http.StatusOK, "docs", c.page(r, "docs.title"))
}

// licences is GET /licenses, for whom the console's scripts reach: they ask that it goes along.
func (c *Console) licences(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, licenses.Text()) // the reader may be gone
}
