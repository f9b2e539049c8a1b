package alert

import (
	"strings"

	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/rule"
)

// Ranks of who speaks. The text of a ministry itself stands above its words in
// somebody else's report.
const (
	rankNone = iota
	rankOther
	rankQuasi
	rankReported
	rankOwn
)

var rankOf = map[string]uint8{"non-authoritative": rankOther, "quasi-authoritative": rankQuasi, "authoritative": rankOwn}

// voiceOf judges who speaks in an item.
func voiceOf(src feed.Source, v *rule.Voice) (w voiced) {
	tier, country := src.Tier, src.Country
	reported := false
	if v != nil {
		tier, reported = v.Tier, v.Reported
		if v.Country != "" {
			country = v.Country
		}
		if v.Tier == "authoritative" {
			w.speaker = uint32(hash64("voice", strings.TrimSuffix(v.ID, "-own")) >> 32)
		}
	}
	w.rank = rankOf[tier]
	if w.rank == rankOwn && reported {
		w.rank = rankReported
	}
	if len(country) == 2 {
		w.country = [2]byte{country[0], country[1]}
	}
	if w.rank == rankOwn {
		w.organ = uint32(hash64("organ", organ(src)) >> 32)
	}
	return w
}

// organ names the publisher of a source: by the catalogue's habit the title up
// to the comma, or to the second where only a country stands before the first.
func organ(src feed.Source) string {
	name, rest, ok := strings.Cut(src.Title, ",")
	if ok && !strings.Contains(strings.TrimSpace(name), " ") && name != strings.ToUpper(name) {
		second, _, _ := strings.Cut(rest, ",")
		name += "," + second
	}
	if name = strings.TrimSpace(name); name == "" {
		name = src.ID
	}
	return src.Country + " " + name
}

// speaksFor says whether a carrier has said it for the organ that speaks in
// another. A ministry's own text also stands for its words in the press.
func (w voiced) speaksFor(o voiced) bool {
	switch {
	case w.rank < rankReported:
		return false
	case o.rank == rankOwn:
		return w.organ == o.organ && w.organ != 0
	case w.speaker != 0:
		return w.speaker == o.speaker
	}
	return w.country == o.country // the organ's own text, in which no voice was recognised
}
