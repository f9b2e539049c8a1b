package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"newsmonitor/pipeline"
	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/problem"
	"newsmonitor/pipeline/rule"
	"newsmonitor/pipeline/web"
)

// doctorCmd looks at all that an operator would look at by hand. It takes the
// flags of run, so that it judges the same settings, and changes nothing.
type doctorCmd struct {
	Flags  runCmd `embed:""`
	Sample int    `default:"8" placeholder:"N" help:"How many feeds to ask, each on another host; 0: none."`
}

func (doctorCmd) Help() string {
	return `It takes the flags of run and the same environment. Exit code 1 when something is wrong; warnings are not.

Example:
    monitor doctor --data /var/lib/newsmonitor/data --sample 3`
}

// Verdicts.
const (
	fine    = "ok"
	warning = "warning"
	wrong   = "wrong"
)

// finding is one line of the output.
type finding struct {
	Check   string `json:"check"`
	Verdict string `json:"verdict"`
	Text    string `json:"text"`
	Hint    string `json:"hint,omitempty"`
}

func (c *doctorCmd) Run(ctx context.Context, t terminal) error {
	s, err := c.Flags.settings()
	if err != nil {
		return err
	}
	failed := false
	tell := func(f finding) {
		failed = failed || f.Verdict == wrong
		if c.Flags.JSON {
			_ = json.NewEncoder(t.out).Encode(f)
			return
		}
		fmt.Fprintf(t.out, "%-8s %-10s %s\n", f.Verdict, f.Check, safe(f.Text))
		if f.Hint != "" && f.Verdict != fine {
			fmt.Fprintf(t.out, "%-8s %-10s try: %s\n", "", "", safe(f.Hint))
		}
	}
	config, files := examineFiles(s.Files)
	tell(files)
	if config != nil && config.Rules != nil {
		tell(examineCost(config.Rules))
	}
	for _, f := range examineSecrets(s) {
		tell(f)
	}
	daemon, running := examineDaemon(ctx, s.HTTP)
	tell(daemon)
	if s.NATS == "" {
		tell(examineFolder(s.Data))
		tell(examineDisk(s.Data, s.MaxStore))
	} else {
		tell(examineNATS(ctx, s))
	}
	tell(examineListener("http", s.HTTP, running, s.HTTPTokenFile != "" || s.HTTPUserHeader != "",
		"beyond loopback only health and metrics are served: give --http-token-file or --http-user-header"))
	if s.NATS == "" {
		tell(examineListener("nats", s.NATSListen, running, s.NATSUsers != "" && s.NATSCert != "",
			"beyond loopback it does not start: give --nats-users, --nats-tls-cert and --nats-tls-key"))
	}
	tell(examineDescriptors())
	var served []time.Duration // how far servers' clocks are from ours
	if config != nil && c.Sample > 0 {
		var f finding
		f, served = examineFeeds(ctx, s.Poll, config.Feeds, c.Sample)
		tell(f)
	}
	tell(examineClock(time.Now(), served))
	if failed {
		return errQuiet
	}
	return nil
}

func examineFiles(f pipeline.Files) (*pipeline.Config, finding) {
	const all = "monitor check shows all problems with their places"
	config, err := f.Load(nil)
	if err != nil {
		var l problem.List
		if !errors.As(err, &l) || len(l.Errors()) == 0 {
			return config, finding{"files", wrong, err.Error(), all}
		}
		l = l.Errors()
		out := finding{"files", wrong, strings.SplitN(l[0].String(), "\n", 2)[0], cmp.Or(strings.SplitN(l[0].Hint, "\n", 2)[0], all)}
		if len(l) > 1 {
			out.Text += fmt.Sprintf(", the first of %d problems", len(l))
			if out.Hint != all {
				out.Hint += "; " + all
			}
		}
		return config, out
	}
	out := finding{Check: "files", Verdict: fine, Text: config.Summary()}
	if n := len(config.Problems); n > 0 {
		out.Verdict, out.Hint = warning, "monitor check shows them"
		out.Text += fmt.Sprintf(", %d warnings", n)
	}
	return config, out
}

// examineCost matches an ordinary item as often as it takes to tell, and names
// the dearest rule where one is dear.
func examineCost(set *rule.Set) finding {
	it := feed.Item{Title: "Ministry comments on talks with neighbours about trade and security",
		Content: strings.Repeat("The spokesman said that both sides would meet again before the end of the year. ", 60), Language: "en"}
	const times = 20
	set.Match(it) // the first builds what the others use
	start := time.Now()
	for range times {
		set.Match(it)
	}
	took := time.Since(start) / times
	var dearest rule.Rule
	for _, r := range set.Rules() {
		if r.Cost > dearest.Cost {
			dearest = r
		}
	}
	return judgeCost(took, dearest)
}

func judgeCost(took time.Duration, dearest rule.Rule) finding {
	f := finding{"rules", fine, fmt.Sprintf("an item of 5 KB is matched in %s", took.Round(10*time.Microsecond)), ""}
	if dearest.ID != "" {
		f.Text += fmt.Sprintf("; the dearest rule, %s, takes %s steps an item", dearest.ID, rule.Figure(dearest.Cost))
	}
	if took > 20*time.Millisecond || dearest.Cost > dearSteps {
		f.Verdict, f.Hint = warning, "monitor rules cost shows what each rule waits for; a rarer word that an item must hold makes it cheap"
	}
	return f
}

