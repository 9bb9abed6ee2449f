package outbox

import (
	"context"
	"time"
)

// Receipts that the page got while kurir was away, or that it told a kurir that was just being killed, come no second
// time: a message would stay `sent` although WhatsApp has said that it was delivered. So each time the page has come
// back it is asked once for the last messages without a receipt.
const (
	receiptsOf   = 3 * 24 * time.Hour // of messages that left within
	receiptsMost = 500                // messages at the most
	receiptsTurn = 5                  // chats asked for in one turn, so that the queue does not wait long
)

// receipts are messages of one chat.
type receipts struct {
	chat string
	ids  []string
}

// missedReceipts notes what is to be asked for.
func (d *dispatcher) missedReceipts() error {
	list, err := d.o.db.Undelivered(d.ctx, d.id, time.Now().Add(-receiptsOf), receiptsMost)
	if err != nil {
		return err
	}
	d.receipts = nil
	byChat := map[string]int{}
	for _, m := range list {
		i, ok := byChat[m.Chat]
		if !ok {
			i = len(d.receipts)
			byChat[m.Chat] = i
			d.receipts = append(d.receipts, receipts{chat: m.Chat})
		}
		d.receipts[i].ids = append(d.receipts[i].ids, m.WAID)
	}
	return nil
}

// lookForReceipts asks the page about a few chats. What it cannot tell now is left: the receipt may still come.
func (d *dispatcher) lookForReceipts() {
	for range min(receiptsTurn, len(d.receipts)) {
		r := d.receipts[0]
		d.receipts = d.receipts[1:]
		ctx, cancel := context.WithTimeout(d.ctx, d.o.cfg.LookupTimeout)
		found, err := d.out.Lookup(ctx, r.chat, r.ids)
		cancel()
		if err != nil {
			d.log.Warn("look for receipts", "err", err)
			return
		}
		for id, p := range found {
			if p.Ack < 2 {
				continue
			}
			if err := d.o.Ack(d.ctx, d.id, id, p.Ack); err != nil {
				d.log.Error("store a receipt", "err", err)
			}
		}
	}
}
