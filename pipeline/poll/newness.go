package poll

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"newsmonitor/pipeline/feed"
)

const (
	maxKnown     = 3000 // remembered items: a State has to fit into one message of 1 MB
	maxMissed    = 4    // documents that an item may be missing from before we forget it
	maxRevisions = 4    // of one item: servers that take turns with two texts are not news
	flood        = 20   // new items of one poll that may be old or undated
)

// What Item.Held may say.
const (
	HeldBacklog = "backlog"
	HeldFlood   = "flood"
)

// News is what a document holds that we had not seen.
type News struct {
	Drafts []Draft // oldest first
	Next   State   // st with the document's items; the drafts' sequences are set by Placed

	New, Updated, Duplicate, Held, Invalid int

	Flood bool // items are held though this is not the first poll
	Gap   bool // nothing that was listed before is listed now: items between may be missed
	Cut   int  // items beyond what we look at
}

// Placed notes where the drafts stand in ITEMS.
func (n *News) Placed(sequences []uint64) {
	for i, d := range n.Drafts {
		if i < len(sequences) {
			k := n.Next.Items[d.Item.Key]
			k.Sequence = sequences[i]
			n.Next.Items[d.Item.Key] = k
		}
	}
}

// Reading is how a document is read.
type Reading struct {
	Backlog  time.Duration
	MaxItems int  // of the document; 0: the default
	Delta    bool // it lists only what changed: what it does not list is not missing
}

// Newness decides which items of a document are new or edited. It changes
// neither st nor doc. Dates only decide what is held, never what is new.
func Newness(st State, f feed.Feed, doc *feed.Parsed, fetched time.Time, how Reading) News {
	n := News{Next: st}
	items, newest := pick(st, doc.Items, cmp.Or(how.MaxItems, DefaultOptions().MaxItems))
	n.Cut, n.Next.Newest = len(doc.Items)-len(items), newest
	first := st.LastSuccess.IsZero()
	relearn := !first && st.Parser != feed.ParserVersion
	keys, links := identify(st, f, items)

	next := make(map[string]Known, len(items)+len(st.Items))
	var fresh []int // indexes into n.Drafts of new items
	overlap := 0
	for i, it := range items {
		key := keys[i]
		if key == "" {
			n.Invalid++
			continue
		}
		if _, twice := next[key]; twice {
			n.Duplicate++
			continue
		}
		old, known := st.Items[key]
		k := remember(it, links[i], old)
		next[key] = k
		if known {
			overlap++
			if relearn || slices.Contains(old.Revisions, it.Revision) {
				n.Duplicate++
				continue
			}
		}
		it.Key, it.Feed, it.Fetched, it.Source = key, f.ID, fetched.UTC(), f.Source()
		it.Parser, it.Held, it.Backlog = feed.ParserVersion, "", false
		n.Drafts = append(n.Drafts, Draft{Item: it, After: old.Sequence})
		if known {
			n.Updated++
		} else {
			n.New++
			fresh = append(fresh, len(n.Drafts)-1)
		}
	}
	whole := len(items)
	if how.Delta {
		whole += listed(st.Items)
	}
	n.hold(fresh, first, st.LastSuccess, fetched, how.Backlog, whole)
	n.Gap = !first && !relearn && !how.Delta && !n.Flood && overlap == 0 && n.New > 0 && listed(st.Items) > 0
	n.Next.Items = keepMissed(next, st.Items, how.Delta || len(items) == 0)
	n.Next.Parser = feed.ParserVersion
	oldestFirst(n.Drafts)
	return n
}

// hold marks what must not be pushed: the backlog of a first poll, and a
// flood of old items later.
func (n *News) hold(fresh []int, first bool, last, now time.Time, backlog time.Duration, listed int) {
	if backlog < 0 { // all
		if first {
			for _, i := range fresh {
				n.Drafts[i].Item.Backlog = true
			}
		}
		return
	}
	// Dates know the time of day only, and by it the last success may be yet to
	// come: the clock was set back since.
	since := last.Round(0)
	if now := now.Round(0); first || since.After(now) {
		since = now
	}
	since = since.Add(-backlog)
	var old, undated []int
	for _, i := range fresh {
		switch date := dated(n.Drafts[i].Item); {
		case date.IsZero():
			undated = append(undated, i)
		case date.Before(since) || first && backlog == 0:
			old = append(old, i)
		case first:
			n.Drafts[i].Item.Backlog = true
		}
	}
	reason := HeldBacklog
	if !first {
		reason = HeldFlood
		if len(old) <= flood {
			old = nil
		}
		if len(undated) <= flood || len(undated)*2 <= listed {
			undated = nil
		}
	}
	for _, i := range slices.Concat(old, undated) {
		n.Drafts[i].Item.Held = reason
		n.Held++
		n.Flood = !first
	}
}

