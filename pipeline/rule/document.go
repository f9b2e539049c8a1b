package rule

import (
	"slices"
	"strings"

	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/rule/text"
)

// field is a field of an item, as a query names it; fields is a set of them.
type field uint8

const (
	title field = iota
	summary
	content
	address
	author
	source
	category
	fieldCount
)

type fields uint8

const textFields = fields(1<<title | 1<<summary | 1<<content)

var fieldNames = [fieldCount]string{"title", "summary", "content", "url", "author", "source", "category"}

// fieldOf returns the set that a query means by name.
func fieldsOf(name string) fields {
	if name == "text" {
		return textFields
	}
	return fields(1 << slices.Index(fieldNames[:], name))
}

func (s fields) has(f field) bool { return s&(1<<f) != 0 }

// apart keeps fields from touching on the ruler: farther than NEAR can reach.
const apart = 1000

// document is an item split into tokens, all fields one after the other, with
// the places of every token.
type document struct {
	texts  [fieldCount]string
	tokens []token
	at     map[string][]int32 // folded text -> token indexes
	first  [fieldCount]int    // unit at which a field begins
	repeat bool               // content holds the summary: it counts once

	words []string                      // distinct texts in order, for wildcards; made when needed
	stems map[string]map[string][]int32 // by language; made when needed
}

type token struct {
	text.Token
	field field
}

func read(it feed.Item) *document {
	d := &document{texts: [fieldCount]string{
		title: it.Title, summary: it.Summary, content: it.Content, address: it.Link,
		// One value a line: a phrase never runs from one into the next.
		author: strings.Join(it.Authors, "\n"), source: it.Source.Title, category: strings.Join(it.Categories, "\n"),
	}}
	var split [fieldCount][]text.Token
	n := 0
	for f, s := range d.texts {
		split[f] = text.Tokenise(s)
		n += len(split[f])
	}
	d.tokens = make([]token, 0, n)
	d.at = make(map[string][]int32, n/2)
	unit, sentence, paragraph := 0, 0, 0
	for f := range fieldCount {
		d.first[f] = unit
		for _, t := range split[f] {
			t.Unit += d.first[f]
			t.Sentence += sentence
			t.Paragraph += paragraph
			d.at[t.Text] = append(d.at[t.Text], int32(len(d.tokens)))
			d.tokens = append(d.tokens, token{t, f})
		}
		if k := len(d.tokens); len(split[f]) > 0 {
			unit = d.tokens[k-1].Unit + apart
			sentence, paragraph = d.tokens[k-1].Sentence+1, d.tokens[k-1].Paragraph+1
		}
	}
	d.repeat = within(split[summary], split[content])
	return d
}

// within tells whether the words of a stand in b in a row, as a feed's summary
// does that is the beginning of the content. Its last word may be cut.
func within(a, b []text.Token) bool {
	if len(a) > 3 {
		a = a[:len(a)-1]
	}
	if len(a) == 0 {
		return false
	}
	join := func(tokens []text.Token) string {
		var s strings.Builder
		for _, t := range tokens {
			s.WriteString(" " + t.Text)
		}
		return s.String() + " "
	}
	return strings.Contains(join(b), join(a))
}

// raw is a token as it stands in the item.
func (d *document) raw(i int32) string {
	t := &d.tokens[i]
	return d.texts[t.field][t.Start:t.End]
}

// vocabulary is the distinct words in order.
func (d *document) vocabulary() []string {
	if d.words == nil {
		d.words = make([]string, 0, len(d.at))
		for w := range d.at {
			d.words = append(d.words, w)
		}
		slices.Sort(d.words)
	}
	return d.words
}
