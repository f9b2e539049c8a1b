package engine

import (
	"slices"

	"newsmonitor/pipeline/rule/text"
)

// Item is one item split into tokens, and its distinct words. It is read once
// and matched with any number of programs; it is used again for the next item.
type Item struct {
	Texts [Fields]string

	scan  text.Scan
	slots []uint32 // by token: its distinct word
	words []found
	table []uint32 // places of words, from 1
	ends  [Fields]int32
	first [Fields]int32 // unit at which a field begins
	cut   bool

	from     []int32 // by word: its places in at; made when needed
	at       []int32
	repeat   int8 // 0 unknown, 1 no, 2 yes
	failures []int32
	buffer   []byte
}

// found is a distinct word of an item.
type found struct {
	key   uint64
	hash  uint64 // of the key
	token int32  // where it first stands
	count int32
	slot  uint32 // in the table
	mask  uint8  // fields where it begins a word
	all   uint8  // fields
	long  bool   // more than 8 bytes: the key is a hash
}

// Read splits the texts of an item.
func (it *Item) Read(texts *[Fields]string) {
	for i := range it.words {
		it.table[it.words[i].slot] = 0
	}
	it.Texts = *texts
	it.scan.Reset()
	it.slots, it.words, it.from, it.at = it.slots[:0], it.words[:0], it.from[:0], it.at[:0]
	it.cut, it.repeat = false, 0
	if it.table == nil {
		it.table = make([]uint32, 2048)
	}
	var at text.Start
	for f, s := range texts {
		it.first[f] = at.Unit
		from := len(it.scan.Pieces)
		if s != "" && it.scan.Split(s, at, MaxWords) {
			it.cut = true
		}
		if n := len(it.scan.Pieces); n > from {
			last := &it.scan.Pieces[n-1]
			at = text.Start{Unit: last.Unit + apart, Sentence: last.Sentence + 1, Paragraph: last.Paragraph + 1}
			it.distinct(from, 1<<f)
		}
		it.ends[f] = int32(len(it.scan.Pieces))
	}
}

// Forget lets go of the texts.
func (it *Item) Forget() { it.Texts = [Fields]string{} }

// Len is the number of tokens.
func (it *Item) Len() int { return len(it.scan.Pieces) }

// Piece is one token.
func (it *Item) Piece(i int32) *text.Piece { return &it.scan.Pieces[i] }

// Folded is the folded text of a token; it stays until the next Read.
func (it *Item) Folded(i int32) []byte { return it.scan.Folded(&it.scan.Pieces[i]) }

// Field is the field that a token stands in.
func (it *Item) Field(i int32) int {
	f := 0
	for it.ends[f] <= i {
		f++
	}
	return f
}

// Raw is a token as it stands in the item.
func (it *Item) Raw(i int32) string {
	p := &it.scan.Pieces[i]
	return it.Texts[it.Field(i)][p.Start:p.End]
}

// distinct numbers the words of one field.
func (it *Item) distinct(from int, field uint8) {
	pieces := it.scan.Pieces
	words, table := it.words, it.table
	slots := slices.Grow(it.slots, len(pieces)-from)[:len(pieces)]
	mask := uint64(len(table) - 1)
	for i := from; i < len(pieces); i++ {
		p := &pieces[i]
		key, short := it.scan.Short(p)
		if !short {
			b := it.scan.Folded(p)
			key, short = keyOf(b), len(b) <= 8
		}
		h := place(key)
		j := h & mask
		var w *found
		for {
			v := table[j]
			if v == 0 {
				break
			}
			if x := &words[v-1]; x.key == key && x.long != short && (short || string(it.scan.Folded(&pieces[x.token])) == string(it.scan.Folded(p))) {
				w = x
				slots[i] = v - 1
				break
			}
			j = (j + 1) & mask
		}
		if w == nil {
			words = append(words, found{key: key, hash: h, token: int32(i), slot: uint32(j), long: !short})
			n := len(words)
			w = &words[n-1]
			table[j] = uint32(n)
			slots[i] = uint32(n - 1)
			if 2*n > len(table) {
				it.words = words
				it.grow()
				table = it.table
				mask = uint64(len(table) - 1)
			}
		}
		w.count++
		w.all |= field
		if !p.Inside {
			w.mask |= field
		}
	}
	it.words, it.slots = words, slots
}

// same tells whether a word of the same key is b.
func (it *Item) same(w *found, b []byte) bool {
	if len(b) <= 8 {
		return !w.long
	}
	return w.long && string(it.scan.Folded(&it.scan.Pieces[w.token])) == string(b)
}

