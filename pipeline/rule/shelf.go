package rule

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"slices"

	"newsmonitor/pipeline/problem"
	"newsmonitor/pipeline/rule/query"
)

// A set of 100,000 rules must not fill the memory with what is asked for only
// when a rule fires or is listed. What matching needs of a rule stands in the
// engine; the rest is written down shortly, in the canonical form of its
// queries, and packed together with that of its neighbours. Tests are not
// kept: who runs them reads the files again.

// rule is what is kept of a rule: what tells it from others, what it depends
// on, and where the rest is.
type rule struct {
	id       string
	file     *version
	pack     *pack
	depends  *depends // nil when it depends on nothing outside its file
	chance   float32  // Price.Probability
	n        uint16   // its number in the pack
	disabled bool
}

// depends is what a rule depends on outside its file, and what was said of it.
type depends struct {
	lists listsOf // that its queries mean
	uses  []use
	asks  bool // for states, voices or channels
	stale bool // it was made of an older version of its file
	said  problem.List
}

func (r *rule) lists() listsOf {
	if r.depends == nil {
		return nil
	}
	return r.depends.lists
}

// spelled is a rule spelled out; its Rule has no price.
type spelled struct {
	Rule
	file       *version
	node, not  *query.Node // of match and unless; not may be nil
	raise      []raise
	where      where
	slow       bool
	unanchored bool
}

type raise struct {
	to   Severity
	when *query.Node
}

// packSize is how much stands in a pack, before it is packed: more packs
// better, less is opened faster.
const packSize = 16 << 10

// pack is some rules, packed together.
type pack struct {
	open   []*spelled // while the set is being loaded
	packed []byte
	size   int // unpacked
}

// shelf is where a load puts its rules.
type shelf struct {
	packs []*pack
}

// add puts a rule onto the shelf.
func (s *shelf) add(x *spelled, d *depends) *rule {
	if n := len(s.packs); n == 0 || s.packs[n-1].size > packSize {
		s.packs = append(s.packs, &pack{})
	}
	b := s.packs[len(s.packs)-1]
	b.size += 64 + len(x.Title) + len(x.About) + len(x.Query) + len(x.Unless)
	b.open = append(b.open, x)
	r := &rule{id: x.ID, file: x.file, pack: b, n: uint16(len(b.open) - 1), disabled: x.Disabled != "", chance: float32(x.Probability)}
	if d != nil {
		r.depends = &depends{}
		*r.depends = *d
	}
	return r
}

// close packs what was put onto the shelf. Nobody else may see it before.
func (s *shelf) close() {
	var out bytes.Buffer
	w, _ := flate.NewWriter(&out, flate.BestSpeed) // the level is a right one
	var p packer
	for _, b := range s.packs {
		p = p[:0]
		for _, x := range b.open {
			p.rule(x)
		}
		out.Reset()
		w.Reset(&out)
		_, _ = w.Write(p) // a buffer takes everything
		_ = w.Close()
		b.size, b.open = len(p), nil
		if b.packed = slices.Clone(out.Bytes()); len(b.packed) >= len(p) { // of one short rule
			b.packed = slices.Clone(p)
		}
	}
	s.packs = nil
}

// unpack returns what stands in the pack.
func (b *pack) unpack() []byte {
	if len(b.packed) == b.size {
		return b.packed
	}
	out := make([]byte, b.size)
	if _, err := io.ReadFull(flate.NewReader(bytes.NewReader(b.packed)), out); err != nil {
		panic(fmt.Sprintf("unpack rules: %v", err)) // only close writes it
	}
	return out
}

// unpacked opens rules one after the other: neighbours share a pack. The zero
// value is ready.
type unpacked struct {
	pack *pack
	text unpacker
	next uint16
}

// rule spells a rule out.
func (u *unpacked) rule(r *rule) *spelled {
	if r.pack.open != nil {
		return r.pack.open[r.n]
	}
	if u.pack != r.pack || u.next > r.n {
		u.pack, u.text, u.next = r.pack, unpacker(r.pack.unpack()), 0
	}
	for ; u.next < r.n; u.next++ {
		u.text.bytes()
	}
	u.next++
	in := unpacker(u.text.bytes())
	return in.rule(r.file)
}

