package notify

import (
	"net"
	"net/mail"
	"slices"
	"time"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/rule"
)

// Destination is one place that alerts are pushed to, checked: whoever holds
// one need not check it again. What is secret in it never prints.
type Destination struct {
	Name     string
	Service  string
	Disabled string // the reason why nothing is sent

	url, token, secret, password secret
	room, chat                   string
	server, tls, user            string
	from                         *mail.Address
	to                           []*mail.Address
	unsubscribe                  string
	page                         string // without a slash at the end; empty without a page
	zone                         *time.Location
	channels, feeds              []string // empty: all
	countries, tiers             []string
	severity                     rule.Severity // this and above
	perChannel                   bool
	quiet                        *quiet
	digest                       *schedule
	limit                        int           // messages in limitPer; 0: none
	limitPer                     time.Duration //
}

// takes tells whether an alert is for this destination at all, leaving aside
// whether it is folded.
func (d *Destination) takes(e *alert.Event) bool {
	return d.takesChannel(e.Data.Channel) && e.Severity.Rank() >= d.severity.Rank() && d.takesItem(e)
}

func (d *Destination) takesChannel(c string) bool {
	return len(d.channels) == 0 || slices.Contains(d.channels, c)
}

func (d *Destination) takesItem(e *alert.Event) bool {
	src, voice := e.Data.Source, e.Data.Voice
	tier, countries := src.Tier, []string{src.Country}
	if voice != nil {
		if voice.Tier != "" {
			tier = voice.Tier
		}
		countries = append(countries, voice.Country)
	}
	switch {
	case len(d.feeds) > 0 && !slices.Contains(d.feeds, e.Data.Item.Feed):
		return false
	case len(d.tiers) > 0 && !slices.Contains(d.tiers, tier):
		return false
	case len(d.countries) > 0 && !slices.ContainsFunc(countries, func(c string) bool { return slices.Contains(d.countries, c) }):
		return false
	}
	return true
}

// heldBack tells of an alert that is stored but never pushed.
func heldBack(st *alert.Stored) bool {
	return st.Folded || st.Event.Type == alert.Folded || st.Event.Data.Backlog
}

// waits tells whether an alert came in the quiet hours and is kept for their
// end. It looks at the alert's own time, so that a restart decides the same.
func (d *Destination) waits(e *alert.Event) bool {
	if d.quiet == nil || e.Severity == rule.Critical && !d.quiet.criticalWaits {
		return false
	}
	return d.quiet.covers(e.Time)
}

// machine receivers get each event as it is, one by one.
func (d *Destination) machine() bool { return d.Service == "webhook" }

func loopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func first[T any](s []T, n int) []T { return s[:min(n, len(s))] }
