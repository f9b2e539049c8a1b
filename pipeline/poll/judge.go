package poll

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"time"

	"newsmonitor/pipeline/feed"
)

// visit is one poll as judged: what to store and what to say, nothing of it
// done yet.
type visit struct {
	state      State
	was        State
	news       News
	due        time.Time
	took       time.Duration // the exchange alone
	result     string        // one of fetchResults
	failed     *Failure
	same       bool // nothing changed: 304, or the same bytes
	durable    bool // worth writing at once
	events     []Event
	repairs    []string
	notes      []string  // about the document, if one was read
	ends       time.Time // the server's certificate
	downgraded bool      // a redirect led from https to http
	ours       bool      // the failure looks like our own network's
	lost       int       // items that the store refuses for good
	why        error     // of the last of them
}

// refused books an item that the store will never take.
func (v *visit) refused(d Draft, err error) {
	v.lost++
	v.why = err
	n := &v.news
	n.Invalid++
	switch {
	case d.After > 0:
		n.Updated--
	case d.Item.Held != "":
		n.Held--
		fallthrough
	default:
		n.New--
	}
	note := "an item is not kept: the store refuses it for good"
	if v.lost > 1 {
		note = fmt.Sprintf("%d items are not kept: the store refuses them for good", v.lost)
		v.notes = v.notes[:len(v.notes)-1]
	}
	v.notes = append(v.notes, note+"; the log says why")
}

// judge turns a server's answer into the next state. It asks nobody and
// stores nothing.
func (p *Poller) judge(f feed.Feed, st State, a *Answer, err error) visit {
	v := visit{was: st, state: st}
	next := &v.state
	if next.URL != f.URL {
		next.URL, next.ETag, next.LastModified, next.Origin, next.Body = f.URL, "", "", "", ""
		next.NewURL, next.Moved, next.Gone = "", 0, 0
		next.MovedSince, next.Adopted, next.Suspect, next.Ignored, next.LastQuiet = time.Time{}, false, false, 0, time.Time{}
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
	sum := a.sum
	if sum == "" {
		sum = bodyHash(f, a.Body)
	}
	if sum == next.Body && next.Parser == feed.ParserVersion {
		v.same = true
		return nil
	}
	doc, err := p.parse(a.Document(f))
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
	v.news = Newness(*next, f, doc, a.Fetched, Reading{Backlog: p.Backlog, MaxItems: p.MaxItems, Delta: a.Delta})
	*next = v.news.Next
	next.Wish = Wish{TTL: doc.TTL, SkipHours: doc.SkipHours, SkipDays: doc.SkipDays}
	next.Body = sum
	if a.Delta {
		next.Body = "" // the hash of a part says nothing about the whole
	}
	if cut {
		// Never ask whether half a document changed.
		next.Body, a.ETag, a.LastModified = "", "", ""
	}
	if v.news.New > 0 {
		next.LastNew = a.Fetched.UTC()
		next.Rhythm = next.Rhythm.arrived(arrivals(v.news.Drafts, v.was.LastSuccess, a.Fetched))
	}
	if v.news.Cut > 0 {
		v.notes = append(v.notes, fmt.Sprintf("lists %d items; only the newest %d are read", len(doc.Items), len(doc.Items)-v.news.Cut))
	}
	if slices.Contains(doc.Repairs, "items") {
		v.notes = append(v.notes, fmt.Sprintf("lists more items than the %d that are looked at; if it puts its newest last, they are missed", len(doc.Items)))
	}
	if slices.Contains(doc.Repairs, "items_lost") {
		v.notes = append(v.notes, "some items of the document cannot be read")
	}
	v.durable = true
	return nil
}

// bodyHash tells bytes that need no parsing. What the catalogue says about
// reading is part of it: bytes that are read differently are different bytes.
func bodyHash(f feed.Feed, body []byte) string {
	h := sha256.New()
	_, _ = h.Write(body) // a hash never fails; hash would copy a large body twice
	_, _ = io.WriteString(h, "\x00"+f.Charset+"\x00"+f.DateLayout+"\x00"+f.Identity)
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// changed tells whether two states differ in more than the times of a quiet
// poll. Each unchanged poll asks this, so it is written out: reflection took a
// tenth of such a poll.
func changed(a, b State) bool {
	return a.URL != b.URL || a.ETag != b.ETag || a.LastModified != b.LastModified || a.Body != b.Body || a.Parser != b.Parser ||
		a.State != b.State || !a.Since.Equal(b.Since) || a.Reason != b.Reason || a.Error != b.Error || a.Failures != b.Failures ||
		!a.LastNew.Equal(b.LastNew) || a.NewURL != b.NewURL || a.Origin != b.Origin ||
		a.Wish.TTL != b.Wish.TTL || !slices.Equal(a.Wish.SkipHours, b.Wish.SkipHours) || !slices.Equal(a.Wish.SkipDays, b.Wish.SkipDays) ||
		a.Gone != b.Gone || a.Status != b.Status || a.Moved != b.Moved || !a.MovedSince.Equal(b.MovedSince) || a.Adopted != b.Adopted ||
		!slices.Equal(a.Rhythm.Arrivals, b.Rhythm.Arrivals) || a.Rhythm.Days != b.Rhythm.Days || a.Rhythm.Day != b.Rhythm.Day ||
		a.Suspect != b.Suspect || a.Ignored != b.Ignored || a.SilentTold != b.SilentTold || a.Newest != b.Newest
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
