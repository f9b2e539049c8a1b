package alert

import (
	"strings"
	"testing"

	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/rule"
)

func TestSketchHeader(t *testing.T) {
	t.Parallel()
	it := storyItem(1, "ap", "authoritative", "US", 0)
	it.Link = "https://example.org/2026/11/20/muleshoe?utm_source=x"
	for range 4 {
		it.Content += " " + strings.Repeat("Zhang Wei met Chen Bo in Ürümqi with Klaus-Dieter Weiß and 4,711 others. ", 5)
	}
	l := look(it)
	l.voice = voiceOf(it.Source, &rule.Voice{ID: "us-doj", Tier: "authoritative", Country: "US"})
	text := l.encode()
	back, err := decodeSketch(text)
	if err != nil {
		t.Fatal(err)
	}
	if len(text) > maxSketch || back.encode() != text || back.fetched != it.Fetched.UnixMilli() || len(back.words) != len(l.words) || back.voice != l.voice {
		t.Errorf("%d characters, %+v", len(text), back)
	}
	for _, bad := range []string{"", "x", "****", text[:8], text + "AAAA" + text, "AA" + text[2:]} {
		if _, err := decodeSketch(bad); err == nil && bad != text {
			t.Errorf("%q passes for a sketch", bad)
		}
	}
	// A sketch says the same of a page with another campaign in its link.
	it.Link = "http://EXAMPLE.org/2026/11/20/muleshoe#top"
	if other := look(it); other.link != l.link || l.link == 0 {
		t.Error("the same page has two links")
	}
}

// TestSketchOfVersion1: what earlier releases wrote is still read, and joined.
func TestSketchOfVersion1(t *testing.T) {
	t.Parallel()
	const old = "AQABAlVTAAAAAAAAAAABofgvHoAAAAAAAACNHn0FAAANO1WmzugyYs2md1L6hKjar92xxwx8nkTCEJa39GwvDVMSO9Ia59IsuEI-DZJGLcJsbpJ-wDKR61LKwULOFuLQAALco5L1G-L2o-L8V1I"
	s, err := decodeSketch(old)
	if err != nil {
		t.Fatal(err)
	}
	if !s.old || s.encode() != old || s.voice.rank != rankOther || s.fetched != start.UnixMilli() {
		t.Errorf("%+v, again %s", s, s.encode())
	}
	x := newStories()
	x.note(Head{Channel: "c", Feed: "ap", ID: "id", Story: "id", Item: storyItem(1, "ap", "", "US", 0).Key, Sketch: old})
	it := storyItem(2, "bbc", "non-authoritative", "GB", 1)
	if got := x.place(it, look(it), []string{"c"}).story; got != "id" {
		t.Errorf("the same news is in story %q", got)
	}
}

func FuzzSketch(f *testing.F) {
	l := look(storyItem(1, "ap", "authoritative", "US", 0))
	f.Add(l.encode(), "Title", "Content 網路 攻击 of 12,345 APT41")
	f.Fuzz(func(t *testing.T, header, title, content string) {
		if s, err := decodeSketch(header); err == nil && s.encode() != strings.TrimRight(header, "=") {
			// Bits that base64 does not use may differ.
			if again, err := decodeSketch(s.encode()); err != nil || again.encode() != s.encode() {
				t.Errorf("%q comes back as %q", header, s.encode())
			}
		}
		l := look(feed.Item{Title: title, Content: content})
		text := l.encode()
		if len(text) > maxSketch {
			t.Errorf("a sketch of %d characters", len(text))
		}
		if back, err := decodeSketch(text); err != nil || back.encode() != text {
			t.Errorf("%q: %v", text, err)
		}
	})
}
