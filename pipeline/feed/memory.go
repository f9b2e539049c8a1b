package feed

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Memory parses as Parse does, and remembers what entries of the last documents
// were made of: a feed that has something new lists nineteen entries that it
// listed before, and reading XML is a dear part of an alert. It forgets what
// was not met for long. What it gives is what Parse would.
type Memory struct {
	size int // bytes that it may hold

	mu         sync.Mutex
	young, old map[entrySum]*remembered // what was met lately, and before
	bytes      int                      // of young
}

// NewMemory makes a memory of about so many bytes.
func NewMemory(size int) *Memory {
	return &Memory{size: size, young: map[entrySum]*remembered{}}
}

// Parse reads a document.
func (m *Memory) Parse(doc Document) (*Parsed, error) {
	r, err := gather(doc, m)
	if err != nil {
		return nil, err
	}
	if p, ok := r.finish(); ok {
		return p, nil
	}
	return Parse(doc)
}

// entrySum is a hash of a mended entry: of all that stands in it.
type entrySum [sha256.Size]byte

// remembered is what an entry was made of.
type remembered struct {
	around around
	draft  draft // without summary and content
	item   Item  // without key, source and time
	size   int   // about what it takes, in bytes
}

// around is what decides what an entry says, but does not stand in it.
type around struct {
	feed, feedLanguage, layout, country          string
	url, base, link, declared, language, authors string
	monthly, certain                             bool
}

const (
	maxRemembered  = 64 << 10 // bytes of an entry: what is larger is read again
	rememberedCost = 1 << 10  // bytes of an entry without its texts
)

// recollection is a reader's use of its memory.
type recollection struct {
	memory   *Memory // nil: none
	sums     []entrySum
	known    []*remembered // by item of the document; nil what is not known
	recalled int           // of known
	here     around
	whole    bool // drafts are those of sums, one by one
}

// sum hashes the items of a document. Their references to texts are numbers
// that depend on what stands before them: the texts are hashed instead.
func (m *mended) sum() []entrySum {
	out := make([]entrySum, len(m.parts))
	root, _, _ := bytes.Cut(m.xml, []byte{'>'})
	h := sha256.New()
	var reference, piece []byte
	for i, p := range m.parts {
		h.Reset()
		_, _ = h.Write(root) // a hash never fails
		rest := m.xml[p.from:p.to]
		for n, text := range m.texts[p.textFrom:p.textTo] {
			reference = strconv.AppendInt(append(reference[:0], held...), int64(p.textFrom+n), 10)
			before, after, _ := bytes.Cut(rest, reference)
			_, _ = h.Write(before)
			piece = append(binary.AppendUvarint(piece[:0], uint64(len(text))), text...)
			_, _ = h.Write(piece)
			rest = after
		}
		_, _ = h.Write(rest)
		h.Sum(out[i][:0])
	}
	return out
}

// recall finds what is known of a document's items, and returns the document
// without those.
func (r *reader) recall(m *mended) []byte {
	if r.memory == nil {
		return m.xml
	}
	r.sums = m.sum()
	r.known, r.recalled = r.memory.recall(r.sums)
	if r.recalled == 0 {
		return m.xml
	}
	out, at := make([]byte, 0, len(m.xml)), 0
	for i, p := range m.parts {
		if r.known[i] != nil {
			out = append(out, m.xml[at:p.from]...)
			at = p.to
		}
	}
	return append(out, m.xml[at:]...)
}

// join puts the drafts that are known between those that were read.
func (r *reader) join(items int) {
	r.whole = r.memory != nil && len(r.drafts)+r.recalled == items
	if !r.whole || r.recalled == 0 {
		return
	}
	drafts, read := make([]draft, items), r.drafts
	for i, x := range r.known {
		if x != nil {
			drafts[i] = x.draft
		} else {
			drafts[i], read = read[0], read[1:]
		}
	}
	r.drafts = drafts
}

// fits tells whether what is known of the items holds in this document.
func (r *reader) fits(d *dater) bool {
	if r.memory == nil {
		return true
	}
	f := r.doc.Feed
	r.here = around{feed: f.ID, feedLanguage: f.Language, layout: f.DateLayout, country: f.Country,
		url: r.doc.URL, base: r.base, link: r.link, declared: r.declared, language: r.parsed.Language, authors: r.authors,
		monthly: d.monthly, certain: d.certain}
	for _, x := range r.known {
		if x != nil && (!r.whole || x.around != r.here) {
			r.memory.forget(r.sums)
			return false
		}
	}
	return true
}

// again is the item of a draft, by memory where it is known.
func (r *reader) again(i int, dates *dater) Item {
	if !r.whole || i >= len(r.known) {
		return r.item(&r.drafts[i], dates)
	}
	x := r.known[i]
	if x == nil {
		it := r.item(&r.drafts[i], dates)
		r.memory.keep(r.sums[i], r.here, r.drafts[i], it)
		return it
	}
	it := x.item
	it.Authors, it.Categories, it.Cut = slices.Clone(it.Authors), slices.Clone(it.Categories), slices.Clone(it.Cut)
	it.Source = r.doc.Feed.Source()
	if !r.doc.Fetched.IsZero() {
		it.Fetched = r.doc.Fetched.UTC()
	}
	return it
}

// recall returns what is remembered of items, nil where nothing is, and of how
// many there is something.
func (m *Memory) recall(sums []entrySum) (known []*remembered, n int) {
	known = make([]*remembered, len(sums))
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, s := range sums {
		x := m.young[s]
		if x == nil && m.old[s] != nil {
			x = m.old[s]
			m.put(s, x)
		}
		if x != nil {
			known[i] = x
			n++
		}
	}
	return known, n
}

// put is called with mu held.
func (m *Memory) put(s entrySum, x *remembered) {
	if m.bytes > m.size/2 {
		m.young, m.old, m.bytes = map[entrySum]*remembered{}, m.young, 0
	}
	m.young[s] = x
	m.bytes += x.size
}

// keep remembers an item.
func (m *Memory) keep(s entrySum, a around, d draft, it Item) {
	it.Fetched, it.Source = time.Time{}, Source{}
	d.summary, d.content = "", ""
	x := &remembered{around: a, draft: d, item: it, size: rememberedCost}
	for _, s := range x.texts() {
		x.size += 16 + len(*s)
	}
	if x.size > maxRemembered {
		return
	}
	x.own()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(s, x)
}

// forget drops items that mean something else now.
func (m *Memory) forget(sums []entrySum) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range sums {
		delete(m.young, s)
		delete(m.old, s)
	}
}

// texts are all strings of what is remembered.
func (x *remembered) texts() []*string {
	d, it, a := &x.draft, &x.item, &x.around
	all := []*string{&d.guid, &d.base, &d.title, &d.language, &it.GUID, &it.Link, &it.Title, &it.Summary, &it.Content, &it.Language,
		&a.base, &a.link, &a.authors}
	for _, list := range x.lists() {
		for i := range *list {
			all = append(all, &(*list)[i])
		}
	}
	return all
}

func (x *remembered) lists() []*[]string {
	d, it := &x.draft, &x.item
	return []*[]string{&d.links, &d.authors, &d.categories, &d.published, &d.updated, &it.Authors, &it.Categories, &it.Cut}
}

// own copies what may be a piece of the document, which else would be held as
// long.
func (x *remembered) own() {
	for _, list := range x.lists() {
		*list = slices.Clone(*list)
	}
	for _, s := range x.texts() {
		*s = strings.Clone(*s)
	}
}
