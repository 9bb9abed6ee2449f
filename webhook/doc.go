// Package webhook brings events to those who subscribed to them by HTTP.
//
// Invariant: an event that is in the log is delivered at least once to every webhook that was switched on and wanted it,
// or its delivery says why not; repeats carry the same webhook-id. Of one chat a webhook gets the next event only after
// the one before was taken or given up, and no webhook waits for another. kurir may be killed at any moment: the row
// of a delivery is pending until an answer of 2xx is on disk.
//
// Nothing is claimed: a delivery in flight is known to its worker only, because one process owns the database.
package webhook
