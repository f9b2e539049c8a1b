// Package demo holds the story that `monitor demo` plays: invented feeds that
// tell 2014 and 2015 again in a minute. In: story.yaml, a clock and a start.
// Out: feeds for the daemon to poll, served over HTTP in the formats and with
// the validators of real ones. It never reaches the network beyond its own
// listener and knows nothing of rules, alerts or the daemon.
package demo

import (
	_ "embed"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/language"

	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/problem"
)

//go:embed story.yaml
var storyYAML []byte

// Story is what is told: who speaks, and what they say in which order. It is
// never changed after Load and safe for concurrent use.
type Story struct {
	Sources []Source `yaml:"feeds"`
	Events  []Event  `yaml:"events"`
}

// Source is one sample feed. All but Format stands for the field of the same
// name in feeds.yaml.
type Source struct {
	ID       string   `yaml:"id"`
	Title    string   `yaml:"title"`
	Format   string   `yaml:"format"` // rss, atom, rdf or json
	Kind     string   `yaml:"kind"`
	Tier     string   `yaml:"tier"`
	Country  string   `yaml:"country"`
	Language string   `yaml:"language"`
	Tags     []string `yaml:"tags"`
}

// Event is one item of one sample feed.
type Event struct {
	After   time.Duration `yaml:"after"`   // since the event before, at pace 1
	Feed    string        `yaml:"feed"`    // id of its Source
	Title   string        `yaml:"title"`   //
	Summary string        `yaml:"summary"` // one paragraph
	Content string        `yaml:"content"` // a paragraph a line
	Author  string        `yaml:"author"`  //
	Date    string        `yaml:"date"`    // when it really happened, 2014-05-19; empty when it never did
	Lang    string        `yaml:"lang"`    // the Source's language when empty
	Raises  []string      `yaml:"raises"`  // channels that must raise it; empty: an ordinary item, nothing may

	at time.Duration // since the start, at pace 1
}

// slug is a feed id that the catalogue takes, or a channel.
var slug = regexp.MustCompile(`^[a-z0-9-]{1,60}$`)

// dateForm is how story.yaml writes the real date of an event.
const dateForm = "2006-01-02"

// Load returns the story inside the binary. An error means that story.yaml was
// edited wrongly, and lists all that is wrong with it.
func Load() (*Story, error) { return load("story.yaml", storyYAML) }

func load(file string, b []byte) (*Story, error) {
	s := new(Story)
	root, problems := problem.YAML(file, b, s)
	if len(problems.Errors()) > 0 {
		return nil, problems
	}
	bad := func(list string, i int, key, format string, args ...any) {
		problems = append(problems, problem.At(file, problem.Find(root, list, i, key), format, args...))
	}
	if len(s.Sources) == 0 || len(s.Events) == 0 {
		problems = append(problems, problem.At(file, root, "a story needs feeds and events"))
	}
	languages := map[string]string{} // of each feed
	for i, src := range s.Sources {
		if !slug.MatchString(src.ID) {
			bad("feeds", i, "id", "feed %d has no slug as id", i+1)
		}
		if _, twice := languages[src.ID]; twice {
			bad("feeds", i, "id", "feed %s stands here twice", problem.Quote(src.ID))
		}
		languages[src.ID] = src.Language
		if strings.TrimSpace(src.Title) == "" {
			bad("feeds", i, "title", "feed %s has no title", problem.Quote(src.ID))
		}
		if _, known := formats[src.Format]; !known {
			bad("feeds", i, "format", "%s is no format: rss, atom, rdf or json", problem.Quote(src.Format))
		}
		if !slices.Contains(feed.Kinds, src.Kind) {
			bad("feeds", i, "kind", "%s is no kind", problem.Quote(src.Kind))
		}
		if !slices.Contains(feed.Tiers, src.Tier) {
			bad("feeds", i, "tier", "%s is no tier", problem.Quote(src.Tier))
		}
		if region, err := language.ParseRegion(src.Country); err != nil || region.Canonicalize().String() != src.Country {
			bad("feeds", i, "country", "%s is no country", problem.Quote(src.Country))
		}
		if _, err := language.Parse(src.Language); err != nil {
			bad("feeds", i, "language", "%s is no language", problem.Quote(src.Language))
		}
	}
	var at time.Duration
	for i := range s.Events {
		e := &s.Events[i]
		if e.After <= 0 {
			bad("events", i, "after", "event %d must come after the one before", i+1)
		}
		at += e.After
		e.at = at
		lang, known := languages[e.Feed]
		if !known {
			bad("events", i, "feed", "there is no feed %s", problem.Quote(e.Feed))
		}
		if e.Lang == "" {
			e.Lang = lang
		} else if _, err := language.Parse(e.Lang); err != nil {
			bad("events", i, "lang", "%s is no language", problem.Quote(e.Lang))
		}
		for _, text := range [][2]string{{"title", e.Title}, {"summary", e.Summary}, {"content", e.Content}, {"author", e.Author}} {
			if strings.TrimSpace(text[1]) == "" {
				bad("events", i, text[0], "event %d has no %s", i+1, text[0])
			}
		}
		if _, err := time.Parse(dateForm, e.Date); err != nil && e.Date != "" {
			bad("events", i, "date", "%s is no date like 2014-05-19", problem.Quote(e.Date))
		}
		for _, channel := range e.Raises {
			if !slug.MatchString(channel) {
				bad("events", i, "raises", "%s is no channel", problem.Quote(channel))
			}
		}
	}
	if len(problems.Errors()) > 0 {
		problems.Sort()
		return nil, problems
	}
	return s, nil
}

