package deploy_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"
	"github.com/nats-io/nats-server/v2/server/archive"

	"newsmonitor/pipeline"
	"newsmonitor/pipeline/poll"
)

const day = 24 * time.Hour

// TestSilenceAlertsFire: a channel and a feed that had news each day until
// twenty days ago and none since. The past is made: what a daemon stored a
// moment ago is backed up, dated back and restored. All else is real.
func TestSilenceAlertsFire(t *testing.T) {
	long(t)
	t.Parallel()
	w := newFireWorld(t)
	w.write(t, "feeds.yaml", w.press.catalogue(1, time.Minute/faster))
	w.settle.Canary, w.settle.KeepItems, w.settle.KeepAlerts = 0, 90*day, 400*day
	const news = 10
	w.press.items.Store(news)
	d := startDaemon(t, w.settle)
	until(t, time.Minute, "all news is raised", func() bool {
		return strings.Contains(get(t, d.place.HTTP+"/metrics"), fmt.Sprintf("monitor_alerts_total{channel=\"sanctions\",severity=\"critical\"} %d\n", news))
	})
	d.stop()

	var stored bytes.Buffer
	log := slog.New(warnings(t))
	if err := pipeline.OfflineBackup(t.Context(), w.settle.Data, &stored, log); err != nil {
		t.Fatal(err)
	}
	times := make([]time.Time, news)
	for i := range times {
		times[i] = time.Now().Add(-time.Duration(20+news-i) * day)
	}
	w.settle.Data = filepath.Join(t.TempDir(), "restored")
	if err := pipeline.Restore(t.Context(), w.settle.Data, "news", bytes.NewReader(datedBack(t, stored.Bytes(), times)), log); err != nil {
		t.Fatal(err)
	}

	d = startDaemon(t, w.settle)
	p := watchman(t, muchFaster, d.target())
	p.fires(t, "MonitorChannelSilent", "MonitorFeedSilent")
	w.press.items.Add(1)
	p.quiet(t, "MonitorChannelSilent", "MonitorFeedSilent")
}

// datedBack is a backup whose alerts were stored at these times, and whose
// feed had its news then.
func datedBack(t *testing.T, backup []byte, times []time.Time) []byte {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	w, r := tar.NewWriter(&out), tar.NewReader(bytes.NewReader(backup))
	put := func(name string, b []byte) {
		must(w.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(b)), Format: tar.FormatPAX}))
		_, err := w.Write(b)
		must(err)
	}
	var stream string
	var snapshot bytes.Buffer
	flush := func() {
		if stream == "" {
			return
		}
		b := redated(t, stream, snapshot.Bytes(), times)
		for n := 1; len(b) > 0; n++ {
			piece := b[:min(len(b), 128<<10)]
			put(fmt.Sprintf("%s/%06d", stream, n), piece)
			b = b[len(piece):]
		}
		stream = ""
		snapshot.Reset()
	}
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		must(err)
		b, err := io.ReadAll(r)
		must(err)
		if name, _, piece := strings.Cut(h.Name, "/"); piece {
			stream = name
			snapshot.Write(b)
			continue
		}
		flush()
		put(h.Name, b)
	}
	must(w.Close())
	return out.Bytes()
}

// redated is the server's own snapshot of a stream with other times.
func redated(t *testing.T, stream string, snapshot []byte, times []time.Time) []byte {
	t.Helper()
	var out bytes.Buffer
	packed := s2.NewWriter(&out)
	w, r := archive.NewWriter(packed), archive.NewReader(s2.NewReader(bytes.NewReader(snapshot)))
	alerts := 0
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case stream == "ALERTS" && h.Sequence > 0:
			h.Timestamp = times[alerts].UnixNano()
			alerts++
		case stream == "KV_FEEDS" && h.Sequence > 0:
			var st poll.State
			if err := json.Unmarshal(b[h.HeaderSize:], &st); err != nil {
				t.Fatal(err)
			}
			st.LastNew, st.Rhythm = times[len(times)-1], poll.Rhythm{}
			for _, at := range times {
				st.Rhythm.Arrivals = append(st.Rhythm.Arrivals, uint32(at.Unix()/60))
				st.Rhythm.Days = st.Rhythm.Days<<1 | 1
				st.Rhythm.Day = int32(at.Unix() / 86400)
			}
			text, err := json.Marshal(st)
			if err != nil {
				t.Fatal(err)
			}
			b = append(b[:h.HeaderSize:h.HeaderSize], text...)
			h.PayloadSize = int64(len(text))
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := packed.Close(); err != nil {
		t.Fatal(err)
	}
	if stream == "ALERTS" && alerts != len(times) {
		t.Fatalf("%d alerts are stored, want %d", alerts, len(times))
	}
	return out.Bytes()
}
