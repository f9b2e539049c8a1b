package notify

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"newsmonitor/pipeline/alert"
)

// webhook posts each event as it stands in the stream, signed in the way of
// Standard Webhooks: the id is the event's own, the same at each attempt, so
// that a receiver drops what it has; the time lets it refuse old captures.
type webhook struct {
	d      *Destination
	client *http.Client
	now    func() time.Time
}

func (w *webhook) send(ctx context.Context, p post) error {
	address, err := w.d.url.read()
	if err != nil {
		return secretFault("url", err)
	}
	token, err := w.d.token.read()
	if err != nil {
		return secretFault("token", err)
	}
	key, err := w.d.secret.read()
	if err != nil {
		return secretFault("secret", err)
	}
	body, err := alert.Encode(*p.event)
	if err != nil {
		return &fault{reason: "refused", text: oneLine(err.Error(), 200), refused: true, message: true}
	}
	h := http.Header{"Content-Type": {alert.ContentType}, "Webhook-Id": {p.id}}
	if token != "" {
		h.Set("Authorization", "Bearer "+token)
	}
	if key != "" {
		stamp := strconv.FormatInt(w.now().Unix(), 10)
		h.Set("Webhook-Timestamp", stamp)
		h.Set("Webhook-Signature", Sign(key, p.id, stamp, body))
	}
	return exchange(ctx, w.client, http.MethodPost, address, h, body, token, key)
}

// Sign is the value of Webhook-Signature: HMAC-SHA256 of id, time and body,
// joined by full stops. A secret that begins with whsec_ is base64.
func Sign(secret, id, timestamp string, body []byte) string {
	key := []byte(secret)
	if b64, ok := strings.CutPrefix(secret, "whsec_"); ok {
		if b, err := base64.StdEncoding.DecodeString(b64); err == nil {
			key = b
		}
	}
	mac := hmac.New(sha256.New, key)
	_, _ = fmt.Fprintf(mac, "%s.%s.", id, timestamp)
	_, _ = mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func secretFault(key string, err error) error {
	return &fault{reason: "secret", text: key + ": " + err.Error(), refused: true}
}
