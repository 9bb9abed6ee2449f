// Package media keeps the files of messages: it fetches them through a session, stores them under their SHA-256, and
// makes links to them that end.
//
// Invariant: a file that a row calls stored is on disk, whole and flushed, under the hash of its bytes; a file that no
// row needs is removed. No name that came from outside is part of a path. What is fetched is bounded, per file and in
// all, and a file over a bound is refused, never cut. The row is the queue: what was pending when kurir ended is fetched
// when it is back.
package media
