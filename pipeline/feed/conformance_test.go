package feed

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
	"testing"
)

// conformance is where feedparser's own test documents lie as data beside the
// project, when they do. No text of them is part of it: differs.txt names cases
// and fields only.
const conformance = "../../../shared/feedparser-cases"

// wanted is the part of mapped clauses that must pass, differs.txt or not.
var wanted = map[string]float64{"must-pass": 0.98, "accept": 1, "policy": 0.99, "shape": 0.999, "all mapped": 0.99}

// TestConformance reads every document and judges every clause about it. A
// clause that fails must stand in testdata/differs.txt with the reason, and
// one that stands there must fail: what once passed may not fail again.
func TestConformance(t *testing.T) {
	t.Parallel()
	cases, documents := conformanceCases(t)
	differs := readDiffers(t)
	tally := map[string]*score{}
	seen := map[string]bool{}
	judge := func(c *conformanceCase, class, field, problem string) {
		s := tally[class]
		if s == nil {
			s = &score{}
			tally[class] = s
		}
		id := c.Case + " " + field
		reason, listed := differs[id]
		s.all++
		switch {
		case problem == "" && listed:
			s.passed++
			t.Errorf("%s: %s passes; remove it from testdata/differs.txt (%s)", c.Case, field, reason)
		case problem == "":
			s.passed++
		case listed:
			s.listed++
		default:
			t.Errorf("%s: %s: %s", c.Case, field, problem)
		}
		seen[id] = true
	}
	for _, c := range cases {
		body, ok := documents[c.Case]
		if !ok {
			t.Errorf("%s: no such document in the archive", c.Case)
			continue
		}
		p, err := Parse(c.document(body))
		var pe *ParseError
		if err != nil && !errors.As(err, &pe) {
			t.Errorf("%s: %T: %v", c.Case, err, err)
		}
		if p == nil {
			p = &Parsed{}
		}
		for _, clause := range c.Clauses {
			class, problem := c.judge(clause, p, err)
			if class == "" {
				n := tally["unmapped"]
				if n == nil {
					n = &score{}
					tally["unmapped"] = n
				}
				n.all++
				continue
			}
			judge(c, class, or(clause.Field, clause.Op), problem)
		}
		if strings.Contains(c.Case, "/sanitize/") {
			judge(c, "policy: nothing active survives", "safe", unsafe(p))
		}
		judge(c, "shape: the item's contract", "shape", shapeless(p, err))
	}
	for id := range differs {
		if !seen[id] {
			t.Errorf("testdata/differs.txt: %s is no clause of any case", id)
		}
	}
	var table strings.Builder
	classes := make([]string, 0, len(tally))
	groups := map[string]score{}
	for class, s := range tally {
		classes = append(classes, class)
		if class != "unmapped" {
			group, _, _ := strings.Cut(class, ":")
			for _, name := range []string{group, "all mapped"} {
				g := groups[name]
				groups[name] = score{g.all + s.all, g.passed + s.passed, g.listed + s.listed}
			}
		}
	}
	sort.Strings(classes)
	for _, class := range classes {
		s := tally[class]
		if class == "unmapped" {
			fmt.Fprintf(&table, "%-36s %5d\n", class, s.all)
			continue
		}
		fmt.Fprintf(&table, "%-36s %5d of %5d  %6.2f %%  differs, argued %d\n", class, s.passed, s.all, s.percent(), s.listed)
	}
	for _, name := range []string{"must-pass", "accept", "policy", "shape", "all mapped"} {
		g := groups[name]
		fmt.Fprintf(&table, "%-36s %5d of %5d  %6.2f %%  without the argued %.2f %%\n", name, g.passed, g.all, g.percent(),
			score{g.all - g.listed, g.passed, 0}.percent())
		if g.all == 0 || float64(g.passed) < wanted[name]*float64(g.all) {
			t.Errorf("%s: %d of %d clauses pass, want %.0f %%", name, g.passed, g.all, 100*wanted[name])
		}
	}
	t.Logf("%d documents\n%s", len(cases), table.String())
}

type score struct{ all, passed, listed int }

func (s score) percent() float64 { return 100 * float64(s.passed) / float64(max(1, s.all)) }

type conformanceCase struct {
	Case    string            `json:"case"`
	Headers map[string]string `json:"headers"`
	Items   int               `json:"items"`
	Clauses []clause          `json:"clauses"`
}

type clause struct {
	Field string          `json:"field"`
	Op    string          `json:"op"`
	Value json.RawMessage `json:"value"`
	Plain bool            `json:"plain"`
}

