package engine

// Matcher is what is known of one item under one program. It is used again
// for the next item, by one at a time.
type Matcher struct {
	p  *Program
	it *Item

	wordOf  []known  // by distinct word of the item
	special []uint32 // distinct words with other forms
	begins  []uint64
	starts  []start
	ranges  []reach // of rules, by terms that are there
	touched uint64  // of tables read ahead, side by side, so that the misses of the cache overlap

	bits    []uint64 // by term: it is there
	present []uint32 // terms that are there
	local   []uint32 // by leaf: its number in seen; right only if that says so too
	seen    []sight
	bags    []heap // by bag; right if item is this one
	links   []link
	sideOf  [lanes][]uint32 // postings on the side, of terms that are there
	judged  []uint32        // by rule: the item that it was last judged for
	items   uint32

	views   []uint32 // by term, as local
	viewed  []view
	memos   []view // by memo; right if item is this one
	arena   []Span
	ints    []int32
	stack   [][]Span
	facts   Facts
	answers []int8 // by fact: 0 unknown, 1 no, 2 yes
	steps   int
	over    bool
	cut     bool
	postsN  int
	evals   int

	buffer []byte
	stems  []map[string]uint32 // by language: leaf from 1, of raw words that were met
}

// sight is a leaf that is there, other than a plain word.
type sight struct {
	leaf       uint32
	mask       uint8 // fields where it begins a word
	inside     bool  // it also stands inside a word
	head, tail uint32
	from, to   int32 // of ints, once listed
	listed     bool
}

// heap is the members of a bag that are there, the last one first.
type heap struct {
	item, head uint32
	sure       bool // one of them is a term that is there, which is enough
}

// link is one place or word of a leaf, first to last; or one member of a bag.
type link struct {
	at   uint32
	next uint32 // from 1
}

// known is what the program knows of a word; both are from 1.
type known struct {
	id   uint32
	node uint32 // where its phrases begin in the trie
}

// start is where two words may begin a phrase.
type start struct {
	key   uint64 // edge of the trie
	token int32
}

// reach is a part of the postings.
type reach struct{ from, to uint32 }

// view is where the places of a term or a shared node are kept.
type view struct {
	id    uint32 // term; or the item
	spans []Span
}

// NewMatcher makes the scratch that items are matched with.
func (p *Program) NewMatcher() *Matcher {
	return &Matcher{p: p, bits: make([]uint64, len(p.terms)/64+1), local: make([]uint32, len(p.leaves)), views: make([]uint32, len(p.terms)),
		judged: make([]uint32, len(p.roots[Rules])), bags: make([]heap, len(p.bags)), memos: make([]view, p.memos+1), answers: make([]int8, len(p.facts)), stems: make([]map[string]uint32, len(p.languages))}
}
