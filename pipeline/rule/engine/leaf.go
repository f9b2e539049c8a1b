package engine

// What words and phrases of queries become: leaves, and terms of them.

import (
	"strings"

	"golang.org/x/text/unicode/norm"

	"newsmonitor/pipeline/rule/query"
	"newsmonitor/pipeline/rule/text"
)

// word compiles a word or phrase.
func (b *Builder) word(n *query.Node, s scope) Ref {
	if s.form == plain {
		if r, ok := b.quick(n.Text, s.mask); ok {
			return r
		}
	}
	terms := query.Terms(n.Text)
	leaves := make([]uint32, len(terms))
	straight := true
	for i, t := range terms {
		if t.Any {
			leaves[i] = none
			straight = false
			continue
		}
		leaves[i] = b.atom(t, s)
		straight = straight && b.p.leaves[leaves[i]].kind == wordLeaf
	}
	switch {
	case len(leaves) == 0 || len(leaves) == 1 && leaves[0] == none:
		return never
	case len(leaves) == 1:
		return b.term(leaves[0], s.mask)
	case straight:
		words := make([]uint32, len(leaves))
		for i, l := range leaves {
			words[i] = b.p.leaves[l].info
		}
		return b.term(b.phrase(words), s.mask)
	}
	kids := make([]Ref, len(leaves))
	anything, begin := true, uint16(1)
	for i, l := range leaves {
		kids[i] = anyWord
		if l != none {
			kids[i], anything = b.term(l, allMask), false
			if i > 0 && b.p.syllable(l) {
				begin = 0
			}
		}
	}
	if anything {
		return never
	}
	return b.node(node{op: opPhrase, mask: s.mask, n: begin}, kids)
}

// quick compiles plain words without a wildcard, which nearly all are.
func (b *Builder) quick(s string, mask uint8) (Ref, bool) {
	if strings.ContainsAny(s, "*?") {
		return 0, false
	}
	b.scan.Reset()
	b.scan.Split(s, text.Start{}, MaxWords)
	pieces := b.scan.Pieces
	var small [query.MaxPhrase]uint32
	words := small[:0]
	for i := range pieces {
		words = append(words, b.p.addWord(b.scan.Folded(&pieces[i])))
	}
	switch len(words) {
	case 0:
		return never, true
	case 1:
		return b.term(b.wordLeaf(words[0]), mask), true
	}
	return b.term(b.phrase(words), mask), true
}

// atom is the leaf of one word in one form.
func (b *Builder) atom(t query.Term, s scope) uint32 {
	if s.form == stems && !t.Solo {
		code := s.language
		if code == "" {
			code = b.p.known.Language(t.Raw)
		}
		return b.stemLeaf(code, b.p.known.Stem(code, t.Raw))
	}
	var base uint32
	if t.Wild {
		base = b.wildLeaf(t.Text)
	} else {
		base = b.wordLeaf(b.p.addWord([]byte(t.Text)))
	}
	switch s.form {
	case cased:
		return b.formLeaf(cased, base, text.Cased(t.Raw), t.Wild)
	case exact:
		return b.formLeaf(exact, base, norm.NFC.String(t.Raw), t.Wild)
	}
	return base
}

func (b *Builder) leaf(kind leafKind, info uint32) uint32 {
	b.p.leaves = append(b.p.leaves, leaf{kind: kind, info: info})
	b.odds = append(b.odds, usual)
	return uint32(len(b.p.leaves) - 1)
}

func (b *Builder) wordLeaf(w uint32) uint32 {
	x := &b.p.words[w]
	if x.leaf == 0 {
		x.leaf = b.leaf(wordLeaf, w) + 1
		b.odds[x.leaf-1] = b.oddsOf(w)
	}
	return b.p.words[w].leaf - 1
}

