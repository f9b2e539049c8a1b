package engine

import (
	"bytes"
	"slices"

	"golang.org/x/text/unicode/norm"

	"newsmonitor/pipeline/rule/text"
)

// Load finds out what of the program stands in the item.
func (m *Matcher) Load(it *Item) {
	m.clear()
	m.it = it
	p := m.p
	pieces := it.scan.Pieces
	words := it.words
	m.begins = slices.Grow(m.begins[:0], len(words))[:len(words)]
	m.wordOf = slices.Grow(m.wordOf[:0], len(words))[:len(words)]
	for s := range words {
		m.begins[s] = p.dict.begin(words[s].hash)
	}
	touch := uint64(0) // see Matcher.touched
	for _, v := range m.begins {
		if v != 0 {
			touch ^= p.words[uint32(v)-1].key
		}
	}
	m.touched = touch
	for s := range words {
		w := &words[s]
		var known known
		if v := m.begins[s]; v != 0 {
			known.id = p.find(w.key, w.hash, it.scan.Folded(&pieces[w.token]), v)
		}
		if known.id != 0 {
			x := &p.words[known.id-1]
			known.node = x.node
			if x.more {
				m.mark(x.leaf-1, w.mask)
			} else if x.term != 0 && x.mask&w.mask != 0 {
				m.set(x.term - 1)
			}
			if x.form != 0 {
				m.special = append(m.special, uint32(s))
			}
		}
		m.wordOf[s] = known
		if len(p.patterns) > 0 {
			if b := it.scan.Folded(&pieces[w.token]); len(b) >= p.shortest {
				m.wild(uint32(s), w, b)
			}
		}
	}
	m.forms()
	if len(p.languages) > 0 {
		m.stem()
	}
	if p.longest > 0 {
		m.phrases()
	}
	m.spread()
}

func (m *Matcher) clear() {
	for _, t := range m.present {
		m.bits[t/64] = 0
	}
	m.special, m.present, m.seen, m.links = m.special[:0], m.present[:0], m.seen[:0], m.links[:0]
	m.viewed, m.arena, m.ints, m.ranges = m.viewed[:0], m.arena[:0], m.ints[:0], m.ranges[:0]
	for i := range m.sideOf {
		m.sideOf[i] = m.sideOf[i][:0]
	}
	m.steps, m.postsN, m.evals, m.over, m.cut = 0, 0, 0, false, false
	if m.items++; m.items == 0 { // after 4 billion items the marks of old ones are wiped
		clear(m.judged)
		clear(m.memos)
		clear(m.bags)
		m.items = 1
	}
}

// saw returns the sight of a leaf, made if needed.
func (m *Matcher) saw(l uint32) *sight {
	if i := m.local[l]; int(i) < len(m.seen) && m.seen[i].leaf == l {
		return &m.seen[i]
	}
	m.local[l] = uint32(len(m.seen))
	m.seen = append(m.seen, sight{leaf: l})
	return &m.seen[len(m.seen)-1]
}

// hangul tells a word that may stand inside others in the same field.
func (m *Matcher) hangul(w *found) bool {
	p := &m.it.scan.Pieces[w.token]
	return p.Solo && w.count > 1 && text.ClassOf(firstRune(w.key)) == text.Hangul
}

// link appends a place to a leaf.
func (m *Matcher) link(x *sight, at uint32) {
	m.links = append(m.links, link{at: at})
	n := uint32(len(m.links))
	if x.head == 0 {
		x.head = n
	} else {
		m.links[x.tail-1].next = n
	}
	x.tail = n
}

// mark sets the terms of a leaf that look at one of the fields.
func (m *Matcher) mark(l uint32, fields uint8) {
	x := &m.p.leaves[l]
	if !x.more {
		if x.term != 0 && x.mask&fields != 0 {
			m.set(x.term - 1)
		}
		return
	}
	for _, k := range m.p.marks[x.term:] {
		if k.mask&fields != 0 {
			m.set(k.term)
		}
		if k.last {
			return
		}
	}
}

