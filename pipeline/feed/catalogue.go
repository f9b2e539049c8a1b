package feed

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
	"golang.org/x/text/language"

	"newsmonitor/pipeline/problem"
)

const (
	// DefaultEvery is how often a feed is asked that says nothing of it, and
	// where `every: auto` begins to learn.
	DefaultEvery = 15 * time.Minute
	minEvery     = time.Minute
	maxEvery     = 30 * 24 * time.Hour
	rsshubScheme = "rsshub:"
)

// Identities are the values of `identity`: what an item's key is made of.
var Identities = []string{"auto", "guid", "link", "title"}

// written is feeds.yaml as people write it.
type written struct {
	Defaults writtenDefaults `yaml:"defaults"`
	Feeds    []writtenFeed   `yaml:"feeds"`
}

// writtenDefaults hold for the feeds of the same file that do not say better.
type writtenDefaults struct {
	Every     string `yaml:"every"`
	Kind      string `yaml:"kind"`
	Tier      string `yaml:"tier"`
	Country   string `yaml:"country"`
	Language  string `yaml:"language"`
	UserAgent string `yaml:"user_agent"`
}

type writtenFeed struct {
	ID         string    `yaml:"id"`
	Title      string    `yaml:"title"`
	URL        string    `yaml:"url"`
	Kind       string    `yaml:"kind"`
	Tier       string    `yaml:"tier"`
	Country    string    `yaml:"country"`
	Language   string    `yaml:"language"`
	Tags       []string  `yaml:"tags"`
	Every      string    `yaml:"every"`
	Disabled   string    `yaml:"disabled"`
	UserAgent  string    `yaml:"user_agent"`
	Charset    string    `yaml:"charset"`
	DateLayout string    `yaml:"date_layout"`
	Identity   string    `yaml:"identity"`
	Headers    yaml.Node `yaml:"headers"`
}

// LoadCatalogue reads a feeds.yaml. Feeds come in the file's order and are to
// be used only when the list holds no errors.
func LoadCatalogue(file string, b []byte) ([]Feed, problem.List) {
	var w written
	root, problems := problem.YAML(file, b, &w)
	if root == nil {
		return nil, problems
	}
	l := loader{file: file, root: root, list: problems, words: map[string]string{}, ids: map[string]int{}, urls: map[string]int{}}
	l.defaults(w.Defaults)
	if len(w.Feeds) == 0 && len(problems) == 0 {
		l.list = append(l.list, problem.At(file, root, "no feeds").WithHint("write them as a list below \"feeds:\""))
	}
	feeds := make([]Feed, len(w.Feeds))
	for i := range w.Feeds {
		feeds[i] = l.feed(i, w.Feeds[i], w.Defaults)
	}
	l.list.Sort()
	if len(l.list.Errors()) > 0 {
		return nil, l.list
	}
	return feeds, l.list
}

type loader struct {
	file  string
	words map[string]string // those that feeds share, once
	root  *yaml.Node
	list  problem.List
	ids   map[string]int // id -> line
	urls  map[string]int // URL, normalised -> line
	every time.Duration  // of defaults
	auto  bool
}

// at reports a problem at a path, unless the decoder already has one there.
func (l *loader) at(path []any, hint, format string, args ...any) {
	p := problem.At(l.file, problem.Find(l.root, path...), format, args...)
	p.Hint = hint
	for _, q := range l.list {
		if q.Line == p.Line && q.Column == p.Column {
			return
		}
	}
	l.list = append(l.list, p)
}

func (l *loader) defaults(d writtenDefaults) {
	l.every = DefaultEvery
	path := func(key string) []any { return []any{"defaults", key} }
	if d.Every != "" {
		every, auto := l.interval(path("every"), d.Every)
		if l.auto = auto; !auto && every > 0 {
			l.every = every
		}
	}
	l.word(path("kind"), d.Kind, Kinds)
	l.word(path("tier"), d.Tier, Tiers)
	l.country(path("country"), d.Country)
	l.language(path("language"), d.Language)
	l.agent(path("user_agent"), d.UserAgent)
}

