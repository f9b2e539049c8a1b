package problem

import "strings"

// Nearest returns the known word that a person probably meant by word, or ""
// when none is near. Case and the difference of - and _ count for nothing.
func Nearest(word string, known []string) string {
	fold := func(s string) string { return strings.ReplaceAll(strings.ToLower(s), "_", "-") }
	w := fold(word)
	if len(w) > 100 {
		return ""
	}
	best, bestAt := "", 1+max(1, len([]rune(w))/3)
	for _, k := range known {
		f := fold(k)
		d := distance(w, f)
		if d > 1 && len(w) >= 3 && (strings.HasPrefix(f, w) || strings.HasPrefix(w, f) && len(f) >= 3) {
			d = 1 // an abbreviation, or a plural
		}
		if d < bestAt {
			best, bestAt = k, d
		}
	}
	return best
}

// distance counts the insertions, deletions, replacements and swaps of
// neighbours between two words (optimal string alignment).
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	var before []int
	last := make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(x); i++ {
		row := make([]int, len(y)+1)
		row[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(y)]
}
