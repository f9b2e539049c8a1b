package web

import (
	"encoding/hex"
	"slices"
	"strings"
)

// names gives short ids to words; 0 is "none". Words come from checked files
// or were checked by the raiser, the cap is for the case that they were not.
type names struct {
	ids   map[string]uint16
	words []string // words[id-1]
}

const (
	maxNames   = 20_000
	maxNameLen = 100
)

func (n *names) intern(w string) uint16 {
	if id, ok := n.ids[w]; ok {
		return id
	}
	if w == "" || len(w) > maxNameLen || len(n.words) >= maxNames {
		return 0
	}
	if n.ids == nil {
		n.ids = map[string]uint16{}
	}
	w = strings.Clone(w) // not the whole event's buffer
	n.words = append(n.words, w)
	n.ids[w] = uint16(len(n.words))
	return n.ids[w]
}

// sets gives ids to sets of words, of which there are few different ones.
type sets struct {
	ids  map[string]uint32
	sets [][]uint16 // sets[id-1]
}

func (s *sets) intern(n *names, words []string) uint32 {
	if len(words) == 0 {
		return 0
	}
	words = slices.Compact(slices.Sorted(slices.Values(words[:min(len(words), 64)])))
	key := strings.Join(words, ",")
	if id, ok := s.ids[key]; ok {
		return id
	}
	var set []uint16
	for _, w := range words {
		if id := n.intern(w); id != 0 {
			set = append(set, id)
		}
	}
	if s.ids == nil {
		s.ids = map[string]uint32{}
	}
	s.sets = append(s.sets, set)
	s.ids[key] = uint32(len(s.sets))
	return s.ids[key]
}

func (s *sets) members(id uint32) []uint16 {
	if id == 0 {
		return nil
	}
	return s.sets[id-1]
}

// word is the word of an id, "" for 0.
func (n *names) word(id uint16) string {
	if id == 0 || int(id) > len(n.words) {
		return ""
	}
	return n.words[id-1]
}

func hexID(id [16]byte) string { return hex.EncodeToString(id[:]) }
