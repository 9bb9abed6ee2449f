package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// sign sets the headers by which a receiver knows that a call is kurir's, unchanged, and recent:
//   - webhook-id, webhook-timestamp, webhook-signature as in Standard Webhooks: v1 and the base64 of an HMAC-SHA256 over
//     "id.timestamp.body" with the bytes behind whsec_. While two secrets are valid there are two signatures.
//   - X-Hub-Signature-256 as GitHub has it: sha256= and the hex of an HMAC-SHA256 over the body, with the secret's text as
//     it was shown. It has room for one signature, which is the newest secret's, and protects from no replay.
func sign(h http.Header, secrets []string, id string, at time.Time, body []byte) error {
	stamp := strconv.FormatInt(at.Unix(), 10)
	signatures := make([]string, len(secrets))
	for i, secret := range secrets {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
		if err != nil {
			return fmt.Errorf("read the secret of a webhook: %w", err)
		}
		signatures[i] = "v1," + base64.StdEncoding.EncodeToString(mac(key, []byte(id+"."+stamp+"."), body))
	}
	h.Set("webhook-id", id)
	h.Set("webhook-timestamp", stamp)
	h.Set("webhook-signature", strings.Join(signatures, " "))
	h.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac([]byte(secrets[0]), body)))
	return nil
}

func mac(key []byte, parts ...[]byte) []byte {
	m := hmac.New(sha256.New, key)
	for _, p := range parts {
		m.Write(p)
	}
	return m.Sum(nil)
}
