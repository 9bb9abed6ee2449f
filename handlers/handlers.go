// Package handlers is kurir's HTTP interface: Gin in, Gin out. router.go is the table of contents.
//
// Invariant: every answer under /wa and /v1 is the same envelope with a code of the catalogue; an error that has
// none shows INTERNAL with the request's id and is logged. What an answer calls accepted is on disk, together with
// its line in the audit log. Keys, message bodies and file contents are in no log.
package handlers

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"kurir/browser"
	"kurir/fetch"
	"kurir/guess"
	"kurir/models"
	"kurir/outbox"
)

// Instances is what the handlers need of the set of instances. An id that does not exist is NOT_FOUND.
type Instances interface {
	// Create makes an instance and starts it. The plain key is known here and never again; it comes with an
	// error too when the instance was made and did not start.
	Create(ctx context.Context, want CreateInstance) (models.Instance, string, error)
	List(ctx context.Context) ([]models.Instance, error)
	Get(ctx context.Context, id string) (models.Instance, error)
	Start(ctx context.Context, id string) error
	Stop(ctx context.Context, id string) error
	Restart(ctx context.Context, id string) error
	Logout(ctx context.Context, id string) error
	Delete(ctx context.Context, id string) error
	// Update changes what is not nil and returns the instance as it is then. A pace holds from now on.
	Update(ctx context.Context, id string, change UpdateInstance) (models.Instance, error)
	// Status takes no page call. An instance that does not run is STOPPED.
	Status(id string) browser.Status
	QR(id string) (browser.QR, bool)
	// PairingCode asks for a code to type on the phone with that number (digits, international form).
	PairingCode(ctx context.Context, id, phone string) (string, error)
	Reader(id string) (Reader, error)
}

// Reader reads what a linked phone has.
type Reader interface {
	Chats(ctx context.Context, limit int) ([]browser.Chat, error)
	History(ctx context.Context, chat string, r browser.Range) (browser.Page, error)
	Contacts(ctx context.Context) ([]browser.Contact, error)
}

// CreateInstance says which instance to make. What is empty gets the settings' default.
type CreateInstance struct {
	Name     string
	Sandbox  bool
	Key      string // a key that callers have already; empty: a new one is made
	Region   string // ISO 3166-1 alpha-2
	Language string // BCP 47
	TimeZone string // IANA name
}

// UpdateInstance says what to change about an instance.
type UpdateInstance struct {
	Name   *string
	Pacing *models.Pacing // without Set: the defaults
}

// Outbox is what the handlers need of the send queue.
type Outbox interface {
	// Accepted tells the queue of a message that was added, and says where it stands there.
	Accepted(ctx context.Context, m models.Message) outbox.Place
	AcceptedAll(ctx context.Context, list []models.Message)
	// Ended tells the queue that a waiting message was cancelled, and which file it has let go of.
	Ended(m models.Message, file string)
	// PaceState says where an instance that runs stands with its pace.
	PaceState(instanceID string) (outbox.PaceState, bool)
	// Wait returns the message when it has left or has failed, or an error when ctx or the queue ends before.
	Wait(ctx context.Context, messageID string) (models.Message, error)
}

// DB is what the handlers need of the database.
type DB interface {
	// Enqueue stores the message and the audit line, both or neither. See models.DB.
	Enqueue(ctx context.Context, m models.Message, audit models.AuditEntry) (row models.Message, repeated bool, err error)
	EnqueueAll(ctx context.Context, list []models.Message, audit models.AuditEntry) (rows []models.Message, repeated bool, err error)
	// Repeat and RepeatAll find the first answer of an idempotency key.
	Repeat(ctx context.Context, m models.Message, audit models.AuditEntry) (row models.Message, found bool, err error)
	RepeatAll(ctx context.Context, list []models.Message, audit models.AuditEntry) (rows []models.Message, found bool, err error)
	// Cancel and Resend change a message of that instance (empty: of any) and store the audit line.
	Cancel(ctx context.Context, instanceID, id string, audit models.AuditEntry) (m models.Message, file string, err error)
	Resend(ctx context.Context, instanceID, id string, audit models.AuditEntry) (models.Message, error)
	Messages(ctx context.Context, f models.MessageFilter) ([]models.Message, error)
	// Message returns a message of that instance.
	Message(ctx context.Context, instanceID, id string) (models.Message, error)
	MessageByID(ctx context.Context, id string) (models.Message, error)
	KeyByPlain(ctx context.Context, plain string) (models.APIKey, error)
	// KeyHashes are the SHA-256 of all secrets; KeyEpoch changes whenever something about a key does.
	KeyHashes(ctx context.Context) (map[[sha256.Size]byte]struct{}, error)
	KeyEpoch() uint64
	AppendAudit(ctx context.Context, a models.AuditEntry) error
	AuditLines(ctx context.Context, f models.AuditFilter, limit int) ([]models.AuditEntry, error)
}

// Fetcher downloads files from addresses that callers choose.
type Fetcher interface {
	Download(ctx context.Context, rawURL, dir string, maxBytes int64) (fetch.File, error)
}

// Deps is what the handlers work with.
type Deps struct {
	DB        DB
	Instances Instances
	Outbox    Outbox
	Fetch     Fetcher      // nil: fetch.New with its defaults
	Console   http.Handler // gets every path that is not the API's; nil: NOT_FOUND
	Events    EventReader
	Webhooks  Webhooks
	Deliverer Deliverer
	Media     Media
	Keys      Keys
	Stats     func(ctx context.Context) (any, error) // of GET /v1/stats
	Closing   <-chan struct{}                        // closed when the server shuts down: who waits for events gets an answer; nil: never

	CheckAdmin    func(token string) bool // compares in constant time
	FilesDir      string                  // where files wait to be sent; Message.FilePath is relative to it
	MaxFileBytes  int64                   // the largest file that is taken
	MaxMediaBytes int64                   // the largest file that is fetched from WhatsApp
	WAAlways200   bool                    // /wa/* answers 200 whatever happened
	Adapters      []string                // the gateways whose addresses are answered, too; see AdapterNames
	RatePerMinute int                     // requests of a key that says nothing else; 0: no limit
	Region        string                  // of numbers, for instances that have none
	Ready         func(ctx context.Context) error
	Log           *slog.Logger
}

// server holds what the handlers share.
type server struct {
	Deps
	keys    keyCache
	rates   rates
	guesses *guess.Tries[netip.Prefix] // of keys and the admin token
	unknown chan struct{}              // slots for uploads whose sender is not known yet
	zones   sync.Map                   // *time.Location by name
	pacing  sync.Mutex                 // held from reading an instance's pace to storing the changed one

	dialects       map[string]func(envelope) any // of the addresses of adapters
	streamPatience time.Duration                 // how long a reader of the event stream may take for one write
}

// unknownUploads is how many files are taken at once before their key is seen. Who sends the key first, or in a
// header, needs no such slot.
const unknownUploads = 4

// New returns kurir's HTTP interface.
func New(d Deps) http.Handler { return newServer(d).router() }

func newServer(d Deps) *server {
	if d.Fetch == nil {
		d.Fetch = fetch.New(fetch.Config{})
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	s := &server{Deps: d, unknown: make(chan struct{}, unknownUploads), guesses: guess.New[netip.Prefix](), streamPatience: 10 * time.Second}
	s.dialects = map[string]func(envelope) any{}
	for _, a := range s.adapters() {
		s.dialects[a.path] = a.say
	}
	return s
}
