package alert

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/rule"
)

// TestCrowd sends the items of all pairs through one raiser in one channel, in
// a shuffled order within the time of a story: what is easily told from one
// other item may be mistaken for one of hundreds.
func TestCrowd(t *testing.T) {
	t.Parallel()
	var all []pairItem
	seen := map[string]bool{}
	for _, p := range pairs(t) {
		for _, i := range []pairItem{p.A, p.B} {
			if text := strings.Join([]string{i.Feed, i.Link, i.Title, i.Summary, i.Content}, "\n"); i.Group != "" && !seen[text] {
				seen[text] = true
				all = append(all, i)
			}
		}
	}
	var joined, wrongly, missed int
	mistaken := map[string]int{}
	for seed := range uint64(2) {
		rand.New(rand.NewPCG(seed, 72)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		crowd := bareLinksLast(all)
		items := make([]feed.Item, len(crowd))
		for i, c := range crowd {
			items[i] = c.item('a', start.Add(time.Duration(i)*storyTime/time.Duration(len(crowd)+1)))
			items[i].Key = fmt.Sprintf("k%04d", i)
		}
		of := func(key string) (i int) {
			if _, err := fmt.Sscanf(key, "k%d", &i); err != nil {
				t.Fatal(err)
			}
			return i
		}
		out := &archive{}
		r := storyRaiser(&list{items: items}, out)
		r.Match = func(it feed.Item) rule.Result {
			c := crowd[of(it.Key)]
			res := rule.Result{Channels: []rule.Hit{{Channel: "c", Severity: cmp.Or(c.Severity, rule.Medium), Rules: []rule.Match{{ID: "r"}}}}}
			if c.Voice != nil {
				res.Voice = *c.Voice
				res.Voice.ID = cmp.Or(res.Voice.ID, "voice")
			}
			return res
		}
		if err := r.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		told := map[string]bool{}    // groups that have a story
		leads := map[string]string{} // group of each story's first carrier
		for _, e := range out.events {
			d := e.Event.Data
			c := crowd[of(d.Item.Key)]
			lead, known := leads[d.Story.ID]
			switch {
			case known && lead == c.Group:
				joined++
			case known:
				wrongly++
				mistaken[fmt.Sprintf("%s for %s: %q", c.Group, lead, c.Title)]++
			case told[c.Group]:
				missed++
				leads[d.Story.ID] = c.Group
			default:
				leads[d.Story.ID] = c.Group
			}
			told[c.Group] = true
		}
	}
	for m, n := range mistaken {
		t.Logf("taken %d of 2 times: %s", n, m)
	}
	precision, recall := float64(joined)/float64(joined+wrongly), float64(joined)/float64(joined+missed)
	t.Logf("%d items: precision %.3f (%d wrong), recall %.3f (%d missed)", len(all), precision, wrongly, recall, missed)
	if precision < 0.98 || recall < 0.9 {
		t.Errorf("precision %.3f, recall %.3f; want 0.98 and 0.9", precision, recall)
	}
}

// bareLinksLast puts items that are a title and a link behind the pages that
// they point at.
func bareLinksLast(all []pairItem) []pairItem {
	var full, bare []pairItem
	for _, i := range all {
		if i.Summary+i.Content == "" {
			bare = append(bare, i)
		} else {
			full = append(full, i)
		}
	}
	return append(full, bare...)
}
