package rule

import (
	"slices"
	"strings"

	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/rule/engine"
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

// document is an item split into tokens, all fields one after the other, with
// the places of every token.
type document struct {
	item   *engine.Item
	texts  *[fieldCount]string
	split  []text.Token // scratch of tokens
	tokens []token
	first  [fieldCount]int // unit at which a field begins
	repeat bool            // content holds the summary: it counts once

	heads [256]int32                    // first of the distinct words that begin alike, from 1; made when needed
	next  []int32                       // the next of them
	stems map[string]map[string][]int32 // by language; made when needed
	signs *[1 << signBits / 64]uint64   // bits by sign; made when needed
}

type token struct {
	text.Token
	field field
}

// textsOf are the fields of an item as text.
func textsOf(it *feed.Item) [fieldCount]string {
	return [fieldCount]string{
		title: it.Title, summary: it.Summary, content: it.Content, address: it.Link,
		// One value a line: a phrase never runs from one into the next.
		author: strings.Join(it.Authors, "\n"), source: it.Source.Title, category: strings.Join(it.Categories, "\n"),
	}
}

func read(it feed.Item) *document {
	texts := textsOf(&it)
	item := &engine.Item{}
	item.Read(&texts)
	d := &document{}
	d.read(item)
	return d
}

// read makes the document that of an item. What it was is overwritten.
func (d *document) read(item *engine.Item) {
	*d = document{item: item, texts: &item.Texts, repeat: item.Repeats(), split: d.split[:0], tokens: d.tokens[:0]}
	d.split = item.Tokens(d.split)
	f, end := title, item.End(0)
	for i := range d.split {
		for i >= end {
			f++
			end = item.End(int(f))
		}
		d.tokens = append(d.tokens, token{d.split[i], f})
	}
	for f := range fieldCount {
		d.first[f] = int(item.First(int(f)))
	}
}

// forget lets go of the item.
func (d *document) forget() {
	clear(d.split)
	clear(d.tokens)
	*d = document{split: d.split, tokens: d.tokens}
}

// raw is a token as it stands in the item.
func (d *document) raw(i int32) string {
	t := &d.tokens[i]
	return d.texts[t.field][t.Start:t.End]
}

// fitting appends the places of all words that fit a pattern.
func (d *document) fitting(pattern string, literal int) []int32 {
	head := pattern[:literal]
	var out []int32
	lists := 0
	try := func(w int) {
		if word := d.item.Word(w); strings.HasPrefix(string(word), head) && glob(pattern, string(word)) {
			out = append(out, d.item.WordPlaces(w)...)
			lists++
		}
	}
	if len(head) < 3 {
		for w := range d.item.Words() {
			try(w)
		}
	} else {
		if d.next == nil {
			d.next = make([]int32, d.item.Words())
			for w := range d.next {
				if word := d.item.Word(w); len(word) >= 3 {
					h := alike(word[0], word[1], word[2])
					d.next[w], d.heads[h] = d.heads[h], int32(w+1)
				}
			}
		}
		for w := d.heads[alike(head[0], head[1], head[2])]; w != 0; w = d.next[w-1] {
			try(int(w - 1))
		}
	}
	if lists > 1 {
		slices.Sort(out)
	}
	return out
}

func alike(a, b, c byte) byte { return a*31 ^ b*57 ^ c }
