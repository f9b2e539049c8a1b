package feed

import (
	"net/http"
	"regexp"
	"slices"

	"go.yaml.in/yaml/v4"
	"golang.org/x/net/http/httpguts"

	"newsmonitor/pipeline/problem"
)

// taken are headers that the fetcher, or the connection, sets itself.
var taken = []string{"Host", "Content-Length", "Content-Type", "Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
	"Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Accept-Encoding", "If-None-Match",
	"If-Modified-Since", "Range", "Cookie", "Set-Cookie", "Referer", "Expect"}

func (l *loader) headers(path []any) map[string]Secret {
	if !problem.Has(problem.Find(l.root, path[:2]...), "headers") {
		return nil
	}
	const form = "write headers: {Authorization: {env: NAME}}, or {file: PATH}"
	n := problem.Find(l.root, path...)
	if n.Kind != yaml.MappingNode {
		l.at(path, form, "headers: want a mapping of names")
		return nil
	}
	headers := map[string]Secret{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		name, value := http.CanonicalHeaderKey(key.Value), problem.Find(n.Content[i+1])
		bad := func(n *yaml.Node, hint, format string, args ...any) {
			l.list = append(l.list, problem.At(l.file, n, format, args...).WithHint("%s", hint))
		}
		switch {
		case !httpguts.ValidHeaderFieldName(key.Value):
			bad(key, "letters, digits and -", "header %s is not a name", problem.Quote(key.Value))
			continue
		case name == "User-Agent":
			bad(key, "use user_agent", "header %q has a key of its own", name)
			continue
		case slices.Contains(taken, name):
			bad(key, "headers are for secrets such as Authorization or X-Api-Key", "header %q is set by the fetcher", name)
			continue
		}
		if _, twice := headers[name]; twice {
			bad(key, "names are the same in any case", "header %q stands here twice", name)
			continue
		}
		if value.Kind != yaml.MappingNode {
			bad(value, form, "header %q holds its value; secrets stay out of files that people share", name)
			continue
		}
		var s Secret
		for j := 0; j+1 < len(value.Content); j += 2 {
			k, v := value.Content[j], problem.Find(value.Content[j+1])
			switch {
			case v.Kind != yaml.ScalarNode || v.Value == "":
				bad(k, form, "header %q: %s needs a value", name, problem.Quote(k.Value))
			case k.Value == "env":
				s.Env = v.Value
			case k.Value == "file":
				s.File = v.Value
			default:
				bad(k, form, "unknown key %s", problem.Quote(k.Value))
			}
		}
		switch {
		case s.Env != "" && s.File != "":
			bad(value, form, "header %q has both env and file", name)
		case s.Env == "" && s.File == "":
			bad(value, form, "header %q says neither env nor file", name)
		case s.Env != "" && !envName.MatchString(s.Env):
			bad(value, "letters, digits and _", "header %q: %s is not the name of an environment variable", name, problem.Quote(s.Env))
		}
		headers[name] = s
	}
	return headers
}

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
