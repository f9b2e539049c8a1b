package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"newsmonitor/pipeline"
	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/poll"
	"newsmonitor/pipeline/rule"
	"newsmonitor/pipeline/stream"
)

// doctorCmd looks at all that an operator would look at by hand. It takes the
// flags of run, so that it judges the same settings, and changes nothing.
type doctorCmd struct {
	Flags  runCmd `embed:""`
	Sample int    `default:"8" placeholder:"N" help:"How many feeds to ask, each on another host; 0: none."`
}

func (doctorCmd) Help() string {
	return `It takes the flags of run and the same environment. Exit code 1 when something is wrong; warnings are not.

Example:
    monitor doctor --data /var/lib/newsmonitor/data --sample 3`
}

// Verdicts.
const (
	fine    = "ok"
	warning = "warning"
	wrong   = "wrong"
)

// finding is one line of the output.
type finding struct {
	Check   string `json:"check"`
	Verdict string `json:"verdict"`
	Text    string `json:"text"`
	Hint    string `json:"hint,omitempty"`
}

func (c *doctorCmd) Run(ctx context.Context, t terminal) error {
	s, err := c.Flags.settings()
	if err != nil {
		return err
	}
	failed := false
	tell := func(f finding) {
		failed = failed || f.Verdict == wrong
		if c.Flags.JSON {
			_ = json.NewEncoder(t.out).Encode(f)
			return
		}
		fmt.Fprintf(t.out, "%-8s %-10s %s\n", f.Verdict, f.Check, safe(f.Text))
		if f.Hint != "" && f.Verdict != fine {
			fmt.Fprintf(t.out, "%-8s %-10s try: %s\n", "", "", safe(f.Hint))
		}
	}
	config, files := examineFiles(s.Files)
	tell(files)
	if config != nil && config.Rules != nil {
		tell(examineCost(config.Rules))
	}
	running := livez("http://"+s.HTTP)(ctx) == nil
	if s.NATS == "" {
		tell(examineFolder(s.Data, running))
		tell(examineDisk(s.Data, s.MaxStore))
	} else {
		tell(examineNATS(ctx, s))
	}
	tell(examineListener("http", s.HTTP, running, s.HTTPTokenFile != "" || s.HTTPUserHeader != "",
		"beyond loopback only health and metrics are served: give --http-token-file or --http-user-header"))
	if s.NATS == "" {
		tell(examineListener("nats", s.NATSListen, running, s.NATSUsers != "" && s.NATSCert != "",
			"beyond loopback it does not start: give --nats-users, --nats-tls-cert and --nats-tls-key"))
	}
	tell(examineDescriptors())
	var served []time.Duration // how far servers' clocks are from ours
	if config != nil && c.Sample > 0 {
		var f finding
		f, served = examineFeeds(ctx, s.Poll, config.Feeds, c.Sample)
		tell(f)
	}
	tell(examineClock(time.Now(), served))
	if failed {
		return errQuiet
	}
	return nil
}

func examineFiles(f pipeline.Files) (*pipeline.Config, finding) {
	config, err := f.Load(nil)
	if err != nil {
		lines := strings.SplitN(err.Error(), "\n", 2)
		return config, finding{"files", wrong, lines[0], "monitor check shows all problems with their places"}
	}
	out := finding{Check: "files", Verdict: fine, Text: config.Summary()}
	if n := len(config.Problems); n > 0 {
		out.Verdict, out.Hint = warning, "monitor check shows them"
		out.Text += fmt.Sprintf(", %d warnings", n)
	}
	return config, out
}

// examineCost matches an ordinary item as often as it takes to tell.
func examineCost(set *rule.Set) finding {
	it := feed.Item{Title: "Ministry comments on talks with neighbours about trade and security",
		Content: strings.Repeat("The spokesman said that both sides would meet again before the end of the year. ", 60), Language: "en"}
	const times = 20
	set.Match(it) // the first builds what the others use
	start := time.Now()
	for range times {
		set.Match(it)
	}
	took := time.Since(start) / times
	f := finding{"rules", fine, fmt.Sprintf("an item of 5 KB is matched in %s", took.Round(10*time.Microsecond)), ""}
	if took > 50*time.Millisecond {
		f.Verdict, f.Hint = warning, "monitor rules cost names the rules that take the time"
	}
	return f
}

