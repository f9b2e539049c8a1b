// Package rule is what analysts write: the rule files, the query language, the
// lists they share and the matcher. In: rule files and one item. Out: which
// channels the item belongs to, how severe, and the words that say why. It
// never looks at the clock, the network or another item: the same item and the
// same rules give the same answer for ever.
package rule

// Severity is how soon a person should look; the words are the contract's.
type Severity string

const (
	Low      Severity = "low"
	Medium   Severity = "medium"
	High     Severity = "high"
	Critical Severity = "critical"
)

// Severities in rising order.
var Severities = []Severity{Low, Medium, High, Critical}

// Rank orders severities: 0 for low, 3 for critical, -1 for a word that is none.
func (s Severity) Rank() int {
	for i, v := range Severities {
		if v == s {
			return i
		}
	}
	return -1
}

// Result is all that the rules say of one item. It is made of values only.
type Result struct {
	States   []string // ISO codes the item is about, sorted; never nil
	Voice    Voice    // who speaks; zero when no voice was recognised
	Language string   // as matching judged it: the script of the text first, then what was declared
	Channels []Hit    // strongest first, then by channel name
	Cut      []string // what limits of the matcher cut: engine.CutWords and so on; nil for nothing
}

// Hit is one channel that an item belongs to: the matched rules of the channel,
// strongest first, the channel's severity being the highest of theirs.
type Hit struct {
	Channel  string
	Severity Severity
	Score    float64 // the highest of the rules'
	Rules    []Match
}

// Match is one rule that matched. Its JSON form is part of the alert event
// (design.md 4.4).
type Match struct {
	ID       string     `json:"id"`
	Title    string     `json:"title"`
	Severity Severity   `json:"severity"`
	Version  string     `json:"version"` // 12 hex of the rule's canonical text, lists included
	Score    float64    `json:"score"`
	Snippet  string     `json:"snippet,omitempty"` // the passage that shows best why, up to 240 characters
	Evidence []Evidence `json:"evidence"`
}

// Evidence is one place in the item that made a rule match: a concordance line.
type Evidence struct {
	Field  string `json:"field"` // title, summary, content, url, author, source or category
	Text   string `json:"text"`  // as it stands in the item
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
	Start  int    `json:"start"`          // UTF-8 bytes into the item's plain-text field
	End    int    `json:"end"`            // half-open
	List   string `json:"list,omitempty"` // the shared list that the word came from
}

// Voice is who speaks, as Swaine's tiers belong to the voice and not to the
// outlet. Zero when none was recognised: the feed's own tier stands then.
type Voice struct {
	ID       string `json:"id"`
	Title    string `json:"title"`
	Tier     string `json:"tier"`
	Side     string `json:"side,omitempty"` // civilian, military or party
	Country  string `json:"country,omitempty"`
	Reported bool   `json:"reported,omitempty"` // authoritative speech, told by somebody else's outlet
}
