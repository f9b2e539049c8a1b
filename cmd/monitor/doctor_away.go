package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"newsmonitor/pipeline"
	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/poll"
	"newsmonitor/pipeline/stream"
	"newsmonitor/pipeline/web"
)

// examineDaemon asks whether a daemon of ours listens where these flags would,
// and whether it is well.
func examineDaemon(ctx context.Context, addr string) (f finding, running bool) {
	none := finding{"daemon", fine, "none runs with these flags", ""}
	if addr == "off" {
		return none, false
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	status, text, err := probe(ctx, "http://"+addr+"/readyz")
	switch {
	case err != nil:
	case status == http.StatusOK && text == "ok":
		var st web.Status
		_ = (server{Server: "http://" + addr}).get(ctx, "/api/v1/status", &st) // may need a token, which is not ours
		for _, s := range st.Streams {
			if s.Damage != "" {
				return finding{"daemon", wrong, fmt.Sprintf("the store of the one at http://%s is damaged: %s: %s", addr, s.Name, s.Damage), "its log says what to do, and so does deploy/RUNBOOK.md at MonitorStreamDamaged"}, true
			}
		}
		return finding{"daemon", fine, "one runs at http://" + addr + " and is ready", ""}, true
	case status == http.StatusServiceUnavailable && strings.HasPrefix(text, "not ready: "):
		return finding{"daemon", wrong, "the one at http://" + addr + " is " + text, "monitor status and its log say more; deploy/RUNBOOK.md says what to do"}, true
	}
	return none, false
}

func examineNATS(ctx context.Context, s pipeline.Settings) finding {
	e, err := stream.Examine(ctx, stream.Options{URL: s.NATS, Creds: s.NATSCreds, Prefix: s.Prefix})
	if err != nil {
		hint := "see --nats, --nats-creds, and monitor nats config for the administrator"
		if strings.Contains(err.Error(), "uthoriz") || strings.Contains(err.Error(), "uthentication") {
			hint = "the server refuses the user: see --nats-creds; monitor nats config prints what the administrator must allow"
		}
		return finding{"nats", wrong, err.Error(), hint}
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