func (it *Item) grow() {
	it.table = make([]uint32, 2*len(it.table))
	mask := uint64(len(it.table) - 1)
	for i := range it.words {
		j := it.words[i].hash & mask
		for it.table[j] != 0 {
			j = (j + 1) & mask
		}
		it.table[j], it.words[i].slot = uint32(i+1), uint32(j)
	}
}

// places returns the tokens of a word, in order.
func (it *Item) places(w uint32) []int32 {
	if len(it.from) == 0 {
		sum := int32(0)
		for i := range it.words {
			it.from = append(it.from, sum)
			sum += it.words[i].count
		}
		it.from = append(it.from, sum)
		if cap(it.at) < int(sum) {
			it.at = make([]int32, sum)
		}
		it.at = it.at[:sum]
		for i, s := range it.slots {
			it.at[it.from[s]] = int32(i)
			it.from[s]++
		}
		for i := len(it.words); i > 0; i-- { // each now stands at the next one's beginning
			it.from[i] = it.from[i-1]
		}
		it.from[0] = 0
	}
	return it.at[it.from[w]:it.from[w+1]]
}

// Words is the number of distinct words.
func (it *Item) Words() int { return len(it.words) }

// Word is the folded text of a distinct word; it stays until the next Read.
func (it *Item) Word(w int) []byte { return it.Folded(it.words[w].token) }

// WordKey is the Key of a distinct word.
func (it *Item) WordKey(w int) uint64 { return it.words[w].key }

// WordPlaces returns the tokens of a distinct word, in order.
func (it *Item) WordPlaces(w int) []int32 { return it.places(uint32(w)) }

// Places returns the tokens of a folded word, in order.
func (it *Item) Places(word string) []int32 {
	it.buffer = append(it.buffer[:0], word...)
	var long []byte
	if len(word) > 8 {
		long = it.buffer
	}
	if w := it.find(keyOf(it.buffer), long); w != nil {
		return it.places(it.table[w.slot] - 1)
	}
	return nil
}

// find returns a distinct word by its key, and by its text if that is long.
func (it *Item) find(key uint64, long []byte) *found {
	mask := uint64(len(it.table) - 1)
	for j := place(key) & mask; it.table[j] != 0; j = (j + 1) & mask {
		if w := &it.words[it.table[j]-1]; w.key == key && it.same(w, long) {
			return w
		}
	}
	return nil
}

// End is the number of tokens up to the end of a field.
func (it *Item) End(field int) int { return int(it.ends[field]) }

// Key stands for a folded word in Has. It is never 0, and of this process only.
func Key(word string) uint64 { return keyOf([]byte(word)) }

// Has tells whether a word may be there: two long words may, very improbably,
// have one key.
func (it *Item) Has(key uint64) bool {
	mask := uint64(len(it.table) - 1)
	for j := place(key) & mask; it.table[j] != 0; j = (j + 1) & mask {
		if it.words[it.table[j]-1].key == key {
			return true
		}
	}
	return false
}

// First is the unit at which a field begins.
func (it *Item) First(field int) int32 { return it.first[field] }

// Tokens appends all tokens, with their texts, which are copies.
func (it *Item) Tokens(tokens []text.Token) []text.Token { return it.scan.Tokens(tokens, 0) }

// Cut tells that a field has more words than MaxWords.
func (it *Item) Cut() bool { return it.cut }

// Repeats tells that the content holds the summary: its words stand there in a
// row, the last one, which may be cut, not counted.
func (it *Item) Repeats() bool {
	if it.repeat == 0 {
		it.repeat = 1
		a, b := it.slots[it.ends[Title]:it.ends[Summary]], it.slots[it.ends[Summary]:it.ends[Content]]
		if len(a) > 3 {
			a = a[:len(a)-1]
		}
		if len(a) > 0 && it.within(a, b) {
			it.repeat = 2
		}
	}
	return it.repeat == 2
}

// within finds a in b in linear time (Knuth, Morris and Pratt).
func (it *Item) within(a, b []uint32) bool {
	if len(a) > len(b) {
		return false
	}
	f := append(it.failures[:0], 0)
	for i, k := 1, int32(0); i < len(a); i++ {
		for k > 0 && a[i] != a[k] {
			k = f[k-1]
		}
		if a[i] == a[k] {
			k++
		}
		f = append(f, k)
	}
	it.failures = f
	k := int32(0)
	for _, x := range b {
		for k > 0 && x != a[k] {
			k = f[k-1]
		}
		if x == a[k] {
			if k++; int(k) == len(a) {
				return true
			}
		}
	}
	return false
}
