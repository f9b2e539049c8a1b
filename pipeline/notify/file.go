package notify

import (
	"errors"
	"fmt"
	"net/mail"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/problem"
	"newsmonitor/pipeline/rule"
)

// Known is what a filter may name. A nil list is not checked.
type Known struct {
	Channels []string
	Feeds    []string
}

// written is the file of destinations as people write it.
type written struct {
	Page         string               `yaml:"page"` // where people reach the page; links in messages lead there
	Zone         string               `yaml:"zone"` // of the times in messages, and default of quiet and digest; default UTC
	Destinations []writtenDestination `yaml:"destinations"`
}

type writtenDestination struct {
	Name     string `yaml:"name"`     // slug, for ever: its place in the stream goes by it
	Service  string `yaml:"service"`  // one of Services
	Disabled string `yaml:"disabled"` // the reason why nothing is sent

	URL         yaml.Node `yaml:"url"`         // an address, or {env: NAME} or {file: PATH} where it is a secret
	Token       yaml.Node `yaml:"token"`       // {env: NAME} or {file: PATH}: ntfy, matrix, telegram, webhook (Bearer)
	Secret      yaml.Node `yaml:"secret"`      // webhook: what the signature is made with
	Room        string    `yaml:"room"`        // matrix: !id:server
	Chat        string    `yaml:"chat"`        // telegram: number or @name
	Server      string    `yaml:"server"`      // mail: host:port
	TLS         string    `yaml:"tls"`         // mail: starttls (default), implicit, none
	User        string    `yaml:"user"`        // mail
	Password    yaml.Node `yaml:"password"`    // mail
	From        string    `yaml:"from"`        // mail
	To          []string  `yaml:"to"`          // mail
	Unsubscribe string    `yaml:"unsubscribe"` // mail: mailto: or https: for List-Unsubscribe; default the sender's address

	Channels  []string `yaml:"channels"`  // none: all
	Severity  string   `yaml:"severity"`  // this and above; default medium
	Feeds     []string `yaml:"feeds"`     // none: all
	Countries []string `yaml:"countries"` // of the publisher or of who speaks; none: all
	Tiers     []string `yaml:"tiers"`     // of who speaks; none: all
	Per       string   `yaml:"per"`       // item (default): an item once with all its channels; channel: each alert

	Quiet  *writtenQuiet  `yaml:"quiet"`
	Digest *writtenDigest `yaml:"digest"`
	Limit  *writtenLimit  `yaml:"limit"`
}

type writtenQuiet struct {
	From     string   `yaml:"from"`
	To       string   `yaml:"to"`
	Zone     string   `yaml:"zone"`
	Days     []string `yaml:"days"`
	Critical string   `yaml:"critical"` // passes (default) or waits
}

type writtenDigest struct {
	At   []string `yaml:"at"`
	Zone string   `yaml:"zone"`
	Days []string `yaml:"days"`
}

type writtenLimit struct {
	Messages int    `yaml:"messages"`
	Per      string `yaml:"per"`
}

// Services are the words that `service` may have.
var Services = []string{"webhook", "mail", "slack", "teams", "matrix", "ntfy", "telegram", "shoutrrr"}

// needs are the keys of one service: those it must have, and those it may.
var needs = map[string]struct{ must, may []string }{
	"webhook":  {[]string{"url"}, []string{"secret", "token"}},
	"mail":     {[]string{"server", "from", "to"}, []string{"tls", "user", "password", "unsubscribe", "digest"}},
	"slack":    {[]string{"url"}, nil},
	"teams":    {[]string{"url"}, nil},
	"matrix":   {[]string{"url", "token", "room"}, nil},
	"ntfy":     {[]string{"url"}, []string{"token"}},
	"telegram": {[]string{"token", "chat"}, []string{"url"}},
	"shoutrrr": {[]string{"url"}, nil},
}

var particular = []string{"url", "token", "secret", "room", "chat", "server", "tls", "user", "password", "from", "to", "unsubscribe", "digest"}

// hidden are services whose address is itself the secret.
var hidden = []string{"slack", "teams", "shoutrrr"}

