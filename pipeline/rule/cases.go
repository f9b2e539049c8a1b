package rule

// Case is one of a rule's own tests as it is listed.
type Case struct {
	Fires    bool     `json:"fires"`
	Severity Severity `json:"severity,omitempty"` // that it must have
	Title    string   `json:"title,omitempty"`
	Summary  string   `json:"summary,omitempty"`
	Content  string   `json:"content,omitempty"`
}

// Cases lists the tests of every rule, by its id. A set does not keep them:
// they are read from the files again, and those of a file that has changed
// since are missing.
func (s *Set) Cases() map[string][]Case {
	out := make(map[string][]Case, len(s.rules))
	tests := map[*version]map[string][]test{}
	for _, r := range s.rules {
		for _, t := range r.tests(tests) {
			out[r.id] = append(out[r.id], Case{t.fires, t.severity, t.item.Title, t.item.Summary, t.item.Content})
		}
	}
	return out
}
