package notify

import (
	"context"
	"regexp"
	"strings"

	"github.com/nicholas-fedor/shoutrrr/pkg/router"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"
)

// library sends through shoutrrr to the services that it knows and we do not
// speak ourselves. It takes no context, tells no status and puts addresses
// (which hold tokens) into its errors, so nothing of an error is shown but the
// status in it, and a call that hangs is waited for instead of repeated.
type library struct {
	d    *Destination
	busy chan error // of a call that has not returned; nil without one
}

// ours are services of the library that have a door of their own here, or that
// would not leave the machine.
var ours = map[string]string{"slack": "slack", "teams": "teams", "matrix": "matrix", "ntfy": "ntfy", "telegram": "telegram",
	"smtp": "mail", "generic": "webhook"}

// libraryProblem says what is wrong with an address of the library, without
// showing it.
func libraryProblem(address string) string {
	var r router.ServiceRouter
	scheme, _, err := r.ExtractServiceName(address)
	if err != nil {
		return "the address has no service in front, such as discord://"
	}
	base, _, _ := strings.Cut(scheme, "+")
	if s, ok := ours[base]; ok {
		return "use service: " + s
	}
	if base == "logger" {
		return "service logger sends nothing"
	}
	if _, err := r.NewService(base); err != nil {
		return "the library knows no service " + oneLine(base, 30)
	}
	if _, err := r.Locate(address); err != nil {
		return "the library does not understand the address for service " + oneLine(base, 30)
	}
	return ""
}

func (l *library) send(ctx context.Context, p post) error {
	address, err := l.d.url.read()
	if err != nil {
		return secretFault("url", err)
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	if l.busy == nil {
		if text := libraryProblem(address); text != "" {
			return &fault{reason: "secret", text: text, refused: true}
		}
		// A zero width space behind @ keeps a stranger's words from calling people.
		text := strings.ReplaceAll(plainMarkup.write(p), "@", "@\u200b")
		done := make(chan error, 1)
		go func() {
			var r router.ServiceRouter
			service, err := r.Locate(address)
			if err == nil {
				err = service.Send(text, &types.Params{})
			}
			done <- err
		}()
		l.busy = done
	}
	select {
	case err := <-l.busy:
		l.busy = nil
		return libraryFault(err)
	case <-ctx.Done():
		return &fault{reason: "timeout", text: "no answer in time"}
	}
}

var statusForm = regexp.MustCompile(`(?i)(?:status|http|failed|code|respon[a-z]*)[^0-9]{0,60}?\b([345][0-9]{2})\b`)

// libraryFault reads the status out of the library's words.
func libraryFault(err error) error {
	if err == nil {
		return nil
	}
	m := statusForm.FindStringSubmatch(err.Error())
	if m == nil {
		return &fault{reason: "connection", text: "the service did not take it"}
	}
	switch code := m[1]; {
	case code == "429":
		return &fault{reason: "busy", text: "it asks us to slow down (429)"}
	case code[0] == '4' && code != "408":
		return &fault{reason: "refused", text: "it refuses (" + code + ")", refused: true, message: code == "400" || code == "413" || code == "422"}
	case code[0] == '3':
		return &fault{reason: "redirect", text: "it redirects (" + code + ")", refused: true}
	default:
		return &fault{reason: "unavailable", text: "it answers " + code}
	}
}