func (m *Matcher) set(t uint32) {
	if w, bit := &m.bits[t/64], uint64(1)<<(t%64); *w&bit == 0 {
		*w |= bit
		m.present = append(m.present, t)
	}
}

func (m *Matcher) has(t uint32) bool { return m.bits[t/64]&(1<<(t%64)) != 0 }

// wild notes the patterns that a word fits.
func (m *Matcher) wild(slot uint32, w *found, b []byte) {
	p := m.p
	at, i := &p.twigs[0], 0
	if p.shortest >= 3 { // where most words end is known at once
		if h := lead(b[0], b[1], b[2]); p.lead[h/64]&(1<<(h%64)) == 0 {
			return
		}
		third := p.thirds.get(uint64(b[0])<<16 | uint64(b[1])<<8 | uint64(b[2])).val
		if third == 0 {
			return
		}
		at, i = &p.twigs[third], 3
		m.fitting(at.pattern, slot, w, b[i:])
	}
	for ; i < len(b); i++ {
		k := bytes.IndexByte(p.labels[at.first:at.first+at.kids], b[i])
		if k < 0 {
			return
		}
		if at = &p.twigs[at.first+uint32(k)]; at.pattern != 0 {
			m.fitting(at.pattern, slot, w, b[i+1:])
		}
	}
}

// fitting notes the patterns, from n on, whose rest is that of a word.
func (m *Matcher) fitting(n, slot uint32, w *found, rest []byte) {
	for n != 0 {
		x := &m.p.patterns[n-1]
		n = x.next
		if !x.open && !glob(x.rest, rest) {
			continue
		}
		v := m.saw(x.leaf)
		m.link(v, slot)
		v.mask |= w.mask
		v.inside = v.inside || w.mask != w.all || m.hangul(w)
		m.mark(x.leaf, w.mask)
		if x.form != 0 {
			m.formsOf(x.form, slot)
		}
	}
}

// forms notes CASE and EXACT of the words that have such.
func (m *Matcher) forms() {
	for _, s := range m.special {
		m.formsOf(m.p.words[m.wordOf[s].id-1].form, s)
	}
}

func (m *Matcher) formsOf(first, slot uint32) {
	for _, i := range m.it.places(slot) {
		raw := m.it.Raw(i)
		piece := &m.it.scan.Pieces[i]
		for n := first; n != 0; n = m.p.forms[n-1].next {
			f := &m.p.forms[n-1]
			m.buffer = appendForm(m.buffer[:0], f.kind, raw)
			if f.wild && glob(f.key, m.buffer) || !f.wild && string(m.buffer) == f.key {
				m.at(f.leaf, uint32(i), piece)
			}
		}
	}
}

func appendForm(b []byte, kind formKind, raw string) []byte {
	if kind == cased {
		return text.AppendCased(b, raw)
	}
	return norm.NFC.AppendString(b, raw)
}

// at notes one place of a leaf.
func (m *Matcher) at(l, i uint32, piece *text.Piece) {
	x := m.saw(l)
	m.link(x, i)
	if piece.Inside {
		x.inside = true
		return
	}
	field := uint8(1) << m.it.Field(int32(i))
	x.mask |= field
	m.mark(l, field)
}

const maxStems = 1 << 15 // words of a language that are kept with their stems

// stem notes the stems that words of the item have in the program's languages.
func (m *Matcher) stem() {
	for k := range m.p.languages {
		l := &m.p.languages[k]
		known := m.stems[k]
		if known == nil || len(known) > maxStems {
			known = map[string]uint32{}
			m.stems[k] = known
		}
		for i := range m.it.scan.Pieces {
			piece := &m.it.scan.Pieces[i]
			if piece.Solo {
				continue
			}
			raw := m.it.Raw(int32(i))
			leaf, ok := known[raw]
			if !ok {
				if n, there := l.stems[m.p.known.Stem(l.code, raw)]; there {
					leaf = n + 1
				}
				known[string([]byte(raw))] = leaf // a copy: raw would keep the item
			}
			if leaf != 0 {
				m.at(leaf-1, uint32(i), piece)
			}
		}
	}
}

