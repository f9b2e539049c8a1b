package poll

import (
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"
	"slices"
	"time"

	"newsmonitor/pipeline/feed"
)

// visit is one poll as judged: what to store and what to say, nothing of it
// done yet.
type visit struct {
	state   State
	was     State
	news    News
	due     time.Time
	took    time.Duration // the exchange alone
	result  string        // one of fetchResults
	failed  *Failure
	same    bool // nothing changed: 304, or the same bytes
	durable bool // worth writing at once
	events  []Event
	repairs []string
	notes   []string
}

// judge turns a server's answer into the next state. It asks nobody and
// stores nothing.
func (p *Poller) judge(f feed.Feed, st State, a *Answer, err error) visit {
	v := visit{was: st, state: st}
	next := &v.state
	if next.URL != f.URL {
		next.URL, next.ETag, next.LastModified, next.Origin, next.Body = f.URL, "", "", "", ""
		next.NewURL, next.Moved, next.Gone = "", 0, 0
	}
	if next.State == "" {
		next.State, next.Since = StatePending, p.Now().UTC()
	}
	if err == nil && !a.Unchanged {
		err = p.read(&v, f, a)
	}
	now := p.Now()
	var failed *Failure
	if errors.As(err, &failed) {
		p.fail(&v, f, now, failed)
	} else {
		p.succeed(&v, f, now, a)
	}
	next.LastPoll, next.NextDue = now.UTC(), v.due.UTC()
	v.durable = v.durable || changed(st, *next)
	return v
}

// read parses a body and finds what is new in it. The same bytes as last time
// need neither.
func (p *Poller) read(v *visit, f feed.Feed, a *Answer) error {
	next := &v.state
	// What the catalogue says about reading is part of the hash: bytes that
	// are read differently are different bytes.
	sum := hash(32, string(a.Body), f.Charset, f.DateLayout, f.Identity)
	if sum == next.Body && next.Parser == feed.ParserVersion {
		v.same = true
		return nil
	}
	doc, err := p.parse(feed.Document{Feed: f, URL: a.URL, ContentType: a.ContentType, Body: a.Body, Fetched: a.Fetched.UTC()})
	if err != nil {
		return parseFailure(a.Status, err)
	}
	cut := slices.Contains(doc.Repairs, "truncated")
	if cut && a.Open {
		// The body ended with the connection and in the middle of the
		// document: this is a broken answer, not a badly written feed.
		return failure(ReasonTruncated, "the answer broke off")
	}
	v.repairs = doc.Repairs
	v.news = Newness(*next, f, doc, a.Fetched, p.Backlog)
	*next = v.news.Next
	next.Wish = Wish{TTL: doc.TTL, SkipHours: doc.SkipHours, SkipDays: doc.SkipDays}
	next.Body = sum
	if cut {
		// Never ask whether half a document changed.
		next.Body, a.ETag, a.LastModified = "", "", ""
	}
	if v.news.New > 0 {
		next.LastNew = a.Fetched.UTC()
	}
	if v.news.Cut > 0 {
		v.notes = append(v.notes, fmt.Sprintf("lists %d items; only the first %d are read", v.news.Cut+maxItems, maxItems))
	}
	if slices.Contains(doc.Repairs, "items_lost") {
		v.notes = append(v.notes, "some items of the document cannot be read")
	}
	v.durable = true
	return nil
}

