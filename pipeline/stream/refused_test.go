package stream

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"newsmonitor/pipeline/poll"
)

// TestSmallServer: on a server that takes small messages only, an item is cut
// until it fits; one that cannot be made to fit is refused for good, which
// says nothing of the store's health.
func TestSmallServer(t *testing.T) {
	t.Parallel()
	x := startExternal(t)
	x.stop()
	x.opts.MaxPayload = 16 << 10
	x.start(t)
	o := options(t)
	o.URL, o.Manage = x.ns.ClientURL(), true
	s := open(t, o)
	long := draft("long", "r1", 0)
	long.Item.Summary, long.Item.Content = strings.Repeat("Žluť ", 5000), strings.Repeat("text ", 50_000)
	hopeless := draft("hopeless", "r1", 0)
	hopeless.Item.Title = strings.Repeat("title ", 5000)
	if _, err := s.Items().Append(t.Context(), []poll.Draft{hopeless}); !errors.Is(err, poll.ErrRefused) {
		t.Errorf("a title larger than any message: %v, want ErrRefused", err)
	}
	if err := s.Ready(t.Context()); err != nil {
		t.Errorf("one refused item makes the store unready: %v", err)
	}
	if _, err := s.Items().Append(t.Context(), []poll.Draft{draft("a", "r1", 0), long}); err != nil {
		t.Fatal(err)
	}
	kept, err := s.Items().Revisions(t.Context(), "mfa", long.Item.Key)
	if err != nil || len(kept) != 1 || kept[0].Title != long.Item.Title || len(kept[0].Summary) < 2000 || !slices.Contains(kept[0].Cut, "content") || !slices.Contains(kept[0].Cut, "summary") {
		t.Errorf("stored %v, %v; want a long summary and what was cut", kept, err)
	}
}
