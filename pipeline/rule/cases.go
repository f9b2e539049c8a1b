package rule

// Case is one of a rule's own tests as it is listed.
type Case struct {
	Fires    bool     `json:"fires"`
	Severity Severity `json:"severity,omitempty"` // that it must have
	Title    string   `json:"title,omitempty"`
	Summary  string   `json:"summary,omitempty"`
	Content  string   `json:"content,omitempty"`
}

// Cases lists the tests of every rule, by its id.
func (s *Set) Cases() map[string][]Case {
	out := make(map[string][]Case, len(s.rules))
	for _, r := range s.rules {
		for _, t := range r.tests {
			out[r.ID] = append(out[r.ID], Case{t.fires, t.severity, t.item.Title, t.item.Summary, t.item.Content})
		}
	}
	return out
}