// phrases walks the trie at every token that a phrase can begin with.
func (m *Matcher) phrases() {
	p := m.p
	pieces, slots := m.it.scan.Pieces, m.it.slots
	field, end := 0, m.it.ends[0]
	m.starts = m.starts[:0]
	if len(p.edges.slots) == 0 || len(slots) == 0 {
		return
	}
	touch, mask := uint64(0), uint64(len(p.edges.slots)-1)
	at := m.wordOf[slots[0]].node
	for i, slot := range slots[1:] {
		w := m.wordOf[slot]
		if at != 0 && w.id != 0 {
			key := uint64(at)<<32 | uint64(w.id-1)
			if h := place(key); p.maybe(h) {
				touch ^= p.edges.slots[h&mask].key
				m.starts = append(m.starts, start{key, int32(i)})
			}
		}
		at = w.node
	}
	m.touched = touch
	for _, s := range m.starts {
		i := s.token
		if pieces[i].Inside {
			continue
		}
		e := p.edges.get(s.key)
		if e.val == 0 {
			continue
		}
		at, leaf := e.val, e.end
		paragraph := pieces[i].Paragraph
		for j := int(i) + 1; pieces[j].Paragraph == paragraph; {
			if leaf != 0 {
				for i >= end {
					field++
					end = m.it.ends[field]
				}
				x := m.saw(leaf - 1)
				m.link(x, uint32(i))
				if bit := uint8(1) << field; x.mask&bit == 0 {
					x.mask |= bit
					m.mark(leaf-1, bit)
				}
			}
			if j++; j == len(slots) {
				break
			}
			w := m.wordOf[slots[j]].id
			if w == 0 {
				break
			}
			key := uint64(at)<<32 | uint64(w-1)
			if !p.maybe(place(key)) {
				break
			}
			e := p.edges.get(key)
			if e.val == 0 {
				break
			}
			at, leaf = e.val, e.end
		}
	}
}

// spread tells the bags of what is there, and collects what waits for it.
func (m *Matcher) spread() {
	p := m.p
	for k := 0; k < len(m.present); k++ {
		t := m.present[k]
		from, to := p.streams[t], p.streams[t+1]
		if from.posts < to.posts {
			m.ranges = append(m.ranges, reach{from.posts, to.posts})
		}
		for i := from.side; i < to.side; {
			w := p.side[i]
			if lane := w >> laneShift & 3; lane != 0 {
				m.sideOf[lane-1] = append(m.sideOf[lane-1], i)
				i += p.side[i+1] & 0xFFFF
				continue
			}
			x := &m.bags[w&^sureBit]
			if x.item != m.items {
				*x = heap{item: m.items}
				m.set(p.bags[w&^sureBit].term)
			}
			x.sure = x.sure || w&sureBit != 0
			m.links = append(m.links, link{p.side[i+1], x.head})
			x.head = uint32(len(m.links))
			i += 2
		}
	}
}

// glob compares with * (any letters) and ? (one).
func glob(p string, s []byte) bool {
	i, j, star, mark := 0, 0, -1, 0
	for j < len(s) {
		switch {
		case i < len(p) && p[i] == '*':
			star, mark = i, j
			i++
		case i < len(p) && p[i] == '?':
			i++
			j += width(s[j:])
		case i < len(p) && p[i] == s[j]:
			i++
			j++
		case star >= 0:
			mark += width(s[mark:])
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i == len(p)
}

// width is the length of the character that b begins with.
func width(b []byte) int {
	n := 1
	for n < len(b) && b[n]&0xC0 == 0x80 {
		n++
	}
	return n
}
