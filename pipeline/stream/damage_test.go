package stream

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"newsmonitor/pipeline/poll"
)

// fill makes ITEMS large enough for several blocks.
func fill(t *testing.T, s *Store, n int) {
	t.Helper()
	var drafts []poll.Draft
	for i := range n {
		d := draft(fmt.Sprint(i), "r1", 0)
		d.Item.Title = fmt.Sprintf("title %d ends", i)
		d.Item.Content = strings.Repeat("words and words ", 256)
		drafts = append(drafts, d)
	}
	if _, err := s.Items().Append(t.Context(), drafts); err != nil {
		t.Fatal(err)
	}
}

// TestDamage: whatever takes messages from a store's folder while nobody runs
// is noticed at the next start and said with a way forward, at each start until
// somebody decides; what takes nothing is not.
func TestDamage(t *testing.T) {
	t.Parallel()
	const n = 3000
	blocks := func(t *testing.T, dir string) []string {
		t.Helper()
		list, err := filepath.Glob(filepath.Join(dir, "jetstream", "*", "streams", "ITEMS", "msgs", "*.blk"))
		if err != nil || len(list) < 2 {
			t.Fatalf("the stream has %d blocks, %v; the test needs two", len(list), err)
		}
		slices.Sort(list)
		return list
	}
	edit := func(t *testing.T, path string, change func([]byte) []byte) {
		t.Helper()
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, change(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	index := func(t *testing.T, dir string) {
		t.Helper()
		if err := os.Remove(filepath.Join(filepath.Dir(blocks(t, dir)[0]), "index.db")); err != nil {
			t.Fatal(err)
		}
	}
	flip := func(b []byte) []byte { b[len(b)/3] ^= 4; return b }
	for name, tc := range map[string]struct {
		harm func(t *testing.T, dir string)
		says string // "" for nothing
	}{
		"nothing":                        {func(*testing.T, string) {}, ""},
		"the index is lost":              {index, ""},
		"a bit flips, the index is lost": {func(t *testing.T, dir string) { edit(t, blocks(t, dir)[0], flip); index(t, dir) }, "messages within"},
		"the tail is cut off": {func(t *testing.T, dir string) {
			edit(t, slices.Max(blocks(t, dir)), func(b []byte) []byte { return b[:len(b)/2] })
			index(t, dir)
		}, "the end"},
		"the first block is gone":  {func(t *testing.T, dir string) { index(t, dir); _ = os.Remove(blocks(t, dir)[0]) }, "the beginning"},
		"the whole stream is gone": {func(t *testing.T, dir string) { _ = os.RemoveAll(filepath.Dir(filepath.Dir(blocks(t, dir)[0]))) }, "the end"},
		"the checkpoint is an older program's": {func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, "checkpoint.json"), func([]byte) []byte { return fmt.Appendf(nil, `{"ITEMS":%d,"ALERTS":0}`, n+7) })
		}, "the end"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := options(t)
			o.lazy = true // the disk is not what is tried
			s, err := Open(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			fill(t, s, n)
			s.Close()
			tc.harm(t, o.Dir)
			for start := range 2 {
				var log bytes.Buffer
				o.Log, o.Registry = slog.New(slog.NewTextHandler(&log, nil)), prometheus.NewRegistry()
				s, err = Open(t.Context(), o)
				if err != nil {
					t.Fatal(err)
				}
				damaged := testutil.ToFloat64(s.metrics.damaged.WithLabelValues("items"))
				infos, err := s.Streams(t.Context())
				if err != nil || (infos[0].Damage != "") != (tc.says != "") || !strings.Contains(infos[0].Damage, tc.says) {
					t.Errorf("start %d: people are shown %+v (%v), want %q", start, infos, err, tc.says)
				}
				if start == 0 {
					fill(t, s, n) // as feeds that still list them
				}
				s.checkpoint(context.Background())
				s.Close()
				said := strings.Contains(log.String(), "holds less") && strings.Contains(log.String(), tc.says) && strings.Contains(log.String(), "monitor restore")
				if want := tc.says != ""; said != want && (want || strings.Contains(log.String(), "holds less")) || (damaged == 1) != want {
					t.Errorf("start %d: monitor_stream_damaged{items} is %v, the log says %q; want %q", start, damaged, log.String(), tc.says)
				}
			}
		})
	}
}
