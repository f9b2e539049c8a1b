package poll

import (
	"time"

	"newsmonitor/pipeline/feed"
)

const (
	failingTold  = 2 // failures in a row before they are told; the state shows at once
	movedTold    = 2 // answers in a row that agree before a move is told
	movedAdopted = 5 // and before the new address is asked directly,
	movedFor     = 48 * time.Hour
	dropAdopted  = 3              // failures in a row after which the configured address is asked again
	never304     = 3              // whole answers in a row to conditional questions, of the same bytes
	suspectFull  = 24 * time.Hour // a server that lies gets an unconditional request that often
)

// succeed is a good answer: validators, schedule, health, and where it came
// from.
func (p *Poller) succeed(v *visit, f feed.Feed, now time.Time, a *Answer) {
	next, was := &v.state, v.was
	v.result, v.ends = "success", a.Certificate
	if a.Unchanged {
		v.result, v.same = "not_modified", true
	}
	p.doubt(v, now, a)
	// A 304 may bring newer validators; what it does not bring stands.
	if a.ETag != "" || !a.Unchanged {
		next.ETag = a.ETag
	}
	if a.LastModified != "" || !a.Unchanged {
		next.LastModified = a.LastModified
	}
	if !a.Unchanged {
		next.Origin = ""
		if !a.Delta {
			next.LastFull = now.UTC()
		}
		if u, err := parseURL(f.URL); err != nil || u.String() != a.URL {
			next.Origin = a.URL
			if !plain(a.URL, maxURL) {
				next.Origin, next.ETag, next.LastModified = "", "", ""
			}
		}
	}
	next.Failures, next.Reason, next.Error, next.Status, next.Gone = 0, "", "", 0, 0
	every := p.pace.Interval(f, next.Rhythm, now)
	v.due, next.NotBefore = p.pace.Success(now, every, a.Fresh, next.Wish)
	if next.NotBefore.Sub(now) > every+every/2 {
		v.durable = true // more than our own interval: not even a crash may forget it
	}
	next.LastSuccess = now.UTC()
	p.health(v, f, now)
	p.moves(v, f, now, a)
	v.downgraded = a.Downgraded
	if v.news.Flood {
		v.events = append(v.events, event(f.ID, EventFlood, *next, was.State, floodText(v.news.Held, listed(next.Items))))
	}
	if v.news.Gap {
		v.events = append(v.events, event(f.ID, EventGap, *next, was.State, gapText(listed(next.Items), was.LastSuccess)))
	}
}

// doubt looks whether the server's word on changes can be relied on. It must
// run before the new validators are taken over.
func (p *Poller) doubt(v *visit, now time.Time, a *Answer) {
	next, was := &v.state, v.was
	switch {
	case a.Unchanged:
		next.LastQuiet, next.Ignored = now.UTC(), 0
		return
	case a.Conditional && v.same:
		if next.Ignored < never304 {
			next.Ignored++
		}
	case a.Conditional:
		// It does tell us of changes.
		next.Suspect, next.Ignored = false, 0
	case !was.LastQuiet.IsZero() && v.news.New+v.news.Updated > 0 && lied(was, v.news, a):
		next.Suspect = true
	}
	if !a.Delta {
		next.LastQuiet = time.Time{}
	}
}

// lied tells whether an unconditional answer proves the 304 before it wrong:
// other items under the same validators, or an item older than that 304.
func lied(was State, news News, a *Answer) bool {
	if a.ETag == was.ETag && a.LastModified == was.LastModified {
		return true
	}
	for _, d := range news.Drafts {
		if date := dated(d.Item); d.After == 0 && !date.IsZero() && date.After(was.LastFull) && date.Before(was.LastQuiet) {
			return true
		}
	}
	return false
}

// health sets ok or silent and tells of the change.
func (p *Poller) health(v *visit, f feed.Feed, now time.Time) {
	next, was := &v.state, v.was
	state := StateOK
	limit := next.Rhythm.silentAfter()
	if limit > 0 && now.Sub(next.Rhythm.last()) > limit {
		state = StateSilent
	}
	if next.State != state {
		next.State, next.Since = state, now.UTC()
	}
	if told(was) && (was.State == StateFailing || was.State == StateGone) {
		v.events = append(v.events, event(f.ID, EventRecovered, *next, was.State, recoveredText(was, now)))
	}
	switch {
	case state == StateSilent && !was.SilentTold:
		next.SilentTold = true
		v.events = append(v.events, event(f.ID, EventSilent, *next, was.State, silentText(next.Rhythm, now)))
	case state == StateOK && was.SilentTold:
		next.SilentTold = false
		v.events = append(v.events, event(f.ID, EventRecovered, *next, StateSilent,
			"Has news again after "+short(now.Sub(was.Rhythm.last()))+" of silence. Nothing to do."))
	}
}