// identify gives each item its key: the one it was remembered by, else the
// one that feed.Parse proposed, beside the hash of its link. An index without
// identity gets "". With identity auto, an item whose guid changed is recognised
// by its link and title, or link and text; and a guid that comes back with
// another item's link is not that item.
func identify(st State, f feed.Feed, items []feed.Item) (keys, links []string) {
	keys = make([]string, len(items))
	links = make([]string, len(items))
	taken := make(map[string]bool, len(items))
	auto := f.Identity == "" || f.Identity == "auto"
	for i, it := range items {
		links[i] = hashLink(it.Link)
		k, known := st.Items[it.Key]
		if it.Key != "" && known && !taken[it.Key] && (!auto || k.Link == links[i]) {
			keys[i], taken[it.Key] = it.Key, true
		}
	}
	if auto && len(st.Items) > 0 {
		byLink := make(map[string][]string)
		for key, k := range st.Items {
			if k.Link != "" && !taken[key] {
				byLink[k.Link] = append(byLink[k.Link], key)
			}
		}
		for _, same := range byLink {
			slices.Sort(same) // a map's order must not decide which item it is
		}
		for i, it := range items {
			if keys[i] != "" || it.Key == "" || links[i] == "" {
				continue
			}
			title := hashTitle(it.Title)
			for _, key := range byLink[links[i]] {
				k := st.Items[key]
				if !taken[key] && (title != "" && k.Title == title || slices.Contains(k.Revisions, it.Revision)) {
					keys[i], taken[key] = key, true
					break
				}
			}
		}
	}
	for i, it := range items {
		if keys[i] != "" || it.Key == "" {
			continue
		}
		key := it.Key
		if auto && taken[key] {
			// The owner of this key stands in the same document under another
			// guid, so this is something else.
			key = hash(32, it.Key, links[i], hashTitle(it.Title))
		}
		keys[i], taken[key] = key, true
	}
	return keys, links
}

// remember is what we keep of an item; a revision that returns moves to the
// end and so is not forgotten.
func remember(it feed.Item, link string, old Known) Known {
	revisions := slices.DeleteFunc(slices.Clone(old.Revisions), func(r string) bool { return r == it.Revision })
	revisions = append(revisions, it.Revision)
	if extra := len(revisions) - maxRevisions; extra > 0 {
		revisions = revisions[extra:]
	}
	return Known{GUID: hash(16, it.GUID), Link: link, Title: hashTitle(it.Title),
		Sequence: old.Sequence, Revisions: revisions}
}

// keepMissed adds the items that the document no longer lists, for a few
// documents: servers take turns, roll back and show an empty list, and what
// returns is not new. A document that does not list what there is, an empty
// one or the mere changes, counts for nothing.
func keepMissed(next, before map[string]Known, silent bool) map[string]Known {
	type missed struct {
		key string
		n   int
	}
	var gone []missed
	for key, k := range before {
		if _, ok := next[key]; ok {
			continue
		}
		if !silent {
			k.Missed++
		}
		if k.Missed <= maxMissed {
			gone = append(gone, missed{key, k.Missed})
		}
	}
	slices.SortFunc(gone, func(a, b missed) int {
		if a.n != b.n {
			return a.n - b.n
		}
		return strings.Compare(a.key, b.key)
	})
	for _, m := range gone {
		if len(next) >= maxKnown {
			break
		}
		k := before[m.key]
		k.Missed = m.n
		next[m.key] = k
	}
	return next
}

// listed counts the items of the last document.
func listed(items map[string]Known) int {
	n := 0
	for _, k := range items {
		if k.Missed == 0 {
			n++
		}
	}
	return n
}

// oldestFirst orders by date where every draft has one, else turns the
// document's order, which is newest first nearly everywhere.
func oldestFirst(drafts []Draft) {
	slices.Reverse(drafts)
	for _, d := range drafts {
		if dated(d.Item).IsZero() {
			return
		}
	}
	slices.SortStableFunc(drafts, func(a, b Draft) int { return dated(a.Item).Compare(dated(b.Item)) })
}

// dated is when the item says it is from.
func dated(it feed.Item) time.Time {
	if !it.Published.IsZero() {
		return it.Published
	}
	return it.Updated
}

func hashLink(link string) string {
	if link == "" {
		return ""
	}
	return hash(16, feed.Canonical(link))
}

func hashTitle(title string) string {
	return hash(16, strings.ToLower(strings.Join(strings.Fields(title), " ")))
}

// hash is the first n hex digits over the parts, "" when all are empty.
func hash(n int, parts ...string) string {
	joined := strings.Join(parts, "\x00")
	if strings.Trim(joined, "\x00") == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(joined))
	return hex.EncodeToString(sum[:(n+1)/2])[:n]
}
