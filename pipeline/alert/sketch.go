package alert

import (
	"cmp"
	"hash/fnv"
	"math"
	"slices"
	"strings"
	"unicode"

	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/rule/text"
)

// A sketch is what is remembered of an item to tell whether a later one tells
// the same news: its link, its title, the telling words of its title and first
// paragraphs, and a minhash of those paragraphs. It travels as the header
// Nm-Sketch of the alert: hashes only, so nothing that a stranger wrote, and at
// most maxSketch characters.

const (
	sketchVersion = 2   // 1 did not say where words stand, nor acts
	maxSketch     = 192 // characters of Nm-Sketch
	sketchLead    = 180 // tokens of the text that are looked at: who did what to whom stands there
	sketchOpening = 40  // tokens of the first sentence that open a text
	sketchTitle   = 60
	keptWords     = 24 // telling words that a sketch keeps
	minhashes     = 24 // of 8 bits
	shingle       = 3  // tokens
	bareLead      = 12 // tokens: less is no text
)

// telling is a word by its hash, how much it tells, and where it stands.
type telling struct {
	hash  uint32 // 21 bits, the lowest of them set for a number
	kind  uint8  // index of weights
	place uint8  // inTitle, inOpening
}

// Where a word stands: a report tells its own news in its title and its first
// sentence, and recalls older ones further down.
const (
	inTitle   = 1 << iota
	inOpening // in the first sentence of the text
)

// weights of telling words: 3 bits in a sketch.
var weights = [8]float64{0.5, 0.75, 1, 1.5, 2, 3, 4.5, 6}

// kindID is that of numbers that name one case.
const kindID = 7

// sketch of an item, as stored and read again.
type sketch struct {
	fetched int64  // Unix, milliseconds
	link    uint64 // 48 bits, 0 for none
	title   uint64 // 32 bits, 0 when it tells too little
	hashes  [minhashes]uint8
	short   bool   // too little text for hashes
	bare    bool   // hardly more than a title
	figures uint16 // hash of the title's numbers, dates too; 0 without
	acts    uint16 // what the title says was done, a bit for each of acts
	old     bool   // of version 1
	words   []telling
	voice   voiced
}

// voiced is who speaks, as far as it decides whether a carrier is news.
type voiced struct {
	rank    uint8 // see ranks
	raised  uint8 // rank of the severity at which the alert went to people, 0 for none
	country [2]byte
	organ   uint32 // hash of the authoritative source's organ, 0 when it is none
	speaker uint32 // hash of the voice, 0 when it was not recognised
}

// looked is an item as it is compared with sketches: all its telling words.
type looked struct {
	sketch
	all map[uint32]telling
}

// look makes an item's sketch.
func look(it feed.Item) looked {
	l := looked{all: map[uint32]telling{}}
	l.fetched = it.Fetched.UnixMilli()
	if link := feed.Canonical(it.Link); tellingLink(link) {
		l.link = hash64("link", link) >> 16
	}
	lead := leadOf(it)
	title, body := wordsOf(headline(it.Title), sketchTitle), wordsOf(lead, sketchLead)
	var spelled, figures strings.Builder
	for _, w := range title {
		spelled.WriteString(w.text + " ")
		if w.number {
			figures.WriteString(w.text + " ")
		}
	}
	l.tell(title, body)
	// Two notices can have the title "Cyber-related Designations".
	if tells := l.tells(title); tells >= 3 || tells >= 1 && len(title) >= 6 {
		l.title = hash64("title", spelled.String()) >> 32
	}
	if figures.Len() > 0 {
		l.figures = uint16(hash64("figures", figures.String())) | 1
	}
	l.acts = actsOf(title)
	l.bare = len(body) < bareLead
	l.hashes, l.short = minhash(it.Title, lead)
	l.words = make([]telling, 0, len(l.all))
	for _, w := range l.all {
		l.words = append(l.words, w)
	}
	slices.SortFunc(l.words, func(a, b telling) int { return cmp.Or(cmp.Compare(b.kind, a.kind), cmp.Compare(a.hash, b.hash)) })
	l.words = l.words[:min(len(l.words), keptWords)]
	return l
}

// headline is a title without what outlets add to it: their name at its end,
// the number of the update before it.
func headline(title string) string {
	if before, rest, ok := strings.Cut(title, "-"); ok && strings.HasPrefix(before, "UPDATE ") && len(before) <= 9 {
		title = rest
	}
	for _, mark := range []string{" - ", " | ", " – ", " — "} {
		if i := strings.LastIndex(title, mark); i > 0 && len(strings.Fields(title[i:])) <= 5 && len(strings.Fields(title[:i])) >= 4 {
			return title[:i]
		}
	}
	return title
}

// leadOf is where an item's text begins: its summary, and its content where
// that does not begin with the same.
func leadOf(it feed.Item) string {
	const most = 8 << 10 // bytes: more than sketchLead tokens of any script
	summary, content := it.Summary, it.Content[:min(len(it.Content), most)]
	begins := strings.TrimRight(summary, ". …")
	if len(content) <= len(summary)/2 {
		return summary
	}
	if strings.HasPrefix(content, begins[:min(len(begins), 40)]) {
		return content
	}
	return summary + "\n" + content
}

