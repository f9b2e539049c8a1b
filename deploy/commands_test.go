package deploy_test

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// elsewhere are the commands of the documentation that TestCommands does not
// run: the test that runs them, or why nobody can in CI. What is not here is
// run as it stands, so that a new command works, or fails the test.
var elsewhere = map[string]string{
	"go run ./cmd/monitor demo": "cmd/monitor: TestDemo",
	"go test ./...":             ".ci/run",
	"npm install @nats-io/transport-node@3.4.0 @nats-io/jetstream@3.4.0":                                          "deploy/clients: TestMain, in the folder that .ci/run fills so",
	"node deploy/clients/subscribe.mjs":                                                                           "deploy/clients: TestResume",
	"python3 deploy/clients/subscribe.py":                                                                         "deploy/clients: TestResume",
	"python3 deploy/clients/subscribe.py --subject 'news.alerts.*.critical.>'":                                    "deploy/clients: TestSubject",
	"go run ./deploy/clients/go":                                                                                  "deploy/clients: TestResume",
	"monitor notify test duty --notify notify.yaml":                                                               "cmd/monitor: TestScripts (notify.txtar)",
	"monitor notify test duty":                                                                                    "pipeline: TestPushTest",
	"monitor feeds read https://www.example.org/news.xml":                                                         "not run: needs the network; cmd/monitor: TestScripts (feeds.txtar) reads from loopback",
	"export NEWSMONITOR_PASSWORD=choose-one NEWSREADER_PASSWORD=choose-another":                                   "cmd/monitor: TestReplicasExample",
	"nats-server -c nats-1.conf &":                                                                                "cmd/monitor: TestReplicasExample",
	"nats-server -c nats-2.conf &":                                                                                "cmd/monitor: TestReplicasExample",
	"nats-server -c nats-3.conf &":                                                                                "cmd/monitor: TestReplicasExample",
	"monitor --http 127.0.0.1:8081 --nats-replicas 3 &":                                                           "cmd/monitor: TestReplicasExample",
	"monitor --http 127.0.0.1:8082 --nats-replicas 3 &":                                                           "cmd/monitor: TestReplicasExample",
	"monitor --http 127.0.0.1:8083 --nats-replicas 3 &":                                                           "cmd/monitor: TestReplicasExample",
	"monitor status --server http://127.0.0.1:8081":                                                               "cmd/monitor: TestReplicasExample",
	"monitor watch --nats nats://newsreader:choose-another@127.0.0.1:4221":                                        "cmd/monitor: TestReplicasExample",
	"docker build -f deploy/container/Dockerfile -t newsmonitor .":                                                "not run: needs docker and the images; TestImage builds the last stage",
	"docker compose -f deploy/container/compose.yaml up -d":                                                       "not run: needs docker and the images; TestCompose reads the file",
	"kubectl apply -k deploy/kubernetes/base":                                                                     "not run: needs a cluster; TestKustomize builds it",
	"kubectl apply -k deploy/kubernetes/replicas":                                                                 "not run: needs a cluster; TestKustomize builds it",
	"promtool test rules deploy/prometheus/monitor.tests.yml":                                                     "deploy: TestPrometheusRules",
	"prometheus --config.file deploy/prometheus/prometheus.yml --web.listen-address 127.0.0.1:9090":               "deploy: TestHealthyIsQuiet",
	"kubectl -n newsmonitor create secret generic newsmonitor-token --from-literal=token=$(openssl rand -hex 24)": "not run: needs a cluster",
	"export MONITOR_NATS=nats://newsmonitor:choose-one@127.0.0.1:4221,nats://newsmonitor:choose-one@127.0.0.1:4222,nats://newsmonitor:choose-one@127.0.0.1:4223": "cmd/monitor: TestReplicasExample",
}

var (
	program = `(?:monitor|go|nats|nats-server|curl|python3|node|npm|docker|kubectl|prometheus|promtool|echo|export|tar|systemctl|journalctl|openssl|git|apt|apt-get|helm|buildah)`
	// indented is a command in Markdown's indented blocks: what stands after two
	// spaces says what it is for.
	indented = regexp.MustCompile(`(?m)^    (` + program + ` .*?)(?:  .*| # .*)?$`)
	// remarked is a command at the head of a file that it is about.
	remarked = regexp.MustCompile(`(?m)^\s*#\s+(` + program + ` .*?)(?:  .*| \(.*)?$`)
	fenced   = regexp.MustCompile("(?m)(<!-- not run: ([^>]+) -->\n)?^```sh\n((?s:.*?))^```$")
)