// Feeds are the catalogue entries for the daemon, where base is the address of
// the Handler, without a slash at the end. They are asked each second so that
// the pace is the story's and not the poll's.
func (s *Story) Feeds(base string) []feed.Feed {
	feeds := make([]feed.Feed, len(s.Sources))
	for i, src := range s.Sources {
		feeds[i] = feed.Feed{
			ID: src.ID, Title: src.Title, URL: base + src.path(),
			Kind: src.Kind, Tier: src.Tier, Country: src.Country, Language: src.Language,
			Tags: slices.Clone(src.Tags), Every: time.Second, Identity: "auto",
		}
	}
	return feeds
}

// path is where the Handler serves the feed.
func (src Source) path() string { return "/feeds/" + src.ID + formats[src.Format].ext }

// Length is how long the story takes at this pace, from the start to the last
// event.
func (s *Story) Length(pace float64) time.Duration {
	return scale(s.Events[len(s.Events)-1].at, pace)
}

// Told returns the events that have happened by now, in order.
func (s *Story) Told(now, start time.Time, pace float64) []Event {
	since := now.Sub(start)
	i, _ := slices.BinarySearchFunc(s.Events, since, func(e Event, since time.Duration) int {
		if scale(e.at, pace) <= since {
			return -1
		}
		return 1
	})
	return s.Events[:i:i]
}

// scale is how long d takes at this pace: 1 is as written, 2 twice as fast,
// 0 or less (or no number) everything at the start.
func scale(d time.Duration, pace float64) time.Duration {
	if !(pace > 0) {
		return 0
	}
	t := float64(d) / pace
	if t >= math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(t)
}

// closing is the last line of an item: nobody who is shown it, wherever it was
// forwarded to, shall take it for news. Ordinary items never happened at all.
func (e Event) closing() string {
	day, err := time.Parse(dateForm, e.Date)
	zh := strings.HasPrefix(e.Lang, "zh")
	switch {
	case err != nil && zh:
		return "newsmonitor演示内容，纯属虚构。"
	case err != nil:
		return "A demonstration by newsmonitor; this text is invented."
	case zh:
		return fmt.Sprintf("newsmonitor演示内容，事情发生在%s。", day.Format("2006年1月2日"))
	default:
		return fmt.Sprintf("A demonstration by newsmonitor; the day was %s.", day.Format("2 January 2006"))
	}
}

// paragraphs is the whole text below the title, closing line included.
func (e Event) paragraphs() []string {
	return append(strings.Split(strings.TrimSpace(e.Content), "\n"), e.closing())
}