func conformanceCases(t *testing.T) ([]*conformanceCase, map[string][]byte) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(conformance, "cases.jsonl"))
	if err != nil {
		t.Skipf("no conformance cases in %s: %v", conformance, err)
	}
	var cases []*conformanceCase
	d := json.NewDecoder(bytes.NewReader(b))
	for {
		c := &conformanceCase{}
		if err := d.Decode(c); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		cases = append(cases, c)
	}
	f, err := os.Open(filepath.Join(conformance, "cases.tar.gz"))
	if err != nil {
		t.Skipf("no documents in %s: %v", conformance, err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(bufio.NewReader(f))
	if err != nil {
		t.Fatal(err)
	}
	documents := map[string][]byte{}
	for a := tar.NewReader(z); ; {
		h, err := a.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if documents[strings.TrimPrefix(path.Clean(h.Name), "./")], err = io.ReadAll(a); err != nil {
			t.Fatal(err)
		}
	}
	if len(cases) != 2107 {
		t.Errorf("%d cases, want 2,107", len(cases))
	}
	return cases, documents
}

// readDiffers reads lines of "case field reason".
func readDiffers(t *testing.T) map[string]string {
	t.Helper()
	b, err := os.ReadFile("testdata/differs.txt")
	if err != nil {
		t.Fatal(err)
	}
	list := map[string]string{}
	for n, line := range strings.Split(string(b), "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		parts := strings.SplitN(line, " ", 3)
		if len(parts) < 3 || strings.TrimSpace(parts[2]) == "" {
			t.Errorf("testdata/differs.txt:%d: want case, field and reason", n+1)
			continue
		}
		if list[parts[0]+" "+parts[1]] != "" {
			t.Errorf("testdata/differs.txt:%d: %s %s stands twice", n+1, parts[0], parts[1])
		}
		list[parts[0]+" "+parts[1]] = parts[2]
	}
	return list
}

// document is the case as it would come from a server at the address that the
// clauses name.
func (c *conformanceCase) document(body []byte) Document {
	d := Document{Body: body, ContentType: "text/xml", URL: "http://127.0.0.1:8097/" + c.Case}
	if strings.HasSuffix(c.Case, ".json") {
		d.ContentType = "application/feed+json"
	}
	for name, value := range c.Headers {
		switch strings.ToLower(name) {
		case "content-type":
			d.ContentType = value
		case "content-language":
			d.ContentLanguage = value
		case "content-location":
			d.ContentLocation = value
		}
	}
	return d
}

// judge returns the class of a clause and what is wrong. No class means that
// the item has no such field.
func (c *conformanceCase) judge(cl clause, p *Parsed, err error) (class, problem string) {
	switch {
	case cl.Op == "nocrash":
		return "accept", ""
	case cl.Op == "other":
		return "", ""
	case cl.Field == "bozo" && cl.Op == "true": // broken: never silence
		if err == nil && len(p.Repairs) == 0 && len(p.Items) < c.Items {
			return "accept", fmt.Sprintf("%d of %d items without a word", len(p.Items), c.Items)
		}
		return "accept", ""
	case cl.Field == "bozo":
		if err != nil {
			return "accept", "refused: " + err.Error()
		}
		if len(p.Items) != c.Items {
			return "accept", fmt.Sprintf("%d items, want %d", len(p.Items), c.Items)
		}
		return "accept", ""
	}
	got, kind := mapped(p, cl.Field)
	if kind == "" || c.unkept(cl.Field) {
		return "", ""
	}
	class = "must-pass: " + kind
	for _, dir := range []string{"/sanitize/", "/base/", "/http/"} {
		if strings.Contains(c.Case, dir) {
			class = "policy: " + strings.Trim(dir, "/")
		}
	}
	switch cl.Op {
	case "absent":
		if got != "" {
			problem = fmt.Sprintf("%q, want none", got)
		}
	case "len":
		var n int
		if json.Unmarshal(cl.Value, &n) != nil || fmt.Sprint(n) != got {
			problem = fmt.Sprintf("%s of them, want %d", got, n)
		}
	case "ne":
		if got == "" {
			problem = "nothing"
		}
	case "ord":
		var r rune
		if json.Unmarshal(cl.Value, &r) != nil || got != string(r) {
			problem = fmt.Sprintf("%q, want %q", got, string(r))
		}
	case "same":
		var others []json.RawMessage
		if err := json.Unmarshal(cl.Value, &others); err != nil {
			return class, err.Error()
		}
		for _, o := range others {
			var field string
			var literal struct{ Value json.RawMessage }
			if json.Unmarshal(o, &field) == nil {
				if other, kind := mapped(p, field); kind != "" && !c.unkept(field) && other != got {
					problem = fmt.Sprintf("%q, but %s %q", got, field, other)
				}
			} else if json.Unmarshal(o, &literal) == nil && !agrees(kind, got, literal.Value, cl.Plain) {
				problem = fmt.Sprintf("%q, want %s", got, literal.Value)
			}
		}
	case "eq":
		if !agrees(kind, got, cl.Value, cl.Plain) {
			problem = fmt.Sprintf("%q, want %s", got, cl.Value)
		}
	default:
		problem = "no such operator: " + cl.Op
	}
	return class, problem
}

// unkept fields exist in an item, but not as the clause means them: a link of
// another relation, or the text of a date.
func (c *conformanceCase) unkept(field string) bool {
	prefix, ok := strings.CutSuffix(field, ".href")
	if !ok {
		return false
	}
	for _, other := range c.Clauses {
		var rel string
		if other.Field == prefix+".rel" && json.Unmarshal(other.Value, &rel) == nil && rel != "alternate" {
			return true
		}
	}
	return false
}