// moves follows what permanent redirects say. Once is often a slip: the second
// answer that agrees is told, and after five over two days the new address is
// asked directly. feeds.yaml is never touched.
func (p *Poller) moves(v *visit, f feed.Feed, now time.Time, a *Answer) {
	next := &v.state
	to := a.NewURL
	if a.Direct && to == "" {
		to = next.NewURL // asked directly, nothing redirects any more
	}
	if to != next.NewURL {
		next.NewURL, next.Moved, next.MovedSince, next.Adopted = to, 0, now.UTC(), false
	}
	if to == "" {
		next.MovedSince = time.Time{}
		return
	}
	if next.MovedSince.IsZero() { // a state written before this field was
		next.MovedSince = now.UTC()
	}
	if next.Moved < movedAdopted {
		if next.Moved++; next.Moved == movedTold {
			v.events = append(v.events, event(f.ID, EventMoved, *next, v.was.State, movedText(*next)))
		}
	}
	if next.Moved >= movedAdopted && now.Sub(next.MovedSince) >= movedFor {
		next.Adopted = true
	}
}

// fail is any other answer, or none.
func (p *Poller) fail(v *visit, f feed.Feed, now time.Time, failed *Failure) {
	next, was := &v.state, v.was
	v.result, v.failed, v.durable = "error", failed, true
	next.Failures++
	next.Reason, next.Error, next.Status = failed.Reason, failed.Text, failed.Status
	every := p.pace.Interval(f, next.Rhythm, now)
	if failed.Status == 410 {
		next.Gone++
	}
	if next.Adopted && (failed.Reason == ReasonClient || next.Failures >= dropAdopted) {
		next.Adopted, next.Moved, next.MovedSince = false, 0, now.UTC()
	}
	state, kind := StateFailing, EventFailing
	if next.Gone >= goneAfter {
		state, kind = StateGone, EventGone
	}
	changed := next.State != state
	if changed {
		next.State, next.Since = state, now.UTC()
	}
	v.ours = failed.Unheard && p.outage(now)
	switch {
	case failed.Status == 410 || state == StateGone:
		v.due, next.NotBefore = p.pace.Gone(now, every, next.Gone), time.Time{}
		if next.Gone >= goneAfter {
			next.NotBefore = v.due.UTC()
		}
	case v.ours:
		// No publisher did anything: as often as when all is well.
		v.due, next.NotBefore = p.pace.Success(now, every, 0, Wish{})
	default:
		v.due, next.NotBefore = p.pace.Failure(now, every, Failing{Times: next.Failures, For: badFor(was, now),
			Waited: was.NextDue.Sub(was.LastPoll), RetryAfter: failed.RetryAfter, Brief: failed.Brief})
	}
	if state == StateGone && !changed || state == StateFailing && (!told(*next) || was.State == StateFailing && told(was)) {
		return
	}
	text := failingText(*next)
	switch {
	case state == StateGone:
		text = goneText(*next)
	case v.ours:
		text = sentence(next.Error) + " No other server answers either: look at this machine's own network."
	}
	v.events = append(v.events, event(f.ID, kind, *next, was.State, text))
}

// told tells whether a feed's failures deserve a word: a single one usually
// passes by itself, unless the feed never answered at all.
func told(st State) bool { return st.Failures >= failingTold || st.LastSuccess.IsZero() }

// badFor is for how long a feed has failed.
func badFor(st State, now time.Time) time.Duration {
	switch {
	case st.Failures == 0:
		return 0
	case !st.LastSuccess.IsZero():
		return now.Sub(st.LastSuccess)
	case st.State == StateFailing:
		return now.Sub(st.Since)
	}
	return 0
}

// outage tells whether we seem to be offline.
func (p *Poller) outage(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.network.ours(now)
}
