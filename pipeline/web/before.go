package web

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/rule"
)

// What came before an alert: earlier stories of other channels about the same
// states that share a word of a list with it, a person, a unit, a group, an
// organ. A word that stands in every other story says nothing, so the rarest
// shared words decide.

const (
	maxBefore    = 8
	maxEarlier   = 400 // alerts that are read to find them
	maxTold      = 50  // carriers whose titles are read
	commonShare  = 4   // a word in more than one of so many candidates is common
	fewForCommon = 8   // candidates below which no word is common
)

// earlier is one story that came before.
type earlier struct {
	ID, Channel, Severity, Title, Lang, Source string
	At                                         when
	Clock                                      string
	Words                                      []string // shared with the alert
}

func (s *Server) before(ctx context.Context, st alert.Stored, now time.Time) []earlier {
	d := st.Event.Data
	own := listWords(d)
	for _, code := range d.States { // which states it is about is compared already
		for w := range own {
			if _, word, _ := strings.Cut(w, " "); word == strings.ToLower(feed.CountryName(code)) {
				delete(own, w)
			}
		}
	}
	if len(d.States) == 0 || len(own) == 0 {
		return nil
	}
	f := &filter{states: d.States, before: st.Event.Time, cursor: cursor{snapshot: math.MaxUint64}}
	hits, _ := s.index.list(f, f.cursor, maxEarlier)
	type candidate struct {
		st    alert.Stored
		words map[string]bool
	}
	var all []candidate
	in := map[string]int{} // in how many candidates a word stands
	for _, h := range hits {
		c, err := s.cfg.Alerts.Get(ctx, h.read)
		if err != nil || c.Event.Data.Channel == d.Channel || c.Event.Data.Item.Key == d.Item.Key || c.Event.Data.Story.ID == d.Story.ID {
			continue
		}
		words := listWords(c.Event.Data)
		for w := range words {
			in[w]++
		}
		all = append(all, candidate{c, words})
	}
	type scored struct {
		earlier
		score float64
		at    time.Time
		story string
	}
	var out []scored
	for _, c := range all {
		x := scored{at: c.st.Event.Time, story: c.st.Event.Data.Story.ID}
		for w := range own {
			if c.words[w] && (len(all) < fewForCommon || in[w]*commonShare <= len(all)) {
				_, word, _ := strings.Cut(w, " ")
				x.Words = append(x.Words, word)
				x.score += math.Log(1 + float64(len(all))/float64(in[w]))
			}
		}
		if len(x.Words) == 0 {
			continue
		}
		slices.Sort(x.Words)
		e := c.st.Event
		x.ID, x.Channel, x.Severity, x.Title, x.Lang = e.Data.ID, e.Data.Channel, string(e.Severity), e.Data.Item.Title, langAttr(e.Data.Item.Language)
		x.Source, x.At, x.Clock = e.Data.Source.Title, newWhen(e.Time, now), e.Time.UTC().Format("2 Jan 2006")
		if i := slices.IndexFunc(out, func(have scored) bool { return have.story == x.story }); i >= 0 {
			out[i] = x // the story's earliest alert stands for it: they come newest first
			continue
		}
		out = append(out, x)
	}
	slices.SortStableFunc(out, func(a, b scored) int { return cmp.Compare(b.score, a.score) })
	out = out[:min(len(out), maxBefore)]
	slices.SortFunc(out, func(a, b scored) int { return b.at.Compare(a.at) })
	var list []earlier
	for _, x := range out {
		list = append(list, x.earlier)
	}
	return list
}

// listWords are the names in an alert's evidence that came from a list, by list
// and folded. A name is written with a capital, or in a script that has none;
// "sanctions" or "hacked" is what every story of the kind says. What a list of
// states gave is compared elsewhere.
func listWords(d alert.Data) map[string]bool {
	words, states := map[string]bool{}, map[string]bool{}
	for _, m := range d.Rules {
		for _, e := range m.Evidence {
			w := strings.ToLower(strings.TrimSpace(e.Text))
			switch {
			case e.List == "states":
				states[w] = true
			case e.List != "" && w != "" && len(words) < 200 && strings.ContainsFunc(e.Text, capital):
				words[e.List+" "+w] = true
			}
		}
	}
	for w := range words { // other lists name states too
		if _, word, _ := strings.Cut(w, " "); states[word] {
			delete(words, w)
		}
	}
	return words
}

// capital tells whether a letter can begin a name: letters without case can.
func capital(r rune) bool { return unicode.IsUpper(r) || unicode.IsLetter(r) && !unicode.IsLower(r) }

// entitle reads the titles of the carriers that only the index knew.
func (s *Server) entitle(ctx context.Context, also []teller) {
	for i := range also[:min(len(also), maxTold)] {
		t := &also[i]
		if t.ID == "" || t.Title != "" {
			continue
		}
		if st, err := s.one(ctx, t.ID); err == nil {
			it := st.Event.Data.Item
			t.Title, t.Link, t.Lang = it.Title, webLink(it.Link), langAttr(it.Language)
		}
	}
}

// severityRank orders the words that views carry.
func severityRank(s string) int { return rule.Severity(s).Rank() }
