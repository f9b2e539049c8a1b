package engine

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
)

// seed keeps strangers from choosing words that fall on one place of a table.
// It is drawn once, as the words of items and of programs must agree.
var seed = [4]uint64{rand.Uint64() | 1, rand.Uint64() | 1, rand.Uint64() | 1, rand.Uint64() | 1}

func mix(a, b uint64) uint64 {
	high, low := bits.Mul64(a, b)
	return high ^ low
}

// keyOf is the bytes themselves when there are at most eight, else their hash.
func keyOf(b []byte) uint64 {
	if len(b) <= 8 {
		if cap(b) >= 8 {
			return binary.LittleEndian.Uint64(b[:8]) & (1<<(8*len(b)) - 1)
		}
		k := uint64(0)
		for i, c := range b {
			k |= uint64(c) << (8 * i)
		}
		return k
	}
	h := seed[0] ^ uint64(len(b))
	for ; len(b) > 8; b = b[8:] {
		h = mix(h^binary.LittleEndian.Uint64(b), seed[1])
	}
	return mix(h^keyOf(b[:len(b):len(b)]), seed[2])
}

// place spreads a key.
func place(key uint64) uint64 { return mix(key^seed[0], seed[3]) }

// table maps keys to a pair of numbers, the first not 0. Both stand beside the
// key: a look-up is one miss of the cache.
type table struct {
	slots []slot
	n     int
}

type slot struct {
	key      uint64
	val, end uint32
}

// get returns the slot of a key; its val is 0 if there is none.
func (t *table) get(key uint64) slot {
	if len(t.slots) == 0 {
		return slot{}
	}
	mask := uint64(len(t.slots) - 1)
	for i := place(key) & mask; ; i = (i + 1) & mask {
		if s := t.slots[i]; s.val == 0 || s.key == key {
			return s
		}
	}
}

// put adds a key that is not there.
func (t *table) put(key uint64, val uint32) {
	if 4*(t.n+1) > 3*len(t.slots) {
		old := t.slots
		t.slots = make([]slot, max(16, 2*len(old)))
		for _, s := range old {
			if s.val != 0 {
				*t.find(s.key) = s
			}
		}
	}
	*t.find(key) = slot{key: key, val: val}
	t.n++
}

// find returns where a key is, or where it belongs.
func (t *table) find(key uint64) *slot {
	mask := uint64(len(t.slots) - 1)
	for i := place(key) & mask; ; i = (i + 1) & mask {
		if s := &t.slots[i]; s.val == 0 || s.key == key {
			return s
		}
	}
}

func (t *table) bytes() int { return 16 * len(t.slots) }

// dict finds words: half of their hash beside their number, from 1.
type dict struct {
	slots []uint64
	n     int
}

// find returns the number of a word, or 0. h is the hash of its key, v what
// stands where its search begins.
func (p *Program) find(key, h uint64, b []byte, v uint64) uint32 {
	d := &p.dict
	mask := uint64(len(d.slots) - 1)
	for i := h & mask; v != 0; v = d.slots[i] {
		if v>>32 == h>>32 && p.is(uint32(v)-1, key, b) {
			return uint32(v)
		}
		i = (i + 1) & mask
	}
	return 0
}

// begin is where the search for a word begins.
func (d *dict) begin(h uint64) uint64 {
	if len(d.slots) == 0 {
		return 0
	}
	return d.slots[h&uint64(len(d.slots)-1)]
}

func (p *Program) is(id uint32, key uint64, b []byte) bool {
	w := &p.words[id]
	if w.key != key || (len(b) > 8) != (w.text != 0) {
		return false
	}
	return len(b) <= 8 || string(p.longText(w)) == string(b)
}

func (p *Program) longText(w *word) []byte {
	n := int(p.long[w.text])
	return p.long[w.text+1:][:n]
}

func (p *Program) addWord(b []byte) uint32 {
	key := keyOf(b)
	h := place(key)
	if id := p.find(key, h, b, p.dict.begin(h)); id != 0 {
		return id - 1
	}
	w := word{key: key}
	if len(b) > 8 {
		if len(p.long) == 0 {
			p.long = append(p.long, 0) // so that 0 is no place
		}
		w.text = uint32(len(p.long))
		p.long = append(append(p.long, byte(len(b))), b...)
	}
	p.words = append(p.words, w)
	d := &p.dict
	if d.n++; 4*d.n > 3*len(d.slots) {
		old := d.slots
		d.slots = make([]uint64, max(16, 2*len(old)))
		for _, v := range old {
			if v != 0 {
				d.set(p.words[uint32(v)-1].key, uint32(v))
			}
		}
	}
	d.set(key, uint32(len(p.words)))
	return uint32(len(p.words)) - 1
}

func (d *dict) set(key uint64, id uint32) {
	h := place(key)
	mask := uint64(len(d.slots) - 1)
	i := h & mask
	for d.slots[i] != 0 {
		i = (i + 1) & mask
	}
	d.slots[i] = h>>32<<32 | uint64(id)
}
