package feed

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/net/html"
)

// mapped returns the value of feedparser's field in what we read, and its
// kind; no kind means that we keep no such field.
func mapped(p *Parsed, field string) (value, kind string) {
	if field == "entries" {
		return strconv.Itoa(len(p.Items)), "count"
	}
	if name, ok := strings.CutPrefix(field, "feed."); ok {
		switch name {
		case "title", "title_detail.value":
			return p.Title, "text"
		case "description", "subtitle", "tagline", "info", "tagline_detail.value", "info_detail.value", "subtitle_detail.value":
			return p.Description, "text"
		case "link", "links.0.href":
			return p.Link, "links"
		case "language":
			return p.Language, "languages"
		}
		return "", ""
	}
	rest, ok := strings.CutPrefix(field, "entries.")
	if !ok {
		return "", ""
	}
	number, name, _ := strings.Cut(rest, ".")
	n, err := strconv.Atoi(number)
	if err != nil {
		return "", ""
	}
	it := Item{}
	if n >= 0 && n < len(p.Items) {
		it = p.Items[n]
	}
	at := func(list []string, n int) string {
		if n < len(list) {
			return list[n]
		}
		return ""
	}
	switch name {
	case "title", "title_detail.value":
		return it.Title, "text"
	case "summary", "description", "subtitle", "summary_detail.value":
		return or(it.Summary, it.Content), "text"
	case "content.0.value":
		return or(it.Content, it.Summary), "text"
	case "link", "links.0.href":
		return it.Link, "links"
	case "id", "guid":
		return it.GUID, "guids"
	case "author", "author_detail.name", "authors.0.name":
		return at(it.Authors, 0), "authors"
	case "authors.1.name":
		return at(it.Authors, 1), "authors"
	case "tags.0.term", "category":
		return at(it.Categories, 0), "categories"
	case "tags.1.term":
		return at(it.Categories, 1), "categories"
	case "tags.2.term":
		return at(it.Categories, 2), "categories"
	case "tags":
		return strconv.Itoa(len(it.Categories)), "categories"
	case "language":
		return it.Language, "languages"
	case "published_parsed", "created_parsed":
		return stamp(it.Published, it.Updated), "dates"
	case "updated_parsed", "modified_parsed":
		return stamp(it.Updated, it.Published), "dates"
	}
	return "", ""
}

func stamp(times ...time.Time) string {
	for _, t := range times {
		if !t.IsZero() {
			return t.Format(time.DateTime)
		}
	}
	return ""
}

// agrees compares a value with a clause's literal.
func agrees(kind, got string, literal json.RawMessage, plain bool) bool {
	switch kind {
	case "dates":
		var n []int
		if json.Unmarshal(literal, &n) != nil || len(n) < 6 {
			return false
		}
		return got == fmt.Sprintf("%04d-%02d-%02d %02d:%02d:%02d", n[0], n[1], n[2], n[3], n[4], n[5])
	case "languages":
		var want string
		return json.Unmarshal(literal, &want) == nil && strings.EqualFold(got, want)
	case "count":
		return got == string(literal)
	}
	var want string
	if string(literal) != "null" && json.Unmarshal(literal, &want) != nil {
		return false
	}
	switch kind {
	case "guids", "links":
		return got == want
	}
	if plain {
		return collapse(got) == collapse(want)
	}
	// A tag between two words may be a gap or not.
	return squeeze(got) == squeeze(reduce(want))
}

// reduce strips tags and decodes references, with a tokenizer that is not
// text.go's.
func reduce(s string) string {
	var b strings.Builder
	z := html.NewTokenizer(strings.NewReader(s))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return b.String()
		case html.TextToken:
			b.Write(z.Text())
		}
	}
}

func collapse(s string) string { return strings.Join(strings.Fields(s), " ") }

func squeeze(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || r == 0x200B {
			return -1
		}
		return r
	}, s)
}

var active = regexp.MustCompile(`(?i)<\s*/?\s*(script|style|iframe|object|embed|applet|form|meta|link|svg|img|div|p|a|b|i|span|table)\b|javascript\s*:|vbscript\s*:|\bon(load|click|error|mouse\w+|focus|blur|key\w+)\s*=`)

// unsafe names a text in which something active, or a tag, survived.
func unsafe(p *Parsed) string {
	texts := []string{p.Title, p.Description, p.Link}
	for _, it := range p.Items {
		texts = append(texts, it.Title, it.Summary, it.Content, it.Link)
		texts = append(append(texts, it.Authors...), it.Categories...)
	}
	for _, s := range texts {
		if found := active.FindString(s); found != "" {
			return fmt.Sprintf("%q survives", found)
		}
	}
	return ""
}

// shapeless names what breaks the contract of design.md 4.6.
func shapeless(p *Parsed, err error) string {
	var pe *ParseError
	if err != nil {
		if !errors.As(err, &pe) || strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' || r > '~' }) {
			return "an error that is not printable"
		}
		return ""
	}
	keys := map[string]bool{}
	for i, it := range p.Items {
		for _, s := range append(slices.Concat(it.Authors, it.Categories), it.Title, it.Summary, it.Content, it.GUID, it.Link) {
			if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\n' || r == 0x7f || hidden(r) }) {
				return fmt.Sprintf("item %d: control characters in %q", i, s)
			}
			if strings.ContainsRune(s, '\uFFFD') {
				return fmt.Sprintf("item %d: U+FFFD in %q", i, s)
			}
		}
		switch {
		case strings.ContainsAny(it.Title+it.Summary, "\n"):
			return fmt.Sprintf("item %d: a title or summary of two lines", i)
		case it.Link != "" && !httpURL(it.Link):
			return fmt.Sprintf("item %d: link %q", i, it.Link)
		case it.Authors == nil || it.Categories == nil || it.Cut == nil:
			return fmt.Sprintf("item %d: a list is null", i)
		case len(it.Key) != 32 || len(it.Revision) != 16:
			return fmt.Sprintf("item %d: key %q, revision %q", i, it.Key, it.Revision)
		case keys[it.Key] && !void(it) && !slices.Contains(p.Repairs, "duplicate"):
			return fmt.Sprintf("item %d: key %q twice", i, it.Key)
		case !slices.Contains([]string{"declared", "inferred", "missing"}, it.Quality):
			return fmt.Sprintf("item %d: date quality %q", i, it.Quality)
		}
		keys[it.Key] = true
	}
	return ""
}