func (b *Builder) formLeaf(kind formKind, base uint32, key string, wild bool) uint32 {
	k := formKey{kind: kind, base: base, key: key}
	l, ok := b.formOf[k]
	if ok {
		return l
	}
	l = b.leaf(formLeaf, base)
	b.formOf[k] = l
	var first *uint32
	switch x := &b.p.leaves[base]; x.kind {
	case wordLeaf:
		first = &b.p.words[x.info].form
	default:
		first = &b.p.patterns[x.info].form
	}
	b.odds[l] = b.odds[base] / 2
	b.p.forms = append(b.p.forms, form{key: key, leaf: l, next: *first, kind: kind, wild: wild})
	*first = uint32(len(b.p.forms))
	return l
}

func (b *Builder) stemLeaf(code, stem string) uint32 {
	k := formKey{kind: stems, language: code, key: stem}
	l, ok := b.formOf[k]
	if ok {
		return l
	}
	l = b.leaf(formLeaf, none)
	b.formOf[k] = l
	for i := range b.p.languages {
		if b.p.languages[i].code == code {
			b.p.languages[i].stems[stem] = l
			return l
		}
	}
	b.p.languages = append(b.p.languages, language{code, map[string]uint32{stem: l}})
	return l
}

// wildLeaf adds a pattern below the bytes before its first wildcard.
func (b *Builder) wildLeaf(s string) uint32 {
	if l, ok := b.wildOf[s]; ok {
		return l
	}
	p := b.p
	head := strings.IndexAny(s, "*?")
	l := b.leaf(wildLeaf, uint32(len(p.patterns)))
	b.asked = append(b.asked[:0], s)
	b.odds[l] = float32(p.known.Odds(b.asked))
	b.wildOf[s] = l
	at := uint32(0)
	for _, c := range []byte(s[:head]) {
		edge := uint64(at)<<8 | uint64(c)
		next := b.heads.get(edge).val
		if next == 0 {
			b.wilds = append(b.wilds, 0)
			next = uint32(len(b.wilds) - 1)
			b.heads.put(edge, next)
		}
		at = next
	}
	p.patterns = append(p.patterns, pattern{rest: s[head:], leaf: l, next: b.wilds[at], open: s[head:] == "*"})
	b.wilds[at] = uint32(len(p.patterns))
	if head >= 3 {
		h := lead(s[0], s[1], s[2])
		p.lead[h/64] |= 1 << (h % 64)
	}
	if len(p.patterns) == 1 || head < p.shortest {
		p.shortest = head
	}
	return l
}

// phrase adds words that stand side by side to the trie.
func (b *Builder) phrase(words []uint32) uint32 {
	p := b.p
	first := &p.words[words[0]]
	if first.node == 0 {
		b.tries++
		first.node = b.tries
	}
	at, edge := first.node, uint64(0)
	for _, w := range words[1:] {
		edge = uint64(at)<<32 | uint64(w)
		next := p.edges.get(edge).val
		if next == 0 {
			b.tries++
			next = b.tries
			p.edges.put(edge, next)
		}
		at = next
	}
	last := p.edges.find(edge)
	if last.end == 0 {
		last.end = b.leaf(phraseLeaf, uint32(len(words))) + 1
		b.odds[last.end-1] = b.oddsOf(words...)
	}
	p.longest = max(p.longest, len(words))
	return last.end - 1
}

// term is a leaf in some fields.
func (b *Builder) term(l uint32, mask uint8) Ref {
	key := uint64(l)<<8 | uint64(mask)
	t := b.termOf.get(key).val
	if t == 0 {
		x := &b.p.leaves[l]
		b.p.terms = append(b.p.terms, term{leaf: l, mask: mask})
		b.more = append(b.more, x.term)
		t = uint32(len(b.p.terms))
		x.more = x.term != 0
		x.term, x.mask = t, mask
		if x.kind == wordLeaf {
			w := &b.p.words[x.info]
			w.term, w.mask, w.more = x.term, x.mask, x.more
		}
		b.termOf.put(key, t)
		b.uses = append(b.uses, 0)
	}
	b.uses[t-1]++
	return kindTerm | Ref(t-1)
}
