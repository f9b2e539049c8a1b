package rule

import (
	"newsmonitor/pipeline/rule/engine"
	"newsmonitor/pipeline/rule/query"
)

// sign is something that an item shows: a bit for a word, or for the first
// three bytes of one. Many share a bit, so it only ever says no. 0 is shown by
// all.
type sign uint16

// signs are what an item must show for an expr to stand in it anywhere. A list
// of hundreds of words is gone through by their signs, which stand side by
// side, not by its exprs.
type signs [2]sign

const signBits = 14

func signOf(key uint64) sign { return sign(key*0x9E3779B97F4A7C15>>(64-signBits)) + 1 }

func signOfHead(a, b, c byte) sign { return signOf(1<<24 | uint64(a)<<16 | uint64(b)<<8 | uint64(c)) }

// signify finds the signs of an expr whose kids have theirs.
func (e *expr) signify() {
	e.sign, e.signs = signs{}, nil
	switch e.op {
	case query.Word:
		if e.need != 0 {
			e.sign.add(signOf(e.need)) // the longest: the rarest, mostly
		}
		for i := range e.terms {
			t := &e.terms[i]
			switch {
			case t.Any || t.language != "":
			case !t.Wild:
				e.sign.add(signOf(engine.Key(t.Text)))
			case t.head >= 3:
				e.sign.add(signOfHead(t.Text[0], t.Text[1], t.Text[2]))
			}
		}
	case query.Field, query.Except, query.First:
		e.sign = e.kids[0].sign
	case query.Near, query.Onear, query.Sent, query.Para:
		a, b := e.kids[0].sign, e.kids[1].sign
		for _, s := range [4]sign{a[0], b[0], a[1], b[1]} {
			e.sign.add(s)
		}
	case query.Or:
		e.signs = make([]signs, len(e.kids))
		for i, k := range e.kids {
			e.signs[i] = k.sign
		}
	}
}

// add notes one more, while there is room.
func (s *signs) add(x sign) {
	switch {
	case x == 0 || x == s[0] || s[1] != 0:
	case s[0] == 0:
		s[0] = x
	default:
		s[1] = x
	}
}

// shows tells whether an item may have what has these signs.
func (d *document) shows(s signs) bool {
	if s[0] == 0 {
		return true
	}
	if d.signs == nil {
		d.sign()
	}
	return d.has(s[0]) && (s[1] == 0 || d.has(s[1]))
}

func (d *document) has(s sign) bool {
	s--
	return d.signs[s/64]&(1<<(s%64)) != 0
}

func (d *document) sign() {
	d.signs = new([1 << signBits / 64]uint64)
	set := func(s sign) { d.signs[(s-1)/64] |= 1 << ((s - 1) % 64) }
	for w := range d.item.Words() {
		set(signOf(d.item.WordKey(w)))
		if word := d.item.Word(w); len(word) >= 3 {
			set(signOfHead(word[0], word[1], word[2]))
		}
	}
}
