package alert

// alike says how sure it is that an item tells the same news as a carrier, 0
// for not. Boilerplate must not decide: two notices of one office share most of
// their text, so telling words do, and text only beside them.
func (l *looked) alike(c *sketch, sameFeed bool) float64 {
	if l.link != 0 && l.link == c.link {
		return 3
	}
	s := l.share(c)
	text := l.sameText(c)
	if s.figures || sameFeed && l.figures != 0 && c.figures != 0 && l.figures != c.figures {
		return 0 // the same form, filled in anew
	}
	switch {
	case sameFeed:
		// A publisher seldom says the same twice, and often nearly the same of
		// something else.
		if s.most >= 0.8 && s.weight >= 4 && (text >= 0.6 || s.weight >= 12) {
			return s.most
		}
		return 0
	case l.title != 0 && l.title == c.title && (s.most >= 0.5 || l.bare || c.bare):
		return 2
	case text >= 0.5 && s.most >= 0.6 && s.weight >= 4:
		return 1 + text
	case s.most < 0.4 || s.weight < 5 || s.most*s.weight < 4.2:
	case s.words >= 7, s.words >= 4 && (s.most >= 0.7 || text >= 0.1):
		// Fewer words are the victim's or the culprit's name, which every act
		// of a long affair has.
		return s.most
	}
	return 0
}

// copies says whether an item is the very text of a carrier, as an organ's
// second feed brings it.
func (l *looked) copies(c *sketch) bool {
	return l.link != 0 && l.link == c.link || l.title != 0 && l.title == c.title && (l.bare || c.bare || l.sameText(c) >= 0.8)
}

// shared is what two items have in common of their telling words.
type shared struct {
	words  int     // that both have
	weight float64 // of the words that both have
	most   float64 // its share of the one of which more is in the other
	least  float64

	figures bool // both give numbers, and hardly one is the same
}

func (l *looked) share(c *sketch) (s shared) {
	// The carrier's words in all of the item, and the item's own in what is
	// kept of the carrier: either may be the shorter text.
	var theirs, inMine float64
	var numbers [3]int // theirs, mine, both
	var both [2]int
	kept := make(map[uint32]uint8, len(c.words))
	for _, w := range c.words {
		kept[w.hash] = w.kind
		theirs += weights[w.kind]
		numbers[0] += int(w.hash & 1)
		if mine, ok := l.all[w.hash]; ok {
			numbers[2] += int(w.hash & 1)
			both[0]++
			inMine += weights[min(mine, w.kind)]
		}
	}
	var mine, inTheirs float64
	for _, w := range l.words {
		mine += weights[w.kind]
		numbers[1] += int(w.hash & 1)
		if k, ok := kept[w.hash]; ok {
			both[1]++
			inTheirs += weights[min(k, w.kind)]
		}
	}
	a, b := part(inMine, theirs), part(inTheirs, mine)
	fewest := min(numbers[0], numbers[1])
	return shared{words: max(both[0], both[1]), figures: fewest >= 2 && numbers[2]*4 < fewest, weight: max(inMine, inTheirs), most: max(a, b), least: min(a, b)}
}

func part(x, of float64) float64 {
	if of == 0 {
		return 0
	}
	return x / of
}

// sameText estimates how much of the first paragraphs is the same (Jaccard
// index of their shingles).
func (l *looked) sameText(c *sketch) float64 {
	if l.short || c.short {
		return 0
	}
	n := 0
	for i, h := range l.hashes {
		if h == c.hashes[i] {
			n++
		}
	}
	const byChance = 1.0 / 256
	return max(0, (float64(n)/minhashes-byChance)/(1-byChance))
}
