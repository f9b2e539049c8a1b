package poll

import "time"

const (
	outageHosts  = 3              // hosts that must have fallen silent together
	outageMemory = 24 * time.Hour // an outage of ours is not believed for longer
)

// outage notices that no server at all can be reached, though several could a
// short while ago: then it is our own network, and it would be wrong to back
// off from publishers who did nothing. Guarded by Poller.mu.
type outage struct {
	heard  time.Time       // when a server last said anything
	silent map[string]bool // hosts that answered well before and cannot be reached since heard
}

// note books how a poll of a feed ended.
func (o *outage) note(host string, now time.Time, before State, failed *Failure) {
	if failed == nil || !failed.Unheard {
		o.heard, o.silent = now, nil
		return
	}
	if now.Sub(before.LastSuccess) < outageMemory && len(o.silent) < outageHosts {
		if o.silent == nil {
			o.silent = map[string]bool{}
		}
		o.silent[host] = true
	}
}

// ours tells whether the last failures look like our own network's.
func (o *outage) ours(now time.Time) bool {
	return len(o.silent) >= outageHosts && now.Sub(o.heard) < outageMemory
}