// spell spells one rule out.
func (r *rule) spell() *spelled {
	var u unpacked
	return u.rule(r)
}

// packer writes values one after the other, each string after its length.
type packer []byte

func (p *packer) number(n int)    { *p = binary.AppendUvarint(*p, uint64(n)) }
func (p *packer) string(s string) { p.number(len(s)); *p = append(*p, s...) }
func (p *packer) strings(s []string) {
	p.number(len(s))
	for _, x := range s {
		p.string(x)
	}
}

func (p *packer) flag(b bool) {
	*p = append(*p, 0)
	if b {
		(*p)[len(*p)-1] = 1
	}
}

func (p *packer) rule(x *spelled) {
	var q packer
	q.string(x.ID)
	q.string(x.Title)
	q.string(x.About)

	q.number(x.Severity.Rank() + 1)
	q.string(x.Query)
	q.string(x.Unless)
	version, _ := hex.DecodeString(x.Version)
	q = append(q, version...)
	q.number(x.Line)
	q.number(x.Budget)
	q.strings(x.References)
	q.string(x.Disabled)
	q.number(x.Tests)
	q.number(len(x.raise))
	for _, r := range x.raise {
		q.number(r.to.Rank() + 1)
		q.string(query.Format(r.when))
	}
	q.number(len(x.where.keys))
	for _, k := range x.where.keys {
		q.string(k.name)
		q.string(k.fact)
		q.strings(k.values)
	}
	q.flag(x.slow)
	q.flag(x.unanchored)
	p.string(string(q))
}

// unpacker reads what packer wrote.
type unpacker []byte

func (u *unpacker) number() int {
	n, size := binary.Uvarint(*u)
	*u = (*u)[size:]
	return int(n)
}

func (u *unpacker) take(n int) []byte {
	b := (*u)[:n]
	*u = (*u)[n:]
	return b
}

func (u *unpacker) bytes() []byte  { return u.take(u.number()) }
func (u *unpacker) string() string { return string(u.bytes()) }
func (u *unpacker) flag() bool     { return u.take(1)[0] != 0 }
func (u *unpacker) strings() []string {
	out := make([]string, u.number())
	for i := range out {
		out[i] = u.string()
	}
	return out
}

func (u *unpacker) severity() Severity {
	if n := u.number(); n > 0 {
		return Severities[n-1]
	}
	return ""
}

// query reads a canonical query.
func (u *unpacker) query() (*query.Node, string) {
	s := u.string()
	if s == "" {
		return nil, ""
	}
	n, _ := query.Parse(s)
	return n, s
}

func (u *unpacker) rule(file *version) *spelled {
	x := &spelled{file: file, Rule: Rule{File: file.name, ID: u.string(), Title: u.string(), About: u.string(), Channel: file.channel.Channel, Severity: u.severity()}}
	x.node, x.Query = u.query()
	x.not, x.Unless = u.query()
	x.Version = hex.EncodeToString(u.take(6))
	x.Line, x.Budget, x.References, x.Disabled, x.Tests = u.number(), u.number(), u.strings(), u.string(), u.number()
	for range u.number() {
		r := raise{to: u.severity()}
		r.when, _ = u.query()
		x.raise = append(x.raise, r)
	}
	for range u.number() {
		x.where.keys = append(x.where.keys, whereKey{u.string(), u.string(), u.strings()})
	}
	x.slow, x.unanchored = u.flag(), u.flag()
	return x
}

// entry is the rule as it could have been written, but for its tests.
func (x *spelled) entry() *ruleEntry {
	e := &ruleEntry{ID: x.ID, Title: x.Title, About: x.About, Severity: string(x.Severity), Match: x.Query, Unless: x.Unless,
		SlowOK: x.slow, Unanchored: x.unanchored, References: x.References, Disabled: x.Disabled}
	if x.Budget > 0 {
		e.Budget = &x.Budget
	}
	for _, r := range x.raise {
		e.Raise = append(e.Raise, raiseEntry{To: string(r.to), When: query.Format(r.when)})
	}
	for _, k := range x.where.keys {
		*e.Where.at(k.name) = k.values
	}
	return e
}
