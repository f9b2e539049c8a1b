package notify

import "newsmonitor/pipeline/alert"

// Passed names the destinations that have acknowledged an alert, and those for
// which it waits. Of a destination that another process serves nothing is
// known.
func (n *Notifier) Passed(st alert.Stored) (sent, waits []string) {
	if heldBack(&st) {
		return nil, nil
	}
	for _, p := range n.now() {
		if p.d.Disabled != "" || !p.d.takes(&st.Event) {
			continue
		}
		reader := "notify-" + p.d.Name
		if p.d.digest == nil && p.d.waits(&st.Event) {
			reader += "-quiet"
		}
		p.mu.Lock()
		at, ours := p.places[reader]
		p.mu.Unlock()
		switch {
		case !ours:
		case at >= st.Sequence:
			sent = append(sent, p.d.Name)
		default:
			waits = append(waits, p.d.Name)
		}
	}
	return sent, waits
}
