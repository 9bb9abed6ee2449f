// Package outbox sends what was accepted: one dispatcher per instance takes the rows of models.Message one by one.
//
// Invariant: per instance one message is in flight, in strict order of acceptance within a priority, a retry
// included. A message is never sent twice, and nothing is claimed that is not known. Every message ends as sent, failed,
// expired, cancelled or unknown, with a code and a time.
//
// Two kinds of message leave out of that order. First messages wait while WhatsApp (RESTRICTED) or the pace
// (FIRST_CONTACT_LIMIT) lets none go, and the rest passes them. And one whose outcome stayed unknown does not hold the
// queue: should it turn out later that it had not left, it goes out then.
//
// dispatcher is the loop, attempt one send, resolve an outcome that is not known, reconsider an unknown message, pace
// when the next one may leave, sweep what the clock asks for, depth how many wait.
//
// # How it never sends twice
//
// The WhatsApp id of a message is stored before the first attempt and is the same in every attempt. A row is
// `sending` on disk before the page hears of it. When an attempt ends without a known outcome (a deadline, a dead
// page, the end of kurir), the row stays `sending`, nothing behind it moves, and the page is asked for the id:
//
//   - present with ack 1 or more: WhatsApp's server has it. It is sent.
//   - present with ack 0: the page holds it and will send it by itself as soon as it can. kurir waits for the ack,
//     and looks again; when none comes in Config.AckWait the row is `unknown`.
//   - present with an ack below 0: WhatsApp refused it. It is tried again like any refused message.
//   - absent: it has not left and will not. It goes out again, from the head, with the same id.
//   - unknown: the page could not tell. After a few looks the row is `unknown`.
//
// An unknown row is looked up again: as soon as the page has come back, and then ever more seldom for a week
// (Config.LookAgain, LookFor). The same answers decide. Apart from that only a person sends it again
// (models.DB.Resend), and that too under its id.
//
// An ack is WhatsApp's own word and settles a row in whatever state it is.
//
// # Why "absent" is proof, and where the proof ends
//
// A send makes the message in the page first (`add`, ack 0), then puts it on the wire, then gets the ack
// (waweb/notes.md, "Acks"). The real page keeps an unsent message in IndexedDB and sends it by itself when it is back
// online; so what went on the wire was in that database before. The page answers "absent" only after it searched the
// database, and only while linked, synced and unlocked: locked messages look like none ("Messages are locked until
// the server's success"), and that answer is "unknown". Hence an id that the database has not was never on the wire.
// This rests on three things:
//
//   - That the message is stored before it is sent is how the real client is described to us; it was not traced here
//     on a live account. The sandbox behaves so.
//   - No earlier attempt of the id may still be running in the page: a file that is being prepared is absent now and
//     sent later. A Sender must answer "unknown" while that is so, and browser.Session ends the document of an attempt
//     that is past its limit before it gives it up. Where the attempt ended by a time limit, the dispatcher wants the
//     answer several times in a row all the same.
//   - Chromium writes IndexedDB with relaxed durability: a commit reaches the file by write(2) and is not synced.
//     The kernel keeps such a write when Chromium is killed, SIGKILL included; a power cut can lose it. After a power
//     cut within seconds of a send, "absent" can therefore be wrong and the message goes out again with the same id,
//     which WhatsApp's own clients recognise as the same message.
package outbox
