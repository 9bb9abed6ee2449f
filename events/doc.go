// Package events is the list of what kurir tells its user: one struct for each type of event, and the log that they
// are written to.
//
// Invariant: what Log.Append returned without error for is on disk, numbered, together with the deliveries that it
// causes; an instance's numbers have no gaps; the same happening is one event, whether it was seen live, after a
// reload, in a history or after a downtime. No event holds a secret: not the QR text, not a key.
//
// An event is written and sent as
//
//	{"id": "evt_…", "seq": 12, "type": "message", "time": "2026-11-23T01:02:03Z", "instance": "inst_…", "data": {…}}
//
// where data is the struct of its type. Fields are only ever added.
package events
