package stream

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/poll"
	"newsmonitor/pipeline/rule"
)

// BenchmarkAppend: one write each, beside one fsync of the same disk.
func BenchmarkAppend(b *testing.B) {
	o := Options{Dir: b.TempDir(), Listen: "off", MaxStore: 1 << 30, KeepItems: time.Hour, KeepAlerts: time.Hour, Prefix: "news", Owner: "test",
		Log: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry()}
	s, err := Open(b.Context(), o)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	f, err := os.Create(filepath.Join(o.Dir, "fsync"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	block := make([]byte, 2<<10)
	b.Run("fsync", func(b *testing.B) {
		for b.Loop() {
			_, _ = f.Write(block)
			if err := f.Sync(); err != nil {
				b.Fatal(err)
			}
		}
	})
	n := 0
	b.Run("item", func(b *testing.B) {
		for b.Loop() {
			n++
			if _, err := s.Items().Append(b.Context(), []poll.Draft{draft(fmt.Sprint(n), "r1", 0)}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("batch of 100", func(b *testing.B) {
		for b.Loop() {
			var drafts []poll.Draft
			for range 100 {
				n++
				drafts = append(drafts, draft(fmt.Sprint(n), "r1", 0))
			}
			if _, err := s.Items().Append(b.Context(), drafts); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("state", func(b *testing.B) {
		_, version, err := s.Feeds().Load(b.Context(), "mfa")
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if version, err = s.Feeds().Save(b.Context(), "mfa", poll.State{}, version); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("alert", func(b *testing.B) {
		for b.Loop() {
			n++
			e := event(fmt.Sprint(n), rule.High, alert.Raised)
			if _, err := s.Alerts().Last(b.Context(), "sanctions", "mfa", e.Data.ID); err != nil {
				b.Fatal(err)
			}
			if _, err := s.Alerts().Append(b.Context(), e, 0); err != nil {
				b.Fatal(err)
			}
		}
	})
}