func (p *Poller) succeed(v *visit, f feed.Feed, now time.Time, a *Answer) {
	next, was := &v.state, v.was
	v.result = "success"
	if a.Unchanged {
		v.result, v.same = "not_modified", true
	}
	// A 304 may bring newer validators; what it does not bring stands.
	if a.ETag != "" || !a.Unchanged {
		next.ETag = a.ETag
	}
	if a.LastModified != "" || !a.Unchanged {
		next.LastModified = a.LastModified
	}
	if !a.Unchanged {
		next.LastFull, next.Origin = now.UTC(), ""
		if u, err := parseURL(f.URL); err != nil || u.String() != a.URL {
			next.Origin = a.URL
			if !plain(a.URL, maxURL) {
				next.Origin, next.ETag, next.LastModified = "", "", ""
			}
		}
	}
	next.Failures, next.Reason, next.Error, next.Status, next.Gone = 0, "", "", 0, 0
	v.due, next.NotBefore = p.pace.Success(now, p.pace.Interval(f), a.Fresh, next.Wish)
	next.LastSuccess = now.UTC()
	if next.State != StateOK {
		next.State, next.Since = StateOK, now.UTC()
		if was.State == StateFailing || was.State == StateGone {
			v.events = append(v.events, event(f.ID, EventRecovered, *next, was.State, recoveredText(was, now)))
		}
	}
	if a.NewURL != next.NewURL {
		next.NewURL, next.Moved = a.NewURL, 0
	}
	if next.NewURL != "" && next.Moved < 5 {
		// Once is often a slip; the second answer that agrees is told. Taking
		// the new address over by itself needs five (later).
		if next.Moved++; next.Moved == 2 {
			v.events = append(v.events, event(f.ID, EventMoved, *next, was.State, movedText(*next)))
		}
	}
	if a.Downgraded {
		v.notes = append(v.notes, "a redirect leads from https to http: anybody on the way can change what we read")
	}
	if v.news.Flood {
		v.events = append(v.events, event(f.ID, EventFlood, *next, was.State, floodText(v.news.Held, listed(next.Items))))
	}
	if v.news.Gap {
		v.events = append(v.events, event(f.ID, EventGap, *next, was.State, gapText(listed(next.Items), was.LastSuccess)))
	}
}

func (p *Poller) fail(v *visit, f feed.Feed, now time.Time, failed *Failure) {
	next, was := &v.state, v.was
	v.result, v.failed, v.durable = "error", failed, true
	next.Failures++
	next.Reason, next.Error, next.Status = failed.Reason, failed.Text, failed.Status
	every := p.pace.Interval(f)
	if failed.Status == 410 {
		next.Gone++
	}
	switch {
	case failed.Status == 410 || next.State == StateGone:
		v.due, next.NotBefore = p.pace.Gone(now, every, next.Gone), time.Time{}
		if next.Gone >= goneAfter {
			next.NotBefore = v.due.UTC()
		}
	default:
		v.due, next.NotBefore = p.pace.Failure(now, every, next.Failures, failed.RetryAfter)
	}
	state, kind := StateFailing, EventFailing
	if next.Gone >= goneAfter {
		state, kind = StateGone, EventGone
	}
	if next.State == state {
		return
	}
	next.State, next.Since = state, now.UTC()
	text := failingText(*next)
	if state == StateGone {
		text = goneText(*next)
	}
	v.events = append(v.events, event(f.ID, kind, *next, was.State, text))
}

// changed tells whether two states differ in more than the times of a quiet
// poll.
func changed(a, b State) bool {
	for _, s := range []*State{&a, &b} {
		s.LastPoll, s.LastSuccess, s.NextDue, s.NotBefore, s.LastFull, s.Items = time.Time{}, time.Time{}, time.Time{}, time.Time{}, time.Time{}, nil
	}
	return !reflect.DeepEqual(a, b)
}

// parse runs the parser, one of few at a time because a document may cost a
// hundred times its size in memory. A panic costs this poll and no more.
func (p *Poller) parse(d feed.Document) (doc *feed.Parsed, err error) {
	p.parsing <- struct{}{}
	defer func() { <-p.parsing }()
	defer func() {
		if r := recover(); r != nil {
			if p.Panicked != nil {
				p.Panicked("parse "+d.Feed.ID, r, debug.Stack())
			}
			doc, err = nil, failure(ReasonParse, "our parser broke on the document; please report it")
		}
	}()
	return p.Parse(d)
}

// parseFailure says in our words what the parser found.
func parseFailure(status int, err error) *Failure {
	f := &Failure{Reason: ReasonParse, Status: status, Text: "the document cannot be read"}
	var (
		own    *Failure
		parser *feed.ParseError
	)
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &parser) && slices.Contains(Reasons, parser.Reason):
		f.Reason = parser.Reason
	}
	if parser != nil && parser.Detail != "" {
		f.Text = parser.Detail
		return f
	}
	switch f.Reason {
	case ReasonHTMLPage:
		f.Text = "the answer is a web page, not a feed"
	case ReasonNotAFeed:
		f.Text = "the answer is no feed"
	case ReasonEmpty:
		f.Text = "the answer is empty"
	case ReasonCharset:
		f.Text = "the document is in a charset that we cannot read"
	}
	return f
}
