package alert

import "slices"

// alike says how sure it is that an item tells the same news as a carrier, 0
// for not. Boilerplate must not decide: two notices of one office share most of
// their text, so telling words do, and text only beside them.
func (l *looked) alike(c *sketch, sameFeed bool) float64 {
	s := l.share(c)
	text := l.sameText(c)
	if l.link != 0 && l.link == c.link && !s.otherCase {
		return 3
	}
	if s.contradict || sameFeed && l.figures != 0 && c.figures != 0 && l.figures != c.figures {
		return 0 // the same form, filled in anew
	}
	sameTitle, bare := l.title != 0 && l.title == c.title, l.bare || c.bare
	organs := l.voice.rank == rankOwn && c.voice.rank == rankOwn
	switch {
	case sameTitle && bare && s.most >= 0.8:
		return 2
	case sameFeed:
		// A publisher seldom says the same twice, and often nearly the same of
		// something else.
		if s.most >= 0.8 && s.weight >= 4 && (text >= 0.6 || s.weight >= 12 && text >= 0.35) {
			return s.most
		}
		return 0
	case organs && sameTitle && text < 0.5:
		return 0 // two offices of one form
	case sameTitle && (s.most >= 0.5 || bare):
		return 2
	case text >= 0.5 && s.most >= 0.6 && s.weight >= 4:
		return 1 + text
	case s.most < 0.4 || s.weight < 5 || s.most*s.weight < 4.2:
		return 0
	case c.old || l.tellsTheSame(c, s, text, organs):
		return s.most
	}
	return 0
}

// tellsTheSame says whether two items that share names and figures tell one
// event, and not one of them recalls the other's further down, answers it or
// acts on it.
func (l *looked) tellsTheSame(c *sketch, s shared, text float64, organs bool) bool {
	switch {
	case organs:
		return s.most >= 0.7 // two organs' own words are two statements
	case text >= 0.2:
		return true
	case otherAct(l.acts, c.acts):
		return s.most >= 0.75
	case s.words < 3 && s.weight < 12 || s.most+s.least < 0.66:
		return false // one name, or much else beside it
	case s.most < 0.7 && (s.recalled(0) || s.recalled(1) || ownAct(l.acts, c.acts)):
		return false
	case s.titles[0] >= 3 && s.title[0] <= 0.25 || s.titles[1] >= 3 && s.title[1] <= 0.25:
		// A retelling has another title, but its words are in the other's text.
		return s.most >= 0.57
	}
	return s.most >= 0.45
}

// recalled says whether one of two items begins with something that the other
// does not tell, so that what they share is only recalled in it.
func (s *shared) recalled(i int) bool { return s.openings[i] >= 8 && s.opening[i] < 0.2 }

// sureEnough is alike's answer for the same link, title or text.
const sureEnough = 1.2

// kin says whether an item can be of the story that a carrier began.
func (l *looked) kin(c *sketch) bool {
	s := l.share(c)
	return !s.contradict && s.most >= 0.3 && s.weight >= 4 && (l.sameText(c) >= 0.2 || !otherAct(l.acts, c.acts) || s.most >= 0.75)
}

// copies says whether an item is the very text of a carrier, as an organ's
// second feed brings it.
func (l *looked) copies(c *sketch) bool {
	return l.link != 0 && l.link == c.link || l.title != 0 && l.title == c.title && (l.bare || c.bare || l.sameText(c) >= 0.8)
}

// shared is what two items have in common of their telling words.
type shared struct {
	weight float64 // of the words that both have
	most   float64 // its share of the one of which more is in the other
	least  float64

	words      int  // that both have and one of them begins with
	otherCase  bool // both give numbers of cases or vulnerabilities, and none is the same
	contradict bool // that, or both give figures, and hardly one is the same

	// Of the item's title and of the carrier's: its weight, and the share of it
	// that is in the other's text; the same of title and first sentence.
	titles, title     [2]float64
	openings, opening [2]float64
}

func (l *looked) share(c *sketch) (s shared) {
	// The carrier's words in all of the item, and the item's own in what is
	// kept of the carrier: either may be the shorter text.
	var theirs, inMine float64
	var numbers, ids [3]int // theirs, mine, both
	count := func(w telling, i int, both float64) {
		if w.place&inTitle != 0 {
			s.titles[i] += weights[w.kind]
			s.title[i] += both
		}
		if w.place != 0 {
			s.openings[i] += weights[w.kind]
			s.opening[i] += both
		}
		if w.kind == kindID {
			ids[i]++
			if both > 0 {
				ids[2]++
			}
		}
	}
	for _, w := range c.words {
		theirs += weights[w.kind]
		numbers[0] += int(w.hash & 1)
		both := 0.0
		if mine, ok := l.all[w.hash]; ok {
			numbers[2] += int(w.hash & 1)
			both = weights[min(mine.kind, w.kind)]
			if mine.place|w.place != 0 {
				s.words++
			}
		}
		inMine += both
		count(w, 1, both)
	}
	var mine, inTheirs float64
	for _, w := range l.words {
		mine += weights[w.kind]
		numbers[1] += int(w.hash & 1)
		both := 0.0
		if i := slices.IndexFunc(c.words, func(k telling) bool { return k.hash == w.hash }); i >= 0 {
			both = weights[min(c.words[i].kind, w.kind)]
		}
		inTheirs += both
		count(w, 0, both)
	}
	for i := range s.title {
		s.title[i], s.opening[i] = part(s.title[i], s.titles[i]), part(s.opening[i], s.openings[i])
	}
	a, b := part(inMine, theirs), part(inTheirs, mine)
	fewest := min(numbers[0], numbers[1])
	s.otherCase = ids[0] > 0 && ids[1] > 0 && ids[2] == 0
	s.contradict = s.otherCase || fewest >= 2 && numbers[2]*4 < fewest
	s.weight, s.most, s.least = max(inMine, inTheirs), max(a, b), min(a, b)
	return s
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
