package problem

// Entry is a line of the catalogue.
type Entry struct {
	Status  int    // HTTP status
	Passing bool   // the same request may work later: a queued message with this error is tried again
	EN, ID  string // what happened and what to do, in English and Indonesian
}

// The codes.
const (
	Internal            Code = "INTERNAL"
	BadRequest          Code = "BAD_REQUEST"
	NotFound            Code = "NOT_FOUND"
	MethodNotAllowed    Code = "METHOD_NOT_ALLOWED"
	Unauthorized        Code = "UNAUTHORIZED"
	KeyExpired          Code = "KEY_EXPIRED"
	KeyInURL            Code = "KEY_IN_URL"
	KeyInvalid          Code = "KEY_INVALID"
	ScopeMissing        Code = "SCOPE_MISSING"
	IPNotAllowed        Code = "IP_NOT_ALLOWED"
	RecipientNotAllowed Code = "RECIPIENT_NOT_ALLOWED"
	TooManyKeys         Code = "TOO_MANY_KEYS"
	TooManyGuesses      Code = "TOO_MANY_GUESSES"
	RateLimited         Code = "RATE_LIMITED"
	InvalidPhone        Code = "INVALID_PHONE"
	PhoneRequired       Code = "PHONE_REQUIRED"
	BodyRequired        Code = "BODY_REQUIRED"
	FilenameRequired    Code = "FILENAME_REQUIRED"
	FilenameInvalid     Code = "FILENAME_INVALID"
	BadBase64           Code = "BAD_BASE64"
	FileTooLarge        Code = "FILE_TOO_LARGE"
	BodyTooLarge        Code = "BODY_TOO_LARGE"
	EncodingUnsupported Code = "ENCODING_UNSUPPORTED"
	FieldUnsupported    Code = "FIELD_UNSUPPORTED"
	URLRequired         Code = "URL_REQUIRED"
	URLBlocked          Code = "URL_BLOCKED"
	URLUnreachable      Code = "URL_UNREACHABLE"
	LimitInvalid        Code = "LIMIT_INVALID"
	IdempotencyConflict Code = "IDEMPOTENCY_CONFLICT"
	PriorityInvalid     Code = "PRIORITY_INVALID"
	SendAtInvalid       Code = "SEND_AT_INVALID"
	ExpiresInvalid      Code = "EXPIRES_INVALID"
	BulkInvalid         Code = "BULK_INVALID"
	Duplicate           Code = "DUPLICATE"
	PacingInvalid       Code = "PACING_INVALID"
	NotOnWhatsApp       Code = "NOT_ON_WHATSAPP"
	InstanceNotReady    Code = "INSTANCE_NOT_READY"
	InstanceExists      Code = "INSTANCE_EXISTS"
	NoQR                Code = "NO_QR"
	ChatNotFound        Code = "CHAT_NOT_FOUND"
	SendRejected        Code = "SEND_REJECTED"
	SendTimeout         Code = "SEND_TIMEOUT"
	UploadFailed        Code = "UPLOAD_FAILED"
	PageError           Code = "PAGE_ERROR"
	PageTimeout         Code = "PAGE_TIMEOUT"
	SessionLost         Code = "SESSION_LOST"
	Restricted          Code = "RESTRICTED"
	FirstContactLimit   Code = "FIRST_CONTACT_LIMIT"
	Expired             Code = "EXPIRED"
	Cancelled           Code = "CANCELLED"
	NotCancellable      Code = "NOT_CANCELLABLE"
	NotResendable       Code = "NOT_RESENDABLE"
	Unavailable         Code = "UNAVAILABLE"
	StorageFull         Code = "STORAGE_FULL"
	EventsExpired       Code = "EVENTS_EXPIRED"
	EventTypeUnknown    Code = "EVENT_TYPE_UNKNOWN"
	WebhookURLInvalid   Code = "WEBHOOK_URL_INVALID"
	WebhookDisabled     Code = "WEBHOOK_DISABLED"
	TooManyWebhooks     Code = "TOO_MANY_WEBHOOKS"
	MediaPending        Code = "MEDIA_PENDING"
	MediaSkipped        Code = "MEDIA_SKIPPED"
	MediaTooLarge       Code = "MEDIA_TOO_LARGE"
	MediaGone           Code = "MEDIA_GONE"
	MediaFailed         Code = "MEDIA_FAILED"
	MediaInvalid        Code = "MEDIA_SETTINGS_INVALID"
	LinkInvalid         Code = "LINK_INVALID"
	LinkExpired         Code = "LINK_EXPIRED"

	// Of the console.
	OwnerOnly       Code = "OWNER_ONLY"
	UserExists      Code = "USER_EXISTS"
	UserNameInvalid Code = "USER_NAME_INVALID"
	PasswordInvalid Code = "PASSWORD_INVALID"
	LastOwner       Code = "LAST_OWNER"
	KeyChanged      Code = "KEY_CHANGED"
)