func (l *loader) feed(i int, w writtenFeed, d writtenDefaults) Feed {
	path := func(key ...any) []any { return append([]any{"feeds", i}, key...) }
	f := Feed{ID: w.ID, Title: oneLine(w.Title), URL: strings.TrimSpace(w.URL), Disabled: oneLine(w.Disabled),
		Kind: l.same(or(w.Kind, d.Kind, "media")), Tier: l.same(or(w.Tier, d.Tier, "non-authoritative")),
		Country: l.same(or(w.Country, d.Country)), UserAgent: l.same(or(w.UserAgent, d.UserAgent)),
		Charset: l.same(w.Charset), DateLayout: l.same(w.DateLayout), Identity: l.same(or(w.Identity, "auto")), Every: l.every, Auto: l.auto}
	for _, tag := range w.Tags {
		f.Tags = append(f.Tags, l.same(tag))
	}

	l.id(path("id"), w.ID)
	if f.Title == "" {
		f.Title = f.ID
	}
	l.disabled(path("disabled"), i, w.Disabled)
	l.url(path("url"), f)
	l.word(path("kind"), w.Kind, Kinds)
	l.word(path("tier"), w.Tier, Tiers)
	l.word(path("identity"), w.Identity, Identities)
	l.country(path("country"), w.Country)
	f.Language = l.same(l.language(path("language"), or(w.Language, d.Language)))
	for j, tag := range w.Tags {
		if !slug.MatchString(tag) {
			l.at(path("tags", j), "a tag is a slug: a-z, 0-9 and -", "tag %s is not a slug", problem.Quote(tag))
		} else if slices.Contains(w.Tags[:j], tag) {
			l.at(path("tags", j), "", "tag %q stands here twice", tag)
		}
	}
	if w.Every != "" {
		f.Every, f.Auto = l.interval(path("every"), w.Every)
	}
	l.agent(path("user_agent"), w.UserAgent)
	if w.Charset != "" {
		if e, _ := lookup(w.Charset); e == nil {
			l.at(path("charset"), "names are those of the WHATWG Encoding Standard: windows-1251, gb18030, euc-kr", "charset %s is not known", problem.Quote(w.Charset))
		}
	}
	if w.DateLayout != "" && !layoutDates(w.DateLayout) {
		l.at(path("date_layout"), "a Go layout spells out Mon Jan 2 15:04:05 2006 in the feed's own form: \"02/01/2006 15:04\"",
			"date_layout %s gives no year, month and day", problem.Quote(w.DateLayout))
	}
	f.Headers = l.headers(path("headers"))
	return f
}

// same returns the first string that read like s: a catalogue of many thousand
// feeds has few kinds, countries and tags.
func (l *loader) same(s string) string {
	if w, ok := l.words[s]; ok {
		return w
	}
	l.words[s] = s
	return s
}

