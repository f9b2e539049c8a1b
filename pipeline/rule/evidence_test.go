package rule

import (
	"strings"
	"testing"
	"unicode/utf8"

	"newsmonitor/pipeline/feed"
)

func matchOf(t *testing.T, s *Set, it feed.Item) Match {
	t.Helper()
	r := s.Match(it)
	if len(r.Channels) != 1 {
		t.Fatalf("does not fire: %s", s.WhyNot("x", it))
	}
	return r.Channels[0].Rules[0]
}

func TestScore(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		query                   string
		title, summary, content string
		want                    float64
	}{
		{"a", "a", "", "", 3},
		{"a", "", "a", "", 2},
		{"a", "", "", "a", 1},
		{"a", "a", "", "a", 5.079}, // 3 x (1 + ln 2)
		{"a^2 AND b", "", "", "a b", 3},
		{"a OR b", "", "", "a", 1},
		{"a NOT b", "", "", "a", 1},
		{"a", "", "some a here now", "some a here now, and more", 2}, // the summary is the content's beginning
		{"a NEAR/1 b", "", "", "a x x x a b", 2},
		{"tier:x OR a", "a", "", "", 3},
	} {
		s := loadOne(t, strings.Replace(c.query, "tier:x", "feed:x", 1))
		m := matchOf(t, s, feed.Item{Title: c.title, Summary: c.summary, Content: c.content})
		if m.Score != c.want {
			t.Errorf("%s on %q %q %q: score %v, want %v", c.query, c.title, c.summary, c.content, m.Score, c.want)
		}
	}
}

func TestSnippet(t *testing.T) {
	t.Parallel()
	s := loadOne(t, "alpha OR beta^3")
	long := strings.Repeat("word ", 100)
	for _, c := range []struct{ content, want string }{
		{"One. The alpha came. Two.", "The alpha came. Two."},
		{"An alpha. " + long + ". The beta came.", "The beta came."},
		{"Nothing.\nThe alpha\ncame.", "The alpha came."},
		{"制裁。alpha在此。完。", "alpha在此。完。"},
	} {
		if got := matchOf(t, s, feed.Item{Title: "alpha", Content: c.content}).Snippet; got != c.want {
			t.Errorf("snippet of %q = %q, want %q", c.content, got, c.want)
		}
	}
	if got := matchOf(t, s, feed.Item{Title: "Only the alpha"}).Snippet; got != "Only the alpha" {
		t.Errorf("snippet of a title = %q", got)
	}
	got := matchOf(t, s, feed.Item{Content: long + "alpha " + long}).Snippet
	if n := utf8.RuneCountInString(got); n > 240 || !strings.HasPrefix(got, "…word") || !strings.Contains(got, "alpha") || !strings.HasSuffix(got, "…") {
		t.Errorf("snippet of a long sentence has %d characters: %q", n, got)
	}
}

func TestEvidenceLimit(t *testing.T) {
	t.Parallel()
	s := loadOne(t, "alpha")
	m := matchOf(t, s, feed.Item{Content: strings.Repeat("alpha\t \n中", 200)})
	if len(m.Evidence) != 50 {
		t.Errorf("%d places, want 50", len(m.Evidence))
	}
	for _, e := range m.Evidence {
		if strings.ContainsAny(e.Before+e.After, "\t\n") || utf8.RuneCountInString(e.Before) > 80 || utf8.RuneCountInString(e.After) > 80 {
			t.Errorf("context %q %q", e.Before, e.After)
		}
	}
}