// Catalog has every code.
var Catalog = map[Code]Entry{
	Internal:            {500, false, "Internal error. Look at kurir's log with the request id.", "Terjadi kesalahan di dalam kurir. Lihat log kurir dengan request id."},
	BadRequest:          {400, false, "The request could not be read. Send JSON or form fields as the documentation shows.", "Permintaan tidak dapat dibaca. Kirim JSON atau form seperti pada dokumentasi."},
	NotFound:            {404, false, "There is nothing here by that name.", "Yang diminta tidak ada."},
	MethodNotAllowed:    {405, false, "This address takes another method, for /wa/* it is POST.", "Alamat ini memakai method lain, untuk /wa/* gunakan POST."},
	Unauthorized:        {401, false, "The key is missing or wrong. Send the instance's key as `key`, X-Api-Key or Bearer.", "Key tidak ada atau salah. Kirim key instance sebagai `key`, X-Api-Key, atau Bearer."},
	KeyExpired:          {401, false, "This key has ended. Make a new one, or give this one a later end.", "Key ini sudah berakhir. Buat key baru, atau perpanjang masa berlakunya."},
	KeyInURL:            {400, false, "A key does not belong into the address: addresses end up in logs. Send it as `key` in the body, X-Api-Key or Bearer, and replace this one: others may have seen it.", "Key tidak boleh ada di alamat (URL): alamat tersimpan di log. Kirim sebagai `key` di body, X-Api-Key, atau Bearer, dan ganti key ini: mungkin sudah terlihat orang lain."},
	KeyInvalid:          {422, false, "These settings of a key are not possible.", "Pengaturan key ini tidak dapat dipakai."},
	ScopeMissing:        {403, false, "This key may not do that. Use one that has the scope, or give it to this one.", "Key ini tidak punya izin untuk itu. Gunakan key yang punya scope-nya, atau tambahkan pada key ini."},
	IPNotAllowed:        {403, false, "This key does not work from this address. Its list of addresses says from where it does.", "Key ini tidak berlaku dari alamat ini. Periksa daftar alamat IP pada key."},
	RecipientNotAllowed: {403, false, "This key may not send to this recipient. Its list of recipients says to whom it may.", "Key ini tidak boleh mengirim ke penerima ini. Periksa daftar penerima pada key."},
	TooManyKeys:         {409, false, "This instance has as many keys as it may have. Delete one first.", "Jumlah key instance ini sudah mencapai batas. Hapus salah satu dulu."},
	TooManyGuesses:      {429, false, "Too many wrong keys came from your address. Wait as long as Retry-After says, and check the key.", "Terlalu banyak key yang salah dari alamat Anda. Tunggu selama Retry-After, dan periksa key-nya."},
	RateLimited:         {429, true, "This key is used more often than it may be. Nothing was done; try again after Retry-After seconds.", "Key ini dipakai melebihi batasnya. Tidak ada yang dilakukan; coba lagi setelah Retry-After detik."},
	InvalidPhone:        {422, false, "This is not a phone number that WhatsApp can reach. Use the international form, for example 6281234567890.", "Nomor ini bukan nomor telepon yang benar. Gunakan format internasional, misalnya 6281234567890."},
	PhoneRequired:       {422, false, "`phone` is missing: the number to send to.", "`phone` belum diisi: nomor tujuan."},
	BodyRequired:        {422, false, "`body` is missing or empty.", "`body` belum diisi."},
	FilenameRequired:    {422, false, "`filename` is missing: the name the receiver sees, for example invoice.pdf.", "`filename` belum diisi: nama file yang dilihat penerima, misalnya invoice.pdf."},
	FilenameInvalid:     {422, false, "`filename` must be a plain name without path parts or control characters.", "`filename` harus nama biasa tanpa path atau karakter kontrol."},
	BadBase64:           {422, false, "`body` is not valid base64.", "`body` bukan base64 yang benar."},
	FileTooLarge:        {413, false, "The file is larger than this gateway allows. Nothing was sent.", "File melebihi batas gateway ini. Tidak ada yang dikirim."},
	BodyTooLarge:        {413, false, "The request is larger than this endpoint allows.", "Permintaan melebihi batas endpoint ini."},
	EncodingUnsupported: {415, false, "The request is compressed. Send it as it is, without Content-Encoding.", "Permintaan dikompresi. Kirim apa adanya, tanpa Content-Encoding."},
	FieldUnsupported:    {422, false, "This field, or what it says, is not supported here, and without it something else would be sent. Nothing was sent.", "Field ini, atau isinya, tidak didukung di sini, dan tanpanya yang terkirim akan berbeda. Tidak ada yang dikirim."},
	URLRequired:         {422, false, "`url` is missing: the http or https address of the file.", "`url` belum diisi: alamat http atau https dari file."},
	URLBlocked:          {422, false, "This address is not allowed: only public http and https addresses are fetched.", "Alamat ini tidak diizinkan: hanya alamat http dan https publik."},
	URLUnreachable:      {422, false, "The file could not be fetched from its address.", "File tidak dapat diambil dari alamatnya."},
	LimitInvalid:        {422, false, "`limit` must be a whole number from 1 to 10000.", "`limit` harus bilangan bulat dari 1 sampai 10000."},
	IdempotencyConflict: {409, false, "This idempotency key was used for another message. Use a new key for new content.", "Idempotency key ini sudah dipakai untuk pesan lain. Gunakan key baru."},
	PriorityInvalid:     {422, false, "`priority` must be high, normal or low.", "`priority` harus high, normal, atau low."},
	SendAtInvalid:       {422, false, "`send_at` must be a time within the next 366 days: 2026-12-01T08:00:00+07:00, 2026-12-01 08:00 WIB, or Unix seconds. Nothing was accepted.", "`send_at` harus waktu dalam 366 hari ke depan: 2026-12-01T08:00:00+07:00, 2026-12-01 08:00 WIB, atau detik Unix. Tidak ada yang diterima."},
	ExpiresInvalid:      {422, false, "`expires_in` must be seconds or a duration such as 5m or 1h, `expires_at` a time to come; both after `send_at`, and one of them only. Nothing was accepted.", "`expires_in` harus detik atau durasi seperti 5m atau 1h, `expires_at` waktu yang akan datang; keduanya setelah `send_at`, dan hanya salah satu. Tidak ada yang diterima."},
	BulkInvalid:         {422, false, "These messages cannot be accepted together. None was accepted; `data.items` says what is wrong with which.", "Pesan-pesan ini tidak dapat diterima bersama. Tidak ada yang diterima; `data.items` menunjukkan yang salah."},
	Duplicate:           {422, false, "The same message to the same number stands in this request already.", "Pesan yang sama ke nomor yang sama sudah ada dalam permintaan ini."},
	PacingInvalid:       {422, false, "`pacing` has a figure that is unknown or out of range.", "`pacing` berisi nilai yang tidak dikenal atau di luar batas."},
	NotOnWhatsApp:       {422, false, "This number has no WhatsApp account.", "Nomor ini tidak terdaftar di WhatsApp."},
	InstanceNotReady:    {503, true, "The instance is not ready. Open the console and check its state.", "Instance belum siap. Buka konsol dan periksa statusnya."},
	InstanceExists:      {409, false, "An instance with this name or key exists.", "Instance dengan nama atau key ini sudah ada."},
	NoQR:                {409, false, "There is no QR code to scan in this state.", "Tidak ada kode QR pada status ini."},
	ChatNotFound:        {404, false, "There is no such chat on this phone.", "Chat tidak ada di ponsel ini."},
	SendRejected:        {502, true, "WhatsApp did not take the message.", "WhatsApp menolak pesan ini."},
	SendTimeout:         {504, true, "WhatsApp did not answer in time.", "WhatsApp tidak menjawab pada waktunya."},
	UploadFailed:        {502, true, "WhatsApp did not take the file.", "WhatsApp menolak file ini."},
	PageError:           {502, true, "WhatsApp Web failed at this. Look at the instance's capabilities.", "WhatsApp Web gagal. Periksa kemampuan instance."},
	PageTimeout:         {504, true, "WhatsApp Web did not answer in time.", "WhatsApp Web tidak menjawab pada waktunya."},
	SessionLost:         {503, true, "The browser of this instance ended during the call; it is being restarted.", "Browser instance berhenti saat dipanggil; sedang dimulai ulang."},
	Restricted:          {503, true, "WhatsApp restricts this number for now.", "WhatsApp membatasi nomor ini untuk sementara."},
	FirstContactLimit:   {503, true, "The day's number of first messages is used up. It leaves tomorrow, or raise first_contacts_per_day.", "Jatah pesan pertama hari ini habis. Pesan dikirim besok, atau naikkan first_contacts_per_day."},
	Expired:             {410, false, "Its time was over before it could leave. It was not sent.", "Waktunya habis sebelum sempat dikirim. Pesan tidak dikirim."},
	Cancelled:           {410, false, "It was cancelled before it left. It was not sent.", "Dibatalkan sebelum dikirim. Pesan tidak dikirim."},
	NotCancellable:      {409, false, "Only a message that still waits can be cancelled.", "Hanya pesan yang masih menunggu yang dapat dibatalkan."},
	NotResendable:       {409, false, "This message cannot be sent again: it has left, it still waits, or its file is gone. Send a new one.", "Pesan ini tidak dapat dikirim ulang: sudah terkirim, masih menunggu, atau file-nya sudah tidak ada. Kirim pesan baru."},
	Unavailable:         {503, true, "kurir is shutting down or its database is not writable. Try again.", "kurir sedang berhenti atau database tidak dapat ditulis. Coba lagi."},
	StorageFull:         {507, true, "The disk is full. Nothing was accepted.", "Disk penuh. Tidak ada yang diterima."},
	EventsExpired:       {410, false, "The events after this place are no longer kept. Start again without `after`, and read what you missed from the chats.", "Event setelah titik ini sudah dihapus. Mulai lagi tanpa `after`, dan baca yang terlewat dari chat."},
	EventTypeUnknown:    {422, false, "There is no event of this type.", "Tidak ada event dengan jenis ini."},
	WebhookURLInvalid:   {422, false, "`url` must be an http or https address that kurir may call. For a receiver in a private network set KURIR_WEBHOOK_ALLOW.", "`url` harus alamat http atau https yang boleh dipanggil kurir. Untuk penerima di jaringan privat atur KURIR_WEBHOOK_ALLOW."},
	WebhookDisabled:     {409, false, "This webhook is switched off. Switch it on first: PATCH it with enabled: true.", "Webhook ini tidak aktif. Aktifkan dulu: PATCH dengan enabled: true."},
	TooManyWebhooks:     {409, false, "There are as many webhooks as there may be. Delete one first.", "Jumlah webhook sudah mencapai batas. Hapus salah satu dulu."},
	MediaPending:        {409, true, "The file is being fetched from WhatsApp. Ask again in a moment, or with wait=30.", "File sedang diambil dari WhatsApp. Coba lagi sebentar, atau dengan wait=30."},
	MediaSkipped:        {409, false, "This file was not fetched, by the settings of the instance. POST /v1/messages/{id}/media fetches it.", "File ini tidak diambil, sesuai pengaturan instance. POST /v1/messages/{id}/media untuk mengambilnya."},
	MediaTooLarge:       {409, false, "The file is larger than this instance or gateway keeps. It was not fetched.", "File melebihi batas instance atau gateway ini. File tidak diambil."},
	MediaGone:           {410, false, "WhatsApp no longer has this file. Ask the sender to send it again.", "WhatsApp sudah tidak menyimpan file ini. Minta pengirim mengirim ulang."},
	MediaFailed:         {502, false, "The file could not be fetched. POST /v1/messages/{id}/media tries again.", "File gagal diambil. POST /v1/messages/{id}/media untuk mencoba lagi."},
	MediaInvalid:        {422, false, "The media settings have a field that is unknown or out of range.", "Pengaturan media berisi isian yang tidak dikenal atau di luar batas."},
	LinkInvalid:         {403, false, "This link was not made by this gateway, or it was changed.", "Tautan ini tidak dibuat oleh gateway ini, atau sudah diubah."},
	LinkExpired:         {410, false, "This link has expired. Read the file with the instance's key.", "Tautan ini sudah kedaluwarsa. Ambil file dengan key instance."},

	OwnerOnly:       {403, false, "Only an owner may do this. Ask one.", "Hanya pemilik yang boleh melakukan ini. Mintalah kepadanya."},
	UserExists:      {409, false, "Somebody has this name already. Choose another.", "Nama ini sudah dipakai. Pilih nama lain."},
	UserNameInvalid: {422, false, "A name has 2 to 40 characters: small letters, digits and . _ - @, and begins with a letter or digit.", "Nama terdiri dari 2 sampai 40 karakter: huruf kecil, angka dan . _ - @, diawali huruf atau angka."},
	PasswordInvalid: {422, false, "A password has at least 10 characters, at most 256 bytes, and is not the name.", "Kata sandi minimal 10 karakter, maksimal 256 byte, dan bukan nama itu sendiri."},
	LastOwner:       {409, false, "There must be an owner who can sign in. Make somebody else an owner first.", "Harus ada pemilik yang bisa masuk. Jadikan orang lain pemilik dulu."},
	KeyChanged:      {409, false, "Somebody has changed this key meanwhile. Look at what holds now, and save again.", "Sementara itu key ini sudah diubah orang lain. Lihat pengaturan yang berlaku sekarang, lalu simpan lagi."},
}

// Lookup returns the catalogue's line for code; an unknown code is Internal.
func Lookup(code Code) Entry {
	if e, ok := Catalog[code]; ok {
		return e
	}
	return Catalog[Internal]
}
