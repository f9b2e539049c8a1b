package pipeline

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/notify"
	"newsmonitor/pipeline/poll"
	"newsmonitor/pipeline/problem"
	"newsmonitor/pipeline/rule"
)

// BuiltinName names, in --feeds and --rules, the copy inside the binary.
const BuiltinName = "builtin"

// Settings are the flags of `run`, as they are used: durations parsed, paths
// as given. cmd/monitor fills them; its help is their manual.
type Settings struct {
	Files Files

	Data       string
	MaxStore   int64 // bytes
	KeepItems  time.Duration
	KeepAlerts time.Duration

	NATS         string // empty: embedded
	NATSCreds    string
	NATSReplicas int
	NATSManage   bool
	NATSLease    time.Duration // of replicas on the feeds; 0: the usual
	Prefix       string
	NATSListen   string // host:port or off
	NATSUsers    string
	NATSCert     string
	NATSKey      string

	HTTP           string // host:port or off
	HTTPTokenFile  string
	HTTPUserHeader string
	HTTPTrust      []string
	HTTPHosts      []string

	Poll     poll.Options
	Canary   time.Duration // between two self-tests; 0: none
	Instance string        // the deployment, in events and the page
	Owner    string        // this process, in the readers' places
	Version  string
}

// Files says which feeds and rules run. Later ones win, by id.
type Files struct {
	Feeds   []string    // files, or builtin; empty: ./feeds.yaml if there, else builtin
	Rules   []string    // folders, or builtin; empty: ./rules if there, else builtin
	Notify  string      // file of destinations; empty: nothing is pushed
	RSSHub  string      // base URL for rsshub: routes, or empty
	Builtin fs.FS       // feeds.yaml and rules/
	Extra   []feed.Feed // the demo's own; without Feeds they are all that is watched
}

// Config is what the files hold, checked: whoever has one need not check it
// again.
type Config struct {
	Feeds    []feed.Feed
	Rules    *rule.Set
	Pushed   []*notify.Destination // where alerts are pushed
	FeedsRun []string              // which copies of the feeds run, for log, status and page
	RulesRun []string              //
	Problems problem.List          // of files that were refused at a reload, and warnings
	catalogs map[string]result     // last good version of each feeds file
}

type result struct{ feeds []feed.Feed }

// Load reads all files. The unit of refusal is the file: one with an error
// keeps its last good version from prev whole, the others are taken. At the
// start there is no such version; then any error means that there is nothing
// to run with, and the caller shows Problems.
func (f Files) Load(prev *Config) (*Config, error) {
	c := &Config{catalogs: map[string]result{}}
	var old *rule.Set
	if prev != nil {
		old = prev.Rules
	}
	var work errgroup.Group // nothing returns an error
	work.SetLimit(runtime.GOMAXPROCS(0))
	var ruleProblems problem.List
	work.Go(func() error {
		c.Rules, c.RulesRun, ruleProblems = f.loadRules(old)
		return nil
	})
	names := f.catalogues()
	lists, problems := make([][]feed.Feed, len(names), len(names)+1), make([]problem.List, len(names))
	for i, name := range names {
		work.Go(func() error {
			lists[i], problems[i] = f.catalogue(name)
			return nil
		})
	}
	_ = work.Wait()
	for i, name := range names {
		if len(problems[i].Errors()) > 0 && prev != nil {
			lists[i] = prev.catalogs[name].feeds
		}
		c.catalogs[name] = result{lists[i]}
		c.FeedsRun = append(c.FeedsRun, name)
		c.Problems = append(c.Problems, problems[i]...)
	}
	c.Feeds = feed.Merge(append(lists, f.Extra)...)
	for i, fd := range c.Feeds {
		fd, watched, why := feed.Resolve(fd, f.RSSHub)
		if !watched && fd.Disabled == "" {
			fd.Disabled = why
		}
		c.Feeds[i] = fd
	}
	if all := len(f.Extra); len(names) > 0 {
		for _, l := range lists {
			all += len(l)
		}
		if from := 0; all == len(c.Feeds) { // no feed replaced another: one copy will do, as what is resolved stays so
			for i, name := range names {
				c.catalogs[name] = result{c.Feeds[from : from+len(lists[i])]}
				from += len(lists[i])
			}
		}
	}
	c.Problems = append(c.Problems, ruleProblems...)
	var l problem.List
	c.Pushed, l = f.loadDestinations(c, prev)
	c.Problems = append(c.Problems, l...)
	c.Problems.Sort()
	if errs := c.Problems.Errors(); len(errs) > 0 && prev == nil {
		return c, errs
	}
	return c, nil
}