// shown returns the commands that the documentation shows, with the files that
// show them, and those that a mark in the document says are not run.
func shown(t *testing.T) (commands map[string][]string, marked int) {
	t.Helper()
	commands = map[string][]string{}
	add := func(command, file string) {
		if !strings.HasPrefix(command, "go: ") {
			commands[command] = append(commands[command], file)
		}
	}
	for _, root := range []string{"../README.md", "../ARCHITECTURE.md", "../rules/README.md", "."} {
		if err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				if d != nil && d.Name() == "testdata" {
					return fs.SkipDir
				}
				return err
			}
			switch filepath.Ext(path) {
			case ".md":
				text := read(t, path)
				if _, story, ok := strings.Cut(text, "<!-- demo -->"); ok { // what the demo prints
					_, rest, _ := strings.Cut(story, "<!-- /demo -->")
					text = strings.Replace(text, story, rest, 1)
				}
				for _, b := range fenced.FindAllStringSubmatch(text, -1) {
					for line := range strings.Lines(b[3]) {
						if b[1] != "" {
							marked++
						} else if line = strings.TrimSpace(line); line != "" {
							add(line, path)
						}
					}
				}
				for _, m := range indented.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
					add(strings.TrimSpace(m[1]), path)
				}
			case ".go", ".json", ".png", ".mjs", ".py":
			default:
				for _, m := range remarked.FindAllStringSubmatch(read(t, path), -1) {
					add(strings.TrimSpace(m[1]), path)
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	return commands, marked
}

// TestCommands runs every command of the documentation as it stands there, but
// for those that another test runs or that say why they are not run.
func TestCommands(t *testing.T) {
	t.Parallel()
	bash := tool(t, "bash", "bash")
	tool(t, "curl", "curl")
	commands, marked := shown(t)
	for c, how := range elsewhere {
		if commands[c] == nil {
			t.Errorf("no document shows %q any more", c)
		}
		room, test, ok := strings.Cut(how, ": ")
		if !ok || room == "not run" {
			continue
		}
		test, _, _ = strings.Cut(strings.Fields(test)[0], ",")
		if out, err := exec.Command("grep", "-rlE", "--include=*_test.go", `^func `+test+`\(`, filepath.Join("..", room)).Output(); err != nil || len(out) == 0 {
			t.Errorf("%s, which is to run %q, is not there", how, c)
		}
	}
	dir := desk(t)
	s := demoSettings(t, hook(t))
	told, feeds := story(t, 10)
	s.Files.Extra = told.Feeds(feeds)
	d := startDaemon(t, s)
	until(t, time.Minute, "the daemon has raised an alert", func() bool {
		return regexp.MustCompile(`monitor_alerts_total\{[^}]*\} [1-9]`).MatchString(get(t, d.place.HTTP+"/metrics"))
	})
	ran := 0
	for _, c := range slices.Sorted(maps.Keys(commands)) {
		if elsewhere[c] != "" || strings.HasPrefix(c, "nats ") { // which no package of Debian's has; deploy/clients read the same
			continue
		}
		ran++
		as := strings.NewReplacer("http://127.0.0.1:8080", d.place.HTTP, " RULE FILE", " sanctions-imposed item.jsonl", "go run ./cmd/monitor", "monitor").Replace(c)
		cmd := exec.Command(bash, "-o", "pipefail", "-ec", as)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"), "MONITOR_SERVER="+d.place.HTTP,
			"MONITOR_NATS_LISTEN=127.0.0.1:0", "MONITOR_HTTP=127.0.0.1:0", "MONITOR_SAMPLE=0", "NO_COLOR=1", "HOOK_SECRET=for the test",
			"HTTPS_PROXY=http://127.0.0.1:1", "HTTP_PROXY=http://127.0.0.1:1") // no publisher is asked
		if strings.HasPrefix(as, "monitor watch") || strings.HasPrefix(as, "monitor replay") {
			cmd.Env = append(cmd.Env, "MONITOR_NATS="+d.place.NATS)
		}
		var err error
		var out []byte
		switch {
		case as == "monitor" || strings.HasPrefix(as, "monitor --"):
			out, err = stays(cmd, "newsmonitor runs")
		case strings.HasPrefix(as, "monitor watch"):
			out, err = stays(cmd, "watching nats://")
		default:
			if out, err = cmd.CombinedOutput(); err == nil && len(out) == 0 && !strings.Contains(c, "backup") {
				err = fmt.Errorf("it prints nothing")
			}
		}
		if err != nil {
			t.Errorf("%s shows %q: %v\n%.2000s", commands[c], c, err, out)
		}
	}
	if ran < 30 || marked < 6 {
		t.Errorf("only %d commands were run, and %d are marked", ran, marked)
	}
}

// desk is a folder in which the documentation's commands find what they name.
func desk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", filepath.Join(dir, "bin/monitor"), "../cmd/monitor").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range []string{"feeds.yaml", "rules", "deploy", "cmd"} {
		at, err := filepath.Abs(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(at, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	fresh := read(t, "../cmd/monitor/testdata/fresh.jsonl")
	first, _, _ := strings.Cut(fresh, "\n")
	if err := os.Mkdir(filepath.Join(dir, "my-rules"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"items.jsonl": fresh, "my-items.jsonl": fresh, "item.jsonl": first + "\n",
		"my-feeds.yaml": "feeds:\n  - {id: mine, title: Mine, url: \"https://www.example.org/news.xml\", kind: ministry, country: FR, language: en}\n",
		"my-rules/chips.yaml": "channel: chips\ntitle: Chips\nrules:\n  - {id: chips, title: Chips, severity: low, match: chip*, " +
			"tests: [{fires: true, title: chips}, {fires: false, title: fish}]}\n",
		"notify.yaml": "destinations:\n  - {name: siem, service: webhook, url: \"https://siem.example.org/hook\", secret: {env: HOOK_SECRET}}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// stays starts what runs until it is interrupted, and interrupts it when it has
// said what it should.
func stays(cmd *exec.Cmd, what string) ([]byte, error) {
	cmd.Args[len(cmd.Args)-1] = "exec " + cmd.Args[len(cmd.Args)-1]
	said := make(chan struct{})
	w := &listener{what: what, said: said}
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	var late error
	select {
	case <-said:
	case <-time.After(time.Minute):
		late = fmt.Errorf("it does not say %q", what)
	}
	_ = cmd.Process.Signal(os.Interrupt)
	err := cmd.Wait()
	if late != nil {
		err = late
	}
	return w.text, err
}

type listener struct {
	what string
	text []byte
	said chan struct{}
	done bool
}

func (l *listener) Write(b []byte) (int, error) {
	l.text = append(l.text, b...)
	if !l.done && strings.Contains(string(l.text), l.what) {
		l.done = true
		close(l.said)
	}
	return len(b), nil
}