var (
	slugForm  = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$`)
	envForm   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	stateForm = regexp.MustCompile(`^[A-Z]{2}$`)
	roomForm  = regexp.MustCompile(`^![^\s/]+$`)
	chatForm  = regexp.MustCompile(`^(-?[0-9]{1,20}|@[A-Za-z0-9_]{3,64})$`)
)

const maxDestinations = 50 // each is a metric label, a place and a connection

// Load reads the file of destinations. With errors in the list nothing of it
// may run.
func Load(file string, known Known) ([]*Destination, problem.List) {
	b, err := os.ReadFile(file)
	if err != nil {
		var p *os.PathError
		if errors.As(err, &p) {
			err = p.Err
		}
		return nil, problem.List{problem.At(file, nil, "%v", err).WithHint("give another path with --notify, or leave it out")}
	}
	return load(file, b, known)
}

func load(file string, b []byte, known Known) ([]*Destination, problem.List) {
	var w written
	root, list := problem.YAML(file, b, &w)
	if root == nil {
		return nil, list
	}
	l := &loader{file: file, root: root, list: list, known: known}
	zone := l.zone(w.Zone, time.UTC, "zone")
	page := strings.TrimRight(w.Page, "/")
	if u, err := url.Parse(page); page != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "") {
		l.at([]any{"page"}, "the address at which your analysts open the page", "page %s is not an http(s) address", problem.Quote(w.Page))
	}
	if len(w.Destinations) == 0 && len(list.Errors()) == 0 {
		l.at([]any{"destinations"}, "add one under destinations:, see deploy/notify.example.yaml", "the file names no destination")
	}
	if len(w.Destinations) > maxDestinations {
		l.at([]any{"destinations"}, "let a chat channel or a mailing list spread the alerts", "%d destinations, more than %d", len(w.Destinations), maxDestinations)
		w.Destinations = w.Destinations[:maxDestinations]
	}
	var out []*Destination
	for i, wd := range w.Destinations {
		d := l.destination(i, wd, zone)
		d.page = page
		if j := slices.IndexFunc(out, func(o *Destination) bool { return o.Name == d.Name && d.Name != "" }); j >= 0 {
			l.at([]any{"destinations", i, "name"}, "a destination's place in the stream goes by its name", "name %q is used twice; the first is in line %d", d.Name, problem.Find(root, "destinations", j, "name").Line)
		}
		out = append(out, d)
	}
	l.list.Sort()
	if len(l.list.Errors()) > 0 {
		return nil, l.list
	}
	return out, l.list
}

type loader struct {
	file  string
	root  *yaml.Node
	list  problem.List
	known Known
}

func (l *loader) at(path []any, hint, format string, args ...any) {
	p := problem.At(l.file, problem.Find(l.root, path...), format, args...)
	if hint != "" {
		p = p.WithHint("%s", hint)
	}
	if !slices.ContainsFunc(l.list, func(q problem.Problem) bool { return q.Line == p.Line && q.Column == p.Column }) {
		l.list = append(l.list, p)
	}
}

// key reports at a key itself: one that is not allowed here.
func (l *loader) key(i int, name, hint, format string, args ...any) {
	n := problem.Key(problem.Find(l.root, "destinations", i), name)
	l.list = append(l.list, problem.At(l.file, n, format, args...).WithHint("%s", hint))
}

func (l *loader) destination(i int, w writtenDestination, zone *time.Location) *Destination {
	here := func(keys ...any) []any { return append([]any{"destinations", i}, keys...) }
	has := func(key string) bool { return problem.Has(problem.Find(l.root, "destinations", i), key) }
	d := &Destination{Name: w.Name, Service: w.Service, Disabled: w.Disabled, severity: rule.Medium, zone: zone,
		channels: w.Channels, feeds: w.Feeds, countries: w.Countries, tiers: w.Tiers, perChannel: w.Per == "channel"}
	if !slugForm.MatchString(w.Name) {
		l.at(here("name"), "lower-case letters, digits and hyphens, at most 40", "name %s is no slug", problem.Quote(w.Name))
	}
	if !slices.Contains(Services, w.Service) {
		hint := "services: " + strings.Join(Services, ", ")
		if n := problem.Nearest(w.Service, Services); n != "" {
			hint = fmt.Sprintf("did you mean %q?", n)
		} else if w.Service != "" {
			hint += "; shoutrrr has many more (its url is the service's own form, such as discord://token@id)"
		}
		l.at(here("service"), hint, "unknown service %s", problem.Quote(w.Service))
		return d
	}
	if has("disabled") && strings.TrimSpace(w.Disabled) == "" {
		l.at(here("disabled"), "say why: people will ask", "disabled needs a reason")
	}
	need := needs[w.Service]
	for _, k := range need.must {
		if !has(k) {
			l.at(here(), "", "destination %s: service %s needs %s", problem.Quote(w.Name), w.Service, k)
		}
	}
	for _, k := range particular {
		if has(k) && !slices.Contains(need.must, k) && !slices.Contains(need.may, k) {
			l.key(i, k, "it has "+strings.Join(slices.Concat(need.must, need.may), ", "), "service %s has no %s", w.Service, k)
		}
	}
	l.filter(i, w, d)
	l.times(i, w, d, zone)

	d.url = l.secret(i, "url", !slices.Contains(hidden, w.Service))
	d.token, d.secret, d.password = l.secret(i, "token", false), l.secret(i, "secret", false), l.secret(i, "password", false)
	d.room, d.chat, d.user = w.Room, w.Chat, w.User
	if d.url.given() && w.Service != "shoutrrr" {
		if v, err := d.url.read(); err == nil {
			if u, err := url.Parse(v); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
				l.at(here("url"), "it begins with https://", "url: the address in %s is not an http(s) address", d.url)
			} else if w.Service == "ntfy" && (strings.Trim(u.Path, "/") == "" || u.RawQuery != "") {
				l.at(here("url"), "for instance https://ntfy.example.org/newsmonitor", "url: the address names no topic")
			}
		}
	}
	if w.Service == "shoutrrr" && d.url.given() {
		if v, err := d.url.read(); err == nil {
			if text := libraryProblem(v); text != "" {
				l.at(here("url"), "see the library's manual for the service's form", "url: %s", text)
			}
		}
	}
	switch w.Service {
	case "matrix":
		if has("room") && !roomForm.MatchString(w.Room) {
			l.at(here("room"), "the room's internal id, !abc:example.org, from its settings", "room %s is no room id", problem.Quote(w.Room))
		}
	case "telegram":
		if has("chat") && !chatForm.MatchString(w.Chat) {
			l.at(here("chat"), "a number such as \"-1001234567890\", or @name of a public channel", "chat %s is no chat id", problem.Quote(w.Chat))
		}
	case "mail":
		l.mail(i, w, d)
	}
	return d
}

func (l *loader) mail(i int, w writtenDestination, d *Destination) {
	here := func(keys ...any) []any { return append([]any{"destinations", i}, keys...) }
	if w.Server != "" {
		if host, port, ok := strings.Cut(w.Server, ":"); !ok || host == "" || strings.Trim(port, "0123456789") != "" || port == "" {
			l.at(here("server"), "for instance smtp.example.org:587", "server %s is not host:port", problem.Quote(w.Server))
		}
	}
	d.server, d.tls = w.Server, w.TLS
	switch w.TLS {
	case "":
		d.tls = "starttls"
		if strings.HasSuffix(w.Server, ":465") {
			d.tls = "implicit"
		}
	case "starttls", "implicit":
	case "none":
		if d.password.given() && !loopback(w.Server) {
			l.at(here("tls"), "use starttls", "a password would go over the network in the clear")
		}
	default:
		l.at(here("tls"), "starttls, implicit or none", "tls %s is none of the ways", problem.Quote(w.TLS))
	}
	if (w.User != "") != d.password.given() {
		l.at(here(), "give both, or none for a server that asks for none", "destination %s: user and password go together", problem.Quote(w.Name))
	}
	address := func(s string, keys ...any) *mail.Address {
		a, err := mail.ParseAddress(s)
		if err != nil || strings.ContainsAny(s, "\r\n") {
			l.at(here(keys...), "name@example.org, or \"Desk <desk@example.org>\"", "%s is not a mail address", problem.Quote(s))
			return &mail.Address{}
		}
		return a
	}
	if w.From != "" {
		d.from = address(w.From, "from")
	}
	if problem.Has(problem.Find(l.root, "destinations", i), "to") && len(w.To) == 0 {
		l.at(here("to"), "", "to names nobody")
	}
	for j, s := range w.To {
		d.to = append(d.to, address(s, "to", j))
	}
	d.unsubscribe = w.Unsubscribe
	if w.Unsubscribe != "" {
		if u, err := url.Parse(w.Unsubscribe); err != nil || u.Scheme != "mailto" && u.Scheme != "https" || strings.ContainsAny(w.Unsubscribe, "<>, \r\n") {
			l.at(here("unsubscribe"), "mailto:desk@example.org, or an https: address", "unsubscribe %s is neither mailto: nor https:", problem.Quote(w.Unsubscribe))
		}
	}
}

func (l *loader) filter(i int, w writtenDestination, d *Destination) {
	here := func(keys ...any) []any { return append([]any{"destinations", i}, keys...) }
	among := func(key string, values, known []string, what string) {
		for j, v := range values {
			if known == nil || slices.Contains(known, v) {
				continue
			}
			hint := fmt.Sprintf("there are: %s", strings.Join(first(known, 20), ", "))
			if n := problem.Nearest(v, known); n != "" {
				hint = fmt.Sprintf("did you mean %q?", n)
			}
			l.at(here(key, j), hint, "%s names no %s", problem.Quote(v), what)
		}
	}
	among("channels", w.Channels, l.known.Channels, "channel of the rules")
	among("feeds", w.Feeds, l.known.Feeds, "feed of the catalogue")
	among("tiers", w.Tiers, feed.Tiers, "tier")
	for j, c := range w.Countries {
		if !stateForm.MatchString(c) {
			l.at(here("countries", j), "two capital letters: ISO 3166-1, or EU, UN", "%s names no country", problem.Quote(c))
		}
	}
	for _, k := range []string{"channels", "feeds", "countries", "tiers"} {
		if n := problem.Find(l.root, "destinations", i, k); problem.Has(problem.Find(l.root, "destinations", i), k) && n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
			l.at(here(k), "leave the key out to take all", "an empty list lets nothing through")
		}
	}
	if w.Severity != "" {
		d.severity = rule.Severity(w.Severity)
		if d.severity.Rank() < 0 {
			l.at(here("severity"), "low, medium, high or critical: this and above", "severity %s is none", problem.Quote(w.Severity))
		}
	}
	if w.Per != "" && w.Per != "item" && w.Per != "channel" {
		l.at(here("per"), "item (an item once, with all its channels) or channel (each alert)", "per %s is neither", problem.Quote(w.Per))
	}
}