func examineFolder(dir string, running bool) finding {
	info, err := os.Stat(dir)
	switch {
	case os.IsNotExist(err):
		parent := filepath.Dir(filepath.Clean(dir))
		if err := writable(parent); err != nil {
			return finding{"folder", wrong, fmt.Sprintf("%s is not there, and cannot be made: %v", dir, err), "make it for the user that runs the daemon, or give another --data"}
		}
		return finding{"folder", fine, dir + " is not there yet; the first start makes it", ""}
	case err != nil:
		return finding{"folder", wrong, err.Error(), "give another --data"}
	case !info.IsDir():
		return finding{"folder", wrong, dir + " is no folder", "give another --data"}
	}
	if err := writable(dir); err != nil {
		return finding{"folder", wrong, fmt.Sprintf("%s cannot be written: %v", dir, err), "chown it to the user that runs the daemon"}
	}
	f := finding{"folder", fine, dir + " can be written", ""}
	if running {
		f.Text += "; a daemon runs here"
	}
	return f
}

func writable(dir string) error {
	f, err := os.CreateTemp(dir, ".doctor-")
	if err != nil {
		return err
	}
	name := f.Name()
	return cmp.Or(f.Close(), os.Remove(name))
}

func examineDisk(dir string, most int64) finding {
	for { // the folder may not be there yet
		if _, err := os.Stat(dir); err == nil {
			break
		}
		up := filepath.Dir(filepath.Clean(dir))
		if up == dir {
			break
		}
		dir = up
	}
	free, err := freeBytes(dir)
	if err != nil {
		return finding{"disk", warning, fmt.Sprintf("how much is free is not known: %v", err), "look by hand"}
	}
	var used int64
	_ = filepath.WalkDir(filepath.Join(dir, "jetstream"), func(_ string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			if i, err := d.Info(); err == nil {
				used += i.Size()
			}
		}
		return nil
	})
	f := finding{"disk", fine, fmt.Sprintf("%s free, the store has %s and may have %s", bytesText(free), bytesText(uint64(used)), bytesText(uint64(most))), ""}
	switch room := int64(min(free, 1<<62)) + used; {
	case free < 64<<20:
		f.Verdict, f.Hint = wrong, "make room: a full disk stops the store"
	case room < most:
		f.Verdict, f.Hint = warning, "make room, or give a --max-store that fits: "+bytesText(uint64(room/10*9))
	}
	return f
}

func examineNATS(ctx context.Context, s pipeline.Settings) finding {
	e, err := stream.Examine(ctx, stream.Options{URL: s.NATS, Creds: s.NATSCreds, Prefix: s.Prefix})
	if err != nil {
		return finding{"nats", wrong, err.Error(), "see --nats, --nats-creds, and monitor nats config for the administrator"}
	}
	f := finding{"nats", fine, fmt.Sprintf("nats-server %s, round trip %s, the account uses %s", e.Server, e.RoundTrip.Round(10*time.Microsecond), bytesText(e.Used)), ""}
	if e.Limit > 0 {
		f.Text += " of " + bytesText(uint64(e.Limit))
	}
	switch {
	case e.Level < 1:
		f.Verdict, f.Hint = wrong, "nats-server 2.11 or newer is needed"
	case e.MaxSize < 1<<20:
		f.Verdict, f.Hint = wrong, fmt.Sprintf("it takes messages up to %s: max_payload of 1 MB is needed", bytesText(uint64(e.MaxSize)))
	case len(e.Missing) > 0 && !s.NATSManage:
		f.Verdict, f.Hint = wrong, strings.Join(e.Missing, ", ")+" missing: the administrator makes them by monitor nats config"
	case e.Limit > 0 && e.Limit < s.MaxStore:
		f.Verdict, f.Hint = warning, "the account may keep less than --max-store: its own limit then refuses what is new"
	}
	return f
}

