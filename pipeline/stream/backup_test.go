package stream

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