// catalogue reads one file of feeds.
func (f Files) catalogue(name string) ([]feed.Feed, problem.List) {
	b, err := f.read(name)
	if err != nil {
		return nil, problem.List{problem.At(name, nil, "%v", err).WithHint("give another path with --feeds, or --feeds builtin")}
	}
	return feed.LoadCatalogue(name, b)
}

// orDefault is what runs without the flag: the file or folder beside us if
// there is one, else the copy inside the binary.
func orDefault(names []string, here string) []string {
	if len(names) > 0 {
		return names
	}
	if _, err := os.Stat(here); err == nil {
		return []string{here}
	}
	return []string{BuiltinName}
}

// loadDestinations reads the file of destinations, whose filters must name what
// there is.
func (f Files) loadDestinations(c, prev *Config) ([]*notify.Destination, problem.List) {
	if f.Notify == "" {
		return nil, nil
	}
	known := notify.Known{Channels: []string{}, Feeds: []string{}}
	if c.Rules != nil {
		for _, ch := range c.Rules.Channels() {
			known.Channels = append(known.Channels, ch.Slug)
		}
	}
	if len(known.Channels) == 0 { // the rules' own problems say why
		known.Channels = nil
	}
	for _, fd := range c.Feeds {
		known.Feeds = append(known.Feeds, fd.ID)
	}
	ds, l := notify.Load(f.Notify, known)
	if len(l.Errors()) > 0 && prev != nil {
		ds = prev.Pushed
	}
	return ds, l
}

// LoadRules reads the rules only.
func (f Files) LoadRules() (*rule.Set, problem.List) {
	set, _, l := f.loadRules(nil)
	return set, l
}

func (f Files) loadRules(old *rule.Set) (set *rule.Set, run []string, l problem.List) {
	var dirs []rule.Dir
	for _, name := range orDefault(f.Rules, "rules") {
		dir, err := f.dir(name)
		if err != nil {
			l = append(l, problem.At(name, nil, "%v", err).WithHint("give another folder with --rules, or --rules builtin"))
			continue
		}
		dirs = append(dirs, rule.Dir{Name: name, FS: dir})
		run = append(run, name)
	}
	var more problem.List
	if old == nil {
		set, more = rule.Load(dirs...)
	} else {
		set, more = old.Reload(dirs...)
	}
	return set, run, append(l, more...)
}

func (f Files) catalogues() []string {
	if len(f.Feeds) == 0 && len(f.Extra) > 0 {
		return nil
	}
	return orDefault(f.Feeds, "feeds.yaml")
}

func (f Files) read(name string) ([]byte, error) {
	if name == BuiltinName {
		return fs.ReadFile(f.Builtin, "feeds.yaml")
	}
	b, err := os.ReadFile(name)
	return b, plain(err)
}

func (f Files) dir(name string) (fs.FS, error) {
	if name == BuiltinName {
		return fs.Sub(f.Builtin, "rules")
	}
	info, err := os.Stat(name)
	if err != nil {
		return nil, plain(err)
	}
	if !info.IsDir() {
		return nil, errors.New("not a folder")
	}
	return os.DirFS(name), nil
}

// plain drops the path from an error: the place says it already.
func plain(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// Watched lists the files and folders on the disk that a reload should notice.
func (f Files) Watched() []string {
	var out []string
	for _, name := range slices.Concat(f.catalogues(), orDefault(f.Rules, "rules")) {
		if name != BuiltinName {
			out = append(out, filepath.Clean(name))
		}
	}
	if f.Notify != "" {
		out = append(out, filepath.Clean(f.Notify))
	}
	return out
}

// Summary says in words what the configuration holds.
func (c *Config) Summary() string {
	watched := 0
	for _, f := range c.Feeds {
		if f.Disabled == "" {
			watched++
		}
	}
	return fmt.Sprintf("%d feeds (%d watched), %d rules in %d channels", len(c.Feeds), watched, c.Rules.Len(), len(c.Rules.Channels()))
}

// Config returns the configuration of the moment.
func (m *Monitor) Config() *Config { return m.config.Load() }