// tell fills in the words that tell something.
func (l *looked) tell(title, body []sketched) {
	lower := map[string]bool{}
	for _, w := range body {
		if !w.capital && !w.number && !w.pair {
			lower[w.text] = true
		}
	}
	titled := map[string]bool{}
	for _, w := range title {
		titled[w.text] = true
	}
	for n, field := range [2][]sketched{title, body} {
		capitals, first := capitalsTell(field), 0
		if len(field) > 0 {
			first = field[0].sentence
		}
		for i, w := range field {
			var next *sketched
			if i+1 < len(field) {
				next = &field[i+1]
			}
			k := kindOf(w, next, capitals && !lower[w.text])
			if k < 0 {
				continue
			}
			if titled[w.text] {
				k = min(k+1, max(k, kindID-1))
			}
			have := l.all[w.hash()]
			have.hash, have.kind = w.hash(), max(have.kind, uint8(k))
			switch {
			case n == 0:
				have.place |= inTitle
			case i < sketchOpening && w.sentence == first:
				have.place |= inOpening
			}
			l.all[have.hash] = have
		}
	}
}

func (w sketched) hash() uint32 {
	h := uint32(hash64("word", w.text)>>43) &^ 1
	if w.number {
		h |= 1
	}
	return h
}

// tells is the weight of the words of a field.
func (l *looked) tells(field []sketched) (sum float64) {
	seen := map[string]bool{}
	for _, w := range field {
		if t, ok := l.all[w.hash()]; ok && !seen[w.text] {
			sum += weights[t.kind]
			seen[w.text] = true
		}
	}
	return sum
}

// capitalsTell says whether capitals mark names in a field: not in a headline
// in capitals, and not in German.
func capitalsTell(field []sketched) bool {
	capital, all := 0, 0
	for _, w := range field {
		if w.opening || w.number || w.pair || len(w.text) < 3 {
			continue
		}
		all++
		if w.capital {
			capital++
		}
	}
	return capital*5 <= all*2
}

// kindOf says how much a word tells, as an index of weights, or -1.
func kindOf(w sketched, next *sketched, name bool) int {
	switch {
	case plain[w.text]:
		return -1
	case w.pair:
		return 2
	case w.id:
		return kindID
	case w.number:
		return numberKind(w.text, next)
	case strings.ContainsAny(w.text, "0123456789"): // apt41
		return 5
	case weak[w.text]:
		return 0
	case unicode.Is(unicode.Katakana, []rune(w.text)[0]):
		return 4
	case w.capital && name && !w.opening && len(w.text) > 1:
		return 5
	case len(w.text) < 3:
		return -1
	case w.capital && name:
		return 3
	case len([]rune(w.text)) < 4:
		return -1
	}
	return 2
}

// numberKind: years, days and small numbers are everywhere.
func numberKind(w string, next *sketched) int {
	if len(w) < 2 || year(w) {
		return -1
	}
	if len(w) == 2 && w <= "31" {
		return -1
	}
	if next != nil && next.pair && strings.HasPrefix(next.text, "月") {
		return -1
	}
	return 4
}

// minhash is the 8-bit minhash of the lead's shingles, or of the title's when
// there is hardly any lead.
func minhash(title, lead string) (out [minhashes]uint8, short bool) {
	scan := scans.Get().(*text.Scan)
	defer scans.Put(scan)
	scan.Reset()
	scan.Split(lead, text.Start{}, sketchLead)
	if len(scan.Pieces) < bareLead {
		scan.Split(title, text.Start{Sentence: 1 << 20}, sketchTitle)
	}
	if len(scan.Pieces) < shingle+2 {
		return out, true
	}
	var least [minhashes]uint64
	for i := range least {
		least[i] = math.MaxUint64
	}
	for i := 0; i+shingle <= len(scan.Pieces); i++ {
		h := fnv.New64a()
		for j := range shingle {
			_, _ = h.Write(scan.Folded(&scan.Pieces[i+j]))
			_, _ = h.Write([]byte{' '})
		}
		x := h.Sum64()
		for k := range least {
			least[k] = min(least[k], mix(x+uint64(k)*0x9E3779B97F4A7C15))
		}
	}
	for k := range least {
		out[k] = uint8(least[k])
	}
	return out, false
}

// mix is the finaliser of SplitMix64.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
	x = (x ^ x>>27) * 0x94D049BB133111EB
	return x ^ x>>31
}

func hash64(kind, s string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(kind + "\x00" + s))
	return mix(h.Sum64())
}

// tellingLink says whether a link leads to one document and not to a site or
// to one of its pages for all.
func tellingLink(link string) bool {
	_, path, ok := strings.Cut(link, "://")
	if !ok {
		return false
	}
	_, path, _ = strings.Cut(path, "/")
	return len(strings.Trim(path, "/")) >= 8 && (strings.Contains(path, "?") || strings.ContainsAny(path, "/-_.") || strings.ContainsAny(path, "0123456789"))
}
