// Package browser runs WhatsApp Web in a Chromium of its own for each instance and makes it callable from Go.
//
// Invariant: Chromium, its debugging protocol and rod are known here and nowhere else; whoever uses a Session
// sees states, events and plain values, and every call ends by its deadline with a value or a *problem.Error
// that says whether anything can have been sent. No Chromium outlives the process that started it.
//
// From the bottom up: find (which binary), profile (who owns the folder), launch (process), pipe (frames), cdp
// (calls and events), identity (what the page sees), page (document and bridge), machine (the states), session
// (the API). Of rod only lib/cdp and lib/proto are used: the client and the typed protocol.
package browser
