package rule

import (
	"strings"
	"unicode"

	"github.com/blevesearch/snowballstem"
	"github.com/blevesearch/snowballstem/arabic"
	"github.com/blevesearch/snowballstem/danish"
	"github.com/blevesearch/snowballstem/dutch"
	"github.com/blevesearch/snowballstem/english"
	"github.com/blevesearch/snowballstem/finnish"
	"github.com/blevesearch/snowballstem/french"
	"github.com/blevesearch/snowballstem/german"
	"github.com/blevesearch/snowballstem/hungarian"
	"github.com/blevesearch/snowballstem/irish"
	"github.com/blevesearch/snowballstem/italian"
	"github.com/blevesearch/snowballstem/norwegian"
	"github.com/blevesearch/snowballstem/portuguese"
	"github.com/blevesearch/snowballstem/romanian"
	"github.com/blevesearch/snowballstem/russian"
	"github.com/blevesearch/snowballstem/spanish"
	"github.com/blevesearch/snowballstem/swedish"
	"github.com/blevesearch/snowballstem/tamil"
	"github.com/blevesearch/snowballstem/turkish"
	"golang.org/x/text/unicode/norm"

	"newsmonitor/pipeline/rule/text"
)

// stemmers by the codes of query.Languages.
var stemmers = map[string]func(*snowballstem.Env) bool{
	"ar": arabic.Stem, "da": danish.Stem, "de": german.Stem, "en": english.Stem, "es": spanish.Stem, "fi": finnish.Stem,
	"fr": french.Stem, "ga": irish.Stem, "hu": hungarian.Stem, "it": italian.Stem, "nl": dutch.Stem, "no": norwegian.Stem,
	"pt": portuguese.Stem, "ro": romanian.Stem, "ru": russian.Stem, "sv": swedish.Stem, "ta": tamil.Stem, "tr": turkish.Stem,
}

// stemLanguage is the language of STEM without one: that of the word's script.
func stemLanguage(word string) string {
	for _, r := range word {
		switch {
		case unicode.Is(unicode.Cyrillic, r):
			return "ru"
		case unicode.Is(unicode.Arabic, r):
			return "ar"
		case unicode.Is(unicode.Tamil, r):
			return "ta"
		}
	}
	return "en"
}

// stem is the stem of a word as it stands in a text. Stemmers want the marks
// (die Wahlen, gewählt), so it starts from the raw form, then folds the result.
func stem(language, raw string) string {
	if len(raw) > text.MaxToken {
		return text.Fold(raw)
	}
	w := strings.Map(func(r rune) rune {
		if text.ClassOf(r) == text.Other || text.ClassOf(r) == text.Drop {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFC.String(raw))
	env := snowballstem.NewEnv(w)
	stemmers[language](env)
	return text.Fold(env.Current())
}

// stemmed returns the places of every stem of a language.
func (d *document) stemmed(language string) map[string][]int32 {
	if m, ok := d.stems[language]; ok {
		return m
	}
	if d.stems == nil {
		d.stems = map[string]map[string][]int32{}
	}
	m, known := map[string][]int32{}, map[string]string{}
	for i := range d.tokens {
		raw := d.raw(int32(i))
		s, ok := known[raw]
		if !ok {
			s = d.tokens[i].Text
			if !d.tokens[i].Solo {
				s = stem(language, raw)
			}
			known[raw] = s
		}
		m[s] = append(m[s], int32(i))
	}
	d.stems[language] = m
	return m
}
