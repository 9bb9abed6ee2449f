package web

import "testing"

func TestPlaceholder(t *testing.T) {
	d := newDesk(t, View{ID: "inst_1", Name: "Toko"}).signIn()
	a := d.get("/")
	t.Log(a.StatusCode, a.text)
	a = d.get("/instances/inst_1")
	t.Log(a.StatusCode, len(a.text))
	a = d.get("/instances/new")
	t.Log(a.StatusCode, len(a.text))
}
