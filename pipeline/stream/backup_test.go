package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/poll"
	"newsmonitor/pipeline/rule"
)

// TestBackup: what a backup holds comes back whole, and a backup that is cut
// or damaged is refused and leaves nothing behind.
func TestBackup(t *testing.T) {
	t.Parallel()
	s := open(t, options(t))
	var drafts []poll.Draft
	for i := range 1500 {
		d := draft(fmt.Sprint(i), "r1", 0)
		d.Item.Content = strings.Repeat(fmt.Sprint("text ", i, " "), 200)
		drafts = append(drafts, d)
	}
	if _, err := s.Items().Append(t.Context(), drafts); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		if _, err := s.Alerts().Append(t.Context(), event(fmt.Sprint(i), rule.High, alert.Raised), 0); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Feeds().Save(t.Context(), "mfa", poll.State{ETag: `"x"`}, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := s.savePlace(t.Context(), "raise", place{1200, "test"}, 0); err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := s.Backup(t.Context(), &file); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d items in %d bytes", len(drafts), file.Len())

	o := options(t)
	o.Dir = filepath.Join(o.Dir, "new")
	// nats-server gives up a stream whose next piece does not come in time.
	pipe := io.MultiReader(bytes.NewReader(file.Bytes()), asked(func() {
		if _, err := os.Stat(o.Dir + ".restoring"); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the restore began before all of the pipe was read: %v", err)
		}
	}))
	if err := Restore(t.Context(), o, pipe); err != nil {
		t.Fatal(err)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(o.Dir), ".restore-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	o.Registry = prometheus.NewRegistry()
	again := open(t, o)
	n := 0
	err := again.Archive().Items(t.Context(), drafts[0].Item.Fetched, nil, func(it feed.Item) error {
		if it.Title != drafts[n].Item.Title || it.Content != drafts[n].Item.Content {
			t.Errorf("item %d is %q, want %q", n, it.Title, drafts[n].Item.Title)
		}
		n++
		return nil
	})
	if err != nil || n != len(drafts) || count(t, again.alerts) != 20 {
		t.Errorf("%d items and %d alerts, %v", n, count(t, again.alerts), err)
	}
	if st, _, err := again.Feeds().Load(t.Context(), "mfa"); err != nil || st.ETag != `"x"` {
		t.Errorf("the feed's state is %+v, %v", st, err)
	}
	if at, _, err := again.loadPlace(t.Context(), "raise"); err != nil || at.Sequence != 1200 {
		t.Errorf("the reader's place is %+v, %v", at, err)
	}
	if _, err := again.Items().Append(t.Context(), []poll.Draft{drafts[7], draft("new", "r1", 0)}); err != nil || count(t, again.items) != 1501 {
		t.Errorf("appending one old and one new item: %v, %d", err, count(t, again.items))
	}

	for name, tc := range map[string]struct {
		file []byte
		dir  string
		want string
	}{
		"cut":       {file.Bytes()[:file.Len()/2], "", "cut off"},
		"at a part": {file.Bytes()[:bytes.Index(file.Bytes(), []byte("complete.json"))], "", "cut off"},
		"garbage":   {[]byte("no tar at all"), "", "not a backup"},
		"damaged":   {flipped(file.Bytes()), "", ""},
		"occupied":  {file.Bytes(), s.opts.Dir, "holds a store"},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t)
			o.Dir = filepath.Join(o.Dir, "new")
			if tc.dir != "" {
				o.Dir = tc.dir
			}
			err := Restore(t.Context(), o, bytes.NewReader(tc.file))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %q", err, tc.want)
			}
			if left, _ := os.ReadDir(filepath.Dir(o.Dir)); tc.dir == "" && len(left) > 0 {
				t.Errorf("leaves %v behind", left)
			}
		})
	}
}

// flipped has one bit changed in the middle of the items' snapshot.
func flipped(b []byte) []byte {
	b = bytes.Clone(b)
	at := bytes.Index(b, []byte("ITEMS/000001"))
	b[at+8<<10] ^= 1
	return b
}

// asked is a reader of nothing.
type asked func()

func (f asked) Read([]byte) (int, error) {
	f()
	return 0, io.EOF
}

// TestRestoreMemory: a restore uses little memory, however large the store is
// and however fast the disk.
func TestRestoreMemory(t *testing.T) {
	if os.Getenv("NEWSMONITOR_LONG") == "" {
		t.Skip("takes two minutes: NEWSMONITOR_LONG=1")
	}
	const most, spare = 64 << 20, 64 << 20
	o := options(t)
	o.lazy, o.MaxStore = true, 8<<30
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; n < 100_000; n += 1000 { // 440 MB
		var drafts []poll.Draft
		for i := range 1000 {
			d := draft(fmt.Sprint(n+i), "r1", 0)
			d.Item.Content = strings.Repeat("words and words ", 256)
			drafts = append(drafts, d)
		}
		if _, err := s.Items().Append(t.Context(), drafts); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.Create(filepath.Join(t.TempDir(), "backup"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	err = s.Backup(t.Context(), file)
	s.Close()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	live := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, peak := live(), uint64(0)
	ctx, cancel := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	watching.Go(func() {
		for pause(ctx, 50*time.Millisecond) {
			peak = max(peak, live())
		}
	})
	o.Dir, o.memory = filepath.Join(t.TempDir(), "new"), most
	err = Restore(t.Context(), o, file)
	cancel()
	watching.Wait()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d MiB before, %d MiB at most", before>>20, peak>>20)
	if peak > before+most+spare {
		t.Errorf("it uses %d MiB, want %d MiB at most", (peak-before)>>20, (most+spare)>>20)
	}
}

// TestRestoreEnds: a restore from a pipe that gives nothing more can be ended,
// and leaves nothing, not even while it waits.
func TestRestoreEnds(t *testing.T) {
	t.Parallel()
	o := options(t)
	dir := o.Dir
	o.Dir = filepath.Join(dir, "new")
	pipe, writer := io.Pipe()
	defer func() { _ = writer.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Restore(ctx, o, pipe) }()
	if _, err := writer.Write(make([]byte, 1024)); err != nil { // it is read
		t.Fatal(err)
	}
	empty := func() {
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("in the folder: %v, %v", left, err)
		}
	}
	if runtime.GOOS != "windows" {
		empty()
	}
	cancel()
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("the restore ends with %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the restore does not end")
	}
	empty()
}