var slug = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9-]{0,58}[a-z0-9])?$`)

// reserved ids carry the daemon's own traffic.
var reserved = []string{Canary}

func (l *loader) id(path []any, id string) {
	line := problem.Find(l.root, path...).Line
	switch {
	case id == "":
		l.at(path, "an id is a slug that stays for ever: us-doj-nsd", "the feed has no id")
	case !slug.MatchString(id):
		hint := "a-z, 0-9 and -, at most 60 characters; it stays for ever, as part of subjects and keys"
		if s := Slug(id); s != "" {
			hint = fmt.Sprintf("try %q; %s", s, hint)
		}
		l.at(path, hint, "id %s is not a slug", problem.Quote(id))
	case slices.Contains(reserved, id):
		l.at(path, "choose another id", "id %q belongs to the daemon's self-test", id)
	case l.ids[id] != 0:
		l.at(path, "an id belongs to one feed for ever", "id %q is already that of the feed in line %d", id, l.ids[id])
	default:
		l.ids[id] = line
	}
}

func (l *loader) disabled(path []any, i int, reason string) {
	if !problem.Has(problem.Find(l.root, "feeds", i), "disabled") {
		return
	}
	switch strings.ToLower(strings.TrimSpace(reason)) {
	case "", "true", "yes", "on", "1":
		l.at(path, "say why in a sentence, people will ask: \"no feed since 2025\"", "disabled needs a reason")
	case "false", "no", "off", "0":
		l.at(path, "leave the key out", "disabled holds a reason, not %q", reason)
	}
}

func (l *loader) url(path []any, f Feed) {
	if f.URL == "" {
		if f.Disabled == "" {
			l.at(path, "write url: https://..., or disabled: and the reason", "feed %s has no url", problem.Quote(f.ID))
		}
		return
	}
	same, why, hint := checkURL(f.URL)
	if why != "" {
		l.at(path, hint, "%s", why)
		return
	}
	if line := l.urls[same]; line != 0 {
		l.at(path, "one feed needs one entry; tags can give it more subjects", "the feed in line %d has the same url", line)
		return
	}
	l.urls[same] = problem.Find(l.root, path...).Line
}

// checkURL returns the form of a feed's address by which two are the same, or
// what is wrong with it.
func checkURL(s string) (same, why, hint string) {
	if len(s) > maxLink {
		return "", "the url is longer than 4 KB", ""
	}
	if route, ok := strings.CutPrefix(s, rsshubScheme); ok {
		if !strings.HasPrefix(route, "/") || strings.HasPrefix(route, "//") || strings.ContainsFunc(route, unprintable) {
			return "", fmt.Sprintf("url %s is not a route of RSSHub", problem.Quote(s)), "write rsshub:/gov/mfa/wjdt/fyrbt"
		}
		return s, "", ""
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || strings.ContainsFunc(s, unprintable):
		return "", fmt.Sprintf("url %s cannot be read", problem.Quote(s)), "write it as a browser shows it"
	case u.Scheme == "feed":
		return "", "url begins with feed:", "write https: instead"
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return "", fmt.Sprintf("url %s is not an absolute http(s) address", problem.Quote(s)), "write https://host/path, or rsshub:/route"
	case u.User != nil:
		return "", "the url holds a user or a password", "keep secrets out of the file: headers: {Authorization: {env: NAME}}"
	}
	u.Host = strings.ToLower(u.Host)
	if p := u.Port(); u.Scheme == "http" && p == "80" || u.Scheme == "https" && p == "443" {
		u.Host = strings.TrimSuffix(u.Host, ":"+p)
	}
	if u.Path == "" {
		u.Path = "/"
	}
	u.Fragment, u.RawFragment = "", ""
	return u.String(), "", ""
}

func unprintable(r rune) bool { return r <= ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 }

func (l *loader) word(path []any, s string, known []string) {
	if s == "" || slices.Contains(known, s) {
		return
	}
	hint := "one of " + strings.Join(known, ", ")
	if near := problem.Nearest(s, known); near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	}
	l.at(path, hint, "%s %s is not known", path[len(path)-1], problem.Quote(s))
}

func (l *loader) country(path []any, s string) {
	if s == "" || s == "EU" || s == "UN" {
		return
	}
	const hint = "an ISO 3166-1 code of two capitals, or EU, UN"
	if s == "UK" {
		l.at(path, "the code is GB", "country \"UK\" is not an ISO 3166-1 code")
		return
	}
	r, err := language.ParseRegion(s)
	switch {
	case err != nil || !r.IsCountry() || len(s) != 2 || r.Canonicalize() != r:
		l.at(path, hint, "country %s is not known", problem.Quote(s))
	case r.String() != s:
		l.at(path, fmt.Sprintf("write %q", r.String()), "country %s is not in capitals", problem.Quote(s))
	}
}

func (l *loader) language(path []any, s string) string {
	if s == "" {
		return ""
	}
	if tag := languageTag(s); tag != "" {
		return tag
	}
	l.at(path, "a BCP 47 tag: en, zh-Hans, pt-BR", "language %s is not known", problem.Quote(s))
	return ""
}

func (l *loader) interval(path []any, s string) (every time.Duration, auto bool) {
	if s == "auto" {
		return DefaultEvery, true
	}
	d, err := ParseDuration(s)
	switch {
	case err != nil:
		l.at(path, "15m, 2h, 1d, or auto", "every: %v", err)
	case d <= 0:
		l.at(path, "15m, 2h, 1d, or auto", "every %s is no interval", FormatDuration(d))
	case d < minEvery:
		// Not refused: --min-interval is the floor of what is done, and for a
		// server of one's own it may be lower.
		l.list = append(l.list, problem.At(l.file, problem.Find(l.root, path...), "every %s is too often for a publisher", FormatDuration(d)).
			WithHint("without a lower --min-interval it is asked each minute; write 1m or more, or auto").AsWarning())
	case d > maxEvery:
		l.at(path, "at most 30d; a feed that is not to be watched is disabled: REASON", "every %s is too seldom", FormatDuration(d))
	}
	return d, false
}

func (l *loader) agent(path []any, s string) {
	if len(s) > 256 || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
		l.at(path, "one line of plain ASCII, at most 256 characters", "user_agent cannot be sent")
	}
}

// layoutDates tells whether a Go layout, printed and read back, gives the day.
func layoutDates(layout string) bool {
	ref := time.Date(2031, time.November, 27, 17, 48, 59, 0, time.UTC)
	t, err := time.Parse(layout, ref.Format(layout))
	return err == nil && t.Year() == ref.Year() && t.YearDay() == ref.YearDay()
}

func or(s ...string) string {
	for _, v := range s {
		if v != "" {
			return v
		}
	}
	return ""
}

// Merge puts catalogues together: a later feed replaces an earlier one of the
// same id, in its place.
func Merge(lists ...[]Feed) []Feed {
	n := 0
	for _, list := range lists {
		n += len(list)
	}
	all, at := make([]Feed, 0, n), make(map[string]int, n)
	for _, list := range lists {
		for _, f := range list {
			if i, ok := at[f.ID]; ok {
				all[i] = f
				continue
			}
			at[f.ID] = len(all)
			all = append(all, f)
		}
	}
	return all
}

// Resolve says what to ask for a feed: rsshub routes get the address of the
// RSSHub at base. With watched false nothing is to be asked, and why says so.
func Resolve(f Feed, base string) (_ Feed, watched bool, why string) {
	if f.Disabled != "" {
		return f, false, f.Disabled
	}
	route, ok := strings.CutPrefix(f.URL, rsshubScheme)
	if !ok {
		return f, true, ""
	}
	if base == "" {
		return f, false, "a route of RSSHub, and --rsshub names none"
	}
	f.URL = strings.TrimRight(base, "/") + route
	return f, true, ""
}
