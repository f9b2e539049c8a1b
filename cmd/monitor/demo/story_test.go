package demo

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"newsmonitor/pipeline/feed"
)

// mustLoad returns the story inside the binary.
func mustLoad(t testing.TB) *Story {
	t.Helper()
	s, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestStory holds story.yaml to what the demonstration promises: something to
// see at once, every main channel before patience ends, ordinary items in
// between, and nothing that could be taken for the real office.
func TestStory(t *testing.T) {
	t.Parallel()
	s := mustLoad(t)

	if n := len(s.Sources); n < 6 || n > 8 {
		t.Errorf("the story has %d feeds, want 6 to 8", n)
	}
	if n := len(s.Events); n < 14 || n > 18 {
		t.Errorf("the story has %d events, want 14 to 18", n)
	}
	if d := s.Length(1); d < time.Minute || d > 70*time.Second {
		t.Errorf("the story takes %s, want 60 s to 70 s", d)
	}
	if first := s.Events[0]; len(first.Raises) == 0 || first.at > 2*time.Second {
		t.Errorf("the first event comes after %s and raises %v, want an alert within 2 s", first.at, first.Raises)
	}

	seen := map[string]time.Duration{}
	spoke := map[string]bool{}
	ordinary := 0
	chinese := 0
	for _, e := range s.Events {
		spoke[e.Feed] = true
		for _, channel := range e.Raises {
			if _, before := seen[channel]; !before {
				seen[channel] = e.at
			}
		}
		if len(e.Raises) == 0 {
			ordinary++
			if e.Date != "" {
				t.Errorf("%q is ordinary and has a date of 2014 or 2015", e.Title)
			}
		}
		if e.Lang == "zh" {
			chinese++
		}
		if day, err := time.Parse(dateForm, e.Date); err == nil {
			if day.Year() != 2014 && day.Year() != 2015 {
				t.Errorf("%q happened on %s, want 2014 or 2015", e.Title, e.Date)
			}
			if !strings.Contains(e.closing(), day.Format("2006")) {
				t.Errorf("%q does not say that it happened on %s: %s", e.Title, e.Date, e.closing())
			}
		}
	}
	for _, channel := range []string{"indictment", "attribution", "sanctions", "dialogue-resumption"} {
		if at, ok := seen[channel]; !ok || at > 45*time.Second {
			t.Errorf("channel %s first at %s (found: %t), want within 45 s", channel, at, ok)
		}
	}
	if ordinary < 3 {
		t.Errorf("%d ordinary items, want at least 3", ordinary)
	}
	if chinese == 0 {
		t.Error("nothing is told in Chinese")
	}

	used := map[string]bool{}
	for _, src := range s.Sources {
		used[src.Format] = true
		if !strings.HasSuffix(src.Title, "(demo)") || !strings.HasPrefix(src.ID, "demo-") {
			t.Errorf("feed %s (%s) could be taken for the real one", src.ID, src.Title)
		}
		if !spoke[src.ID] {
			t.Errorf("feed %s never says anything", src.ID)
		}
	}
	for name := range formats {
		if !used[name] {
			t.Errorf("no feed is written as %s", name)
		}
	}
}

// TestThreeOrgans: on one day three organs of the PRC rebut, which is what the
// desk is shown as one story.
func TestThreeOrgans(t *testing.T) {
	t.Parallel()
	organs := map[string]bool{}
	for _, e := range mustLoad(t).Events {
		if slices.Contains(e.Raises, "denial") && (e.Date == "2014-05-19" || e.Date == "2014-05-20") {
			organs[e.Feed] = true
		}
	}
	for _, want := range []string{"demo-prc-mfa", "demo-prc-mnd", "demo-prc-cac"} {
		if !organs[want] {
			t.Errorf("%s does not rebut the indictment", want)
		}
	}
}

func TestFeeds(t *testing.T) {
	t.Parallel()
	s := mustLoad(t)
	feeds := s.Feeds("http://127.0.0.1:1234")
	if len(feeds) != len(s.Sources) {
		t.Fatalf("%d feeds for %d sources", len(feeds), len(s.Sources))
	}
	urls := map[string]bool{}
	for _, f := range feeds {
		if f.Every != time.Second || !slices.Contains(feed.Kinds, f.Kind) || !slices.Contains(feed.Tiers, f.Tier) || f.Country == "" || f.Language == "" {
			t.Errorf("incomplete feed %+v", f)
		}
		if !strings.HasPrefix(f.URL, "http://127.0.0.1:1234/feeds/"+f.ID+".") || urls[f.URL] {
			t.Errorf("feed %s has the address %s", f.ID, f.URL)
		}
		urls[f.URL] = true
	}
}

func TestPace(t *testing.T) {
	t.Parallel()
	s := mustLoad(t)
	start := time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC)
	all := len(s.Events)
	for _, tt := range []struct {
		name  string
		after time.Duration
		pace  float64
		want  int
	}{
		{"before the start", -time.Second, 1, 0},
		{"at the start", 0, 1, 0},
		{"just before the first", s.Events[0].at - 1, 1, 0},
		{"at the first", s.Events[0].at, 1, 1},
		{"ten times as fast", s.Events[4].at / 10, 10, 5},
		{"half as fast", s.Events[4].at, 0.5, 2},
		{"at the end", s.Length(1), 1, all},
		{"long after", 1000 * time.Hour, 1, all},
		{"pace 0", 0, 0, all},
		{"pace 0, before the start", -1, 0, 0},
		{"no pace", 0, math.NaN(), all},
		{"infinite pace", 0, math.Inf(1), all},
		{"hardly any pace", time.Hour, 1e-300, 0},
	} {
		if got := len(s.Told(start.Add(tt.after), start, tt.pace)); got != tt.want {
			t.Errorf("%s: %d events told, want %d", tt.name, got, tt.want)
		}
	}
	if got, want := s.Length(2), s.Length(1)/2; got != want {
		t.Errorf("Length(2) = %s, want %s", got, want)
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	const good = `feeds:
  - {id: demo-a, title: A (demo), format: rss, kind: media, tier: non-authoritative, country: GB, language: en}
events:
  - {after: 1s, feed: demo-a, title: T, summary: S, content: C, author: W}
`
	if _, err := load("story.yaml", []byte(good)); err != nil {
		t.Fatalf("the story that the cases are made from is refused: %v", err)
	}
	for _, tt := range []struct{ name, old, new, want string }{
		{"unknown key", "format: rss", "fromat: rss", "story.yaml:2:"},
		{"slug", "id: demo-a", "id: Demo A", "has no slug"},
		{"format", "format: rss", "format: rss3", "rss3 is no format"},
		{"kind", "kind: media", "kind: press", "press is no kind"},
		{"tier", "tier: non-authoritative", "tier: official", "official is no tier"},
		{"country", "country: GB", "country: UK", "UK is no country"},
		{"language", "language: en", "language: english-of-old", "is no language"},
		{"no title", "title: T", "title: ' '", "event 1 has no title"},
		{"no author", ", author: W", "", "event 1 has no author"},
		{"order", "after: 1s", "after: 0s", "must come after"},
		{"feed", "feed: demo-a", "feed: demo-b", "there is no feed demo-b"},
		{"date", "author: W", "author: W, date: May 2014", "is no date"},
		{"lang", "author: W", "author: W, lang: '???'", "is no language"},
		{"channel", "author: W", "author: W, raises: [In Dictment]", "is no channel"},
		{"twice", "events:", "  - {id: demo-a, title: B, format: rss, kind: media, tier: non-authoritative, country: GB, language: en}\nevents:", "stands here twice"},
		{"no events", good[strings.Index(good, "events:"):], "events: []", "needs feeds and events"},
		{"nothing", good, "", "empty"},
	} {
		if !strings.Contains(good, tt.old) {
			t.Fatalf("%s: the case replaces nothing", tt.name)
		}
		_, err := load("story.yaml", []byte(strings.Replace(good, tt.old, tt.new, 1)))
		if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), `"`, ""), tt.want) {
			t.Errorf("%s: got %v, want an error with %q", tt.name, err, tt.want)
		}
	}
}