func examineListener(name, addr string, running, guarded bool, open string) finding {
	if addr == "off" {
		return finding{name, fine, "does not listen", ""}
	}
	f := finding{name, fine, addr + " is free", ""}
	if l, err := net.Listen("tcp", addr); err == nil {
		_ = l.Close()
	} else if running {
		f.Text = addr + " is the running daemon's"
	} else {
		return finding{name, wrong, fmt.Sprintf("%s cannot be had: %v", addr, err), "another program listens there, or it is no address of this machine: give another --" + map[string]string{"http": "http", "nats": "nats-listen"}[name]}
	}
	host, _, _ := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) && !guarded {
		f.Verdict, f.Hint = warning, open
	}
	return f
}

// examineFeeds asks some feeds, each on another host, as the daemon would.
func examineFeeds(ctx context.Context, o poll.Options, feeds []feed.Feed, n int) (finding, []time.Duration) {
	hosts := map[string]bool{}
	var sample []feed.Feed
	for _, i := range rand.Perm(len(feeds)) {
		f := feeds[i]
		if h := poll.HostOf(f.URL); f.Disabled == "" && !hosts[h] && len(sample) < n {
			hosts[h] = true
			sample = append(sample, f)
		}
	}
	if len(sample) == 0 {
		return finding{"feeds", warning, "no feed is watched", "monitor feeds list names the reasons"}, nil
	}
	o.Timeout = min(o.Timeout, 15*time.Second)
	fetcher := poll.NewFetcher(o)
	type answer struct {
		feed string
		err  error
		off  time.Duration
		told bool
	}
	answers := make(chan answer)
	for _, f := range sample {
		go func() {
			a, err := fetcher.Fetch(ctx, poll.Request{Feed: f})
			out := answer{feed: f.ID, err: err}
			if err == nil {
				_, err = feed.Parse(a.Document(f))
				out.err = err
				out.off, out.told = a.Fetched.Sub(a.Date), !a.Date.IsZero()
			}
			answers <- out
		}()
	}
	var bad []string
	var off []time.Duration
	for range sample {
		a := <-answers
		if a.err != nil {
			bad = append(bad, fmt.Sprintf("%s: %v", a.feed, a.err))
		}
		if a.told {
			off = append(off, a.off)
		}
	}
	f := finding{"feeds", fine, fmt.Sprintf("%d of %d asked answered", len(sample)-len(bad), len(sample)), ""}
	switch {
	case len(bad) == len(sample):
		f.Verdict, f.Hint = wrong, "none answers: look at the network, the name server and HTTPS_PROXY; for feeds of your own network give --allow-net"
	case len(bad) > 0:
		f.Verdict, f.Hint = warning, "one that fails is ordinary; monitor feeds list says what to do"
	}
	if len(bad) > 0 {
		f.Text += "; " + bad[0]
	}
	return f, off
}

// examineClock compares with what most servers say; one may be wrong itself.
func examineClock(now time.Time, off []time.Duration) finding {
	f := finding{"clock", fine, now.UTC().Format(time.RFC3339), ""}
	if now.Year() < 2026 {
		return finding{"clock", wrong, f.Text + " is before this program was made", "set the clock, and let it be kept (systemd-timesyncd, chrony)"}
	}
	if len(off) == 0 {
		f.Text += "; nobody could be asked whether that is right"
		return f
	}
	far := 0
	for _, d := range off {
		if d.Abs() > 30*time.Second {
			far++
		}
	}
	if 2*far > len(off) {
		return finding{"clock", wrong, fmt.Sprintf("%s is %s from what servers say", f.Text, off[0].Round(time.Second)), "set the clock, and let it be kept (systemd-timesyncd, chrony): dates and certificates are judged by it"}
	}
	f.Text += fmt.Sprintf(", as %d servers say", len(off))
	return f
}