// dearSteps is what a rule takes that costs about twice as much as the dearest of
// ours: slow_ok let it through.
const dearSteps = 50

func examineFolder(dir string) finding {
	info, err := os.Stat(dir)
	switch {
	case os.IsNotExist(err):
		parent := filepath.Dir(filepath.Clean(dir))
		if err := writable(parent); err != nil {
			return finding{"folder", wrong, fmt.Sprintf("%s is not there, and cannot be made: %v", dir, err), "make it for the user that runs the daemon, or give another --data"}
		}
		return finding{"folder", fine, dir + " is not there yet; the first start makes it", ""}
	case err != nil:
		return finding{"folder", wrong, err.Error(), "give another --data"}
	case !info.IsDir():
		return finding{"folder", wrong, dir + " is no folder", "give another --data"}
	}
	if err := writable(dir); err != nil {
		return finding{"folder", wrong, fmt.Sprintf("%s cannot be written: %v", dir, err), "chown it to the user that runs the daemon"}
	}
	// What a start as root left behind is root's, and stops the next one.
	foreign, first := 0, ""
	_ = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			var f *os.File
			if f, err = os.OpenFile(path, os.O_RDWR, 0); err == nil {
				_ = f.Close()
			}
		}
		if err != nil {
			if foreign++; first == "" {
				first = err.Error()
			}
			if d != nil && d.IsDir() {
				return filepath.SkipDir
			}
		}
		return nil
	})
	if foreign > 0 {
		return finding{"folder", wrong, fmt.Sprintf("%d files in %s cannot be written: %s", foreign, dir, first), "chown -R it to the user that runs the daemon; perhaps it was started as another once"}
	}
	return finding{"folder", fine, dir + " can be written", ""}
}

func writable(dir string) error {
	f, err := os.CreateTemp(dir, ".doctor-")
	if err != nil {
		return err
	}
	name := f.Name()
	return cmp.Or(f.Close(), os.Remove(name))
}

func examineDisk(dir string, most int64) finding {
	for { // the folder may not be there yet
		if _, err := os.Stat(dir); err == nil {
			break
		}
		up := filepath.Dir(filepath.Clean(dir))
		if up == dir {
			break
		}
		dir = up
	}
	free, err := freeBytes(dir)
	if err != nil {
		return finding{"disk", warning, fmt.Sprintf("how much is free is not known: %v", err), "look by hand"}
	}
	var used int64
	_ = filepath.WalkDir(filepath.Join(dir, "jetstream"), func(_ string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			if i, err := d.Info(); err == nil {
				used += i.Size()
			}
		}
		return nil
	})
	f := finding{"disk", fine, fmt.Sprintf("%s free, the store has %s and may have %s", bytesText(free), bytesText(uint64(used)), bytesText(uint64(most))), ""}
	switch room := int64(min(free, 1<<62)) + used; {
	case free < 64<<20:
		f.Verdict, f.Hint = wrong, "make room: a full disk stops the store"
	case room < most:
		f.Verdict, f.Hint = warning, "make room, or give a --max-store that fits: "+bytesText(uint64(room/10*9))
	}
	return f
}

func examineListener(name, addr string, running, guarded bool, open string) finding {
	if addr == "off" {
		return finding{name, fine, "does not listen", ""}
	}
	f, flag := finding{name, fine, addr + " is free", ""}, map[string]string{"http": "http", "nats": "nats-listen"}[name]
	if l, err := net.Listen("tcp", addr); err == nil {
		_ = l.Close()
	} else if running {
		f.Text = addr + " is the running daemon's"
	} else {
		f = finding{name, wrong, fmt.Sprintf("%s cannot be had: %v", addr, err), "it is no address of this machine, or none that this user may take: give another --" + flag}
		if errors.Is(err, syscall.EADDRINUSE) {
			f.Hint = "another program listens there (ss -ltnp names it): stop it, or give another --" + flag
		}
		return f
	}
	host, _, _ := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) && !guarded {
		f.Verdict, f.Hint = warning, open
	}
	return f
}

// examineSecrets looks at the files that hold secrets and are named by flags;
// those that the file of destinations names are among the problems of files.
func examineSecrets(s pipeline.Settings) []finding {
	var out []finding
	for _, f := range []struct {
		check, file string
		usable      func(file string) error
	}{
		{"tokens", s.HTTPTokenFile, web.CheckTokens},
		{"nats-creds", s.NATSCreds, legible},
		{"nats-users", s.NATSUsers, legible},
		{"nats-key", s.NATSKey, legible},
	} {
		if f.file == "" {
			continue
		}
		verdict := finding{f.check, fine, f.file + " can be used", ""}
		if err := f.usable(f.file); err != nil {
			verdict.Verdict, verdict.Text, verdict.Hint = wrong, err.Error(), "without it the daemon does not start"
			switch {
			case errors.Is(err, os.ErrPermission):
				verdict.Hint = "let the user that runs the daemon read it: chown, chmod 600"
			case errors.Is(err, os.ErrNotExist):
				verdict.Hint = "make it, or leave its flag out"
			}
		} else if info, err := os.Stat(f.file); err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o007 != 0 {
			verdict.Verdict, verdict.Text = warning, fmt.Sprintf("%s has mode %04o: everybody on this machine may read the secret", f.file, info.Mode().Perm())
			verdict.Hint = "chmod 600 " + f.file
		}
		out = append(out, verdict)
	}
	return out
}

func legible(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	return f.Close()
}
