package feed

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// identify proposes the key of every item of a document; it is hashed from the
// feed's id and, in this order, the guid, the link, or the title with the
// date's text. What stands on several items of one document is no identity:
// a guid on several links is joined with the link, and whatever still is the
// same for items of different titles, dates or texts (dockets, link lists) is
// joined with those. Items that agree in all that are one.
func identify(f Feed, drafts []draft, items []Item) {
	values, links := make([]string, len(items)), make([]string, len(items))
	onLinks := map[string]string{} // guid -> its link, "\x00" when it has several
	for i, it := range items {
		links[i] = Canonical(it.Link)
		if guid := strings.TrimSpace(drafts[i].guid); guid != "" {
			link := links[i]
			if was, ok := onLinks[guid]; ok && was != link {
				link = "\x00"
			}
			onLinks[guid] = link
		}
	}
	type group struct {
		titles map[string]bool
		dated  bool // a title stands in it on several dates
		told   bool // a title and a date stand in it over several texts
	}
	groups := map[string]*group{}
	type titled struct{ value, title, date string }
	dates, texts := map[titled]string{}, map[titled]string{}
	number := make(map[string]int, len(items))
	for i, it := range items {
		values[i] = value(f, drafts[i], it, links[i], onLinks)
		number[values[i]]++
	}
	for i, it := range items {
		v := values[i]
		if number[v] == 1 { // as nearly all are
			continue
		}
		g := groups[v]
		if g == nil {
			g = &group{titles: map[string]bool{}}
			groups[v] = g
		}
		title, date := heading(it), when(drafts[i])
		if was, ok := dates[titled{v, title, ""}]; ok && was != date {
			g.dated = true
		}
		if was, ok := texts[titled{v, title, date}]; ok && was != it.Revision {
			g.told = true
		}
		dates[titled{v, title, ""}], texts[titled{v, title, date}] = date, it.Revision
		g.titles[title] = true
	}
	for i := range items {
		v := values[i]
		if g := groups[v]; g != nil && (len(g.titles) > 1 || g.dated || g.told) {
			v += "\x00" + heading(items[i])
			if g.dated || g.told {
				v += "\x00" + when(drafts[i])
			}
			if g.told {
				v += "\x00" + items[i].Revision
			}
		}
		sum := sha256.Sum256([]byte(f.ID + "\x00" + v))
		items[i].Key = hex.EncodeToString(sum[:16])
	}
}

func value(f Feed, d draft, it Item, link string, onLinks map[string]string) string {
	guid := strings.TrimSpace(d.guid)
	title := ""
	if h := heading(it); h != "" {
		title = h + "\x00" + when(d)
	}
	switch f.Identity {
	case "link":
		return or(link, guid, title)
	case "title":
		return or(title, guid, link)
	}
	if guid != "" && onLinks[guid] == "\x00" && f.Identity != "guid" {
		return guid + "\x00" + link
	}
	return or(guid, link, title, strings.Join(it.Authors, "\x00")+"\x00"+strings.Join(it.Categories, "\x00")+"\x00"+when(d))
}

// heading is the title, or the text of an item that has none.
func heading(it Item) string { return or(it.Title, it.Summary, it.Content) }

// when is the text of an item's date as served.
func when(d draft) string {
	for _, s := range d.published {
		if s = strings.TrimSpace(s); s != "" {
			return s
		}
	}
	return ""
}

// revision is a hash of what a reader sees.
func revision(it Item) string {
	if n := len(it.Title) + len(it.Summary) + len(it.Content); n < 1000 {
		b := append(make([]byte, 0, 1002), it.Title...)
		b = append(append(b, 0), it.Summary...)
		sum := sha256.Sum256(append(append(b, 0), it.Content...))
		return hex.EncodeToString(sum[:8])
	}
	h := sha256.New()
	piece := make([]byte, 0, 1<<10) // texts are large; a copy of each would be, too
	for i, s := range []string{it.Title, it.Summary, it.Content} {
		if i > 0 {
			_, _ = h.Write([]byte{0})
		}
		for len(s) > 0 {
			piece = append(piece[:0], s[:min(len(s), cap(piece))]...)
			_, _ = h.Write(piece) // a hash never fails
			s = s[len(piece):]
		}
	}
	return hex.EncodeToString(h.Sum(piece[:0])[:8])
}
