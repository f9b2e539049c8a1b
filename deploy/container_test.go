package deploy_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// at follows a path of keys and indexes through decoded YAML; nil where there
// is nothing.
func at(v any, path ...any) any {
	for _, p := range path {
		switch k := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[k]
		case int:
			l, _ := v.([]any)
			if k >= len(l) {
				return nil
			}
			v = l[k]
		}
	}
	return v
}

// TestCompose: services are hardened and bound to loopback, and what they
// mount is there.
func TestCompose(t *testing.T) {
	t.Parallel()
	var stack map[string]any
	if err := yaml.Unmarshal([]byte(read(t, "container/compose.yaml")), &stack); err != nil {
		t.Fatal(err)
	}
	services, _ := at(stack, "services").(map[string]any)
	for _, want := range []string{"monitor", "nats", "prometheus", "alertmanager", "grafana", "rsshub"} {
		if services[want] == nil {
			t.Errorf("no service %s", want)
		}
	}
	volumes, _ := at(stack, "volumes").(map[string]any)
	for name, s := range services {
		if drop, _ := at(s, "cap_drop").([]any); len(drop) != 1 || drop[0] != "ALL" {
			t.Errorf("%s drops %v", name, drop)
		}
		if name != "rsshub" && at(s, "read_only") != true {
			t.Errorf("%s can write its root", name)
		}
		for _, key := range []string{"healthcheck", "mem_limit", "pids_limit", "restart", "security_opt"} {
			if at(s, key) == nil {
				t.Errorf("%s has no %s", name, key)
			}
		}
		ports, _ := at(s, "ports").([]any)
		for _, p := range ports {
			if !strings.HasPrefix(p.(string), "127.0.0.1:") {
				t.Errorf("%s listens on %v", name, p)
			}
		}
		mounts, _ := at(s, "volumes").([]any)
		for _, m := range mounts {
			from, _, _ := strings.Cut(m.(string), ":")
			if !strings.HasPrefix(from, ".") {
				if _, ok := volumes[from]; !ok {
					t.Errorf("%s mounts the volume %s, which is not declared", name, from)
				}
				continue
			}
			if _, err := os.Stat(filepath.Join("container", from)); err != nil {
				t.Errorf("%s mounts %v", name, err)
			}
		}
		needs, _ := at(s, "depends_on").(map[string]any)
		for other := range needs {
			if services[other] == nil || at(services[other], "healthcheck") == nil {
				t.Errorf("%s waits for %s, which does not say that it is healthy", name, other)
			}
		}
	}
	if promtool, err := exec.LookPath("promtool"); err == nil {
		dir := t.TempDir()
		for _, f := range []string{"container/prometheus.yml", "prometheus/monitor.recording.yml", "prometheus/monitor.alerts.yml"} {
			if err := os.WriteFile(filepath.Join(dir, filepath.Base(f)), []byte(read(t, f)), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if out, err := exec.Command(promtool, "check", "config", filepath.Join(dir, "prometheus.yml")).CombinedOutput(); err != nil {
			t.Errorf("promtool: %v\n%s", err, out)
		}
	}
}

// kustomize returns the command that builds a folder. Debian's kubectl is of
// 2021 and does not know labels and patches.
func kustomize(t *testing.T) []string {
	t.Helper()
	for _, command := range [][]string{{"kustomize", "build"}, {"kubectl", "kustomize"}} {
		if _, err := exec.LookPath(command[0]); err != nil {
			continue
		}
		if exec.Command(command[0], append(command[1:], "kubernetes/base")...).Run() == nil {
			return command
		}
	}
	t.Skip("needs kubectl 1.21 or newer, or kustomize 5; .ci/run installs the latter")
	return nil
}

// TestKustomize builds both variants and looks at what the pods may.
func TestKustomize(t *testing.T) {
	t.Parallel()
	build := kustomize(t)
	for dir, replicas := range map[string]int{"kubernetes/base": 1, "kubernetes/replicas": 3} {
		out, err := exec.Command(build[0], append(build[1:], dir)...).Output()
		if err != nil {
			t.Errorf("%s: %v", dir, err)
			continue
		}
		kinds := map[string]map[string]any{}
		for d := yaml.NewDecoder(bytes.NewReader(out)); ; {
			var o map[string]any
			if err := d.Decode(&o); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			kinds[o["kind"].(string)] = o
		}
		set := kinds["StatefulSet"]
		pod, container := at(set, "spec", "template", "spec"), at(set, "spec", "template", "spec", "containers", 0)
		for what, got := range map[string]any{
			"replicas":                 at(set, "spec", "replicas") == replicas,
			"non-root":                 at(pod, "securityContext", "runAsNonRoot") == true,
			"seccomp":                  at(pod, "securityContext", "seccompProfile", "type") == "RuntimeDefault",
			"no token":                 at(pod, "automountServiceAccountToken") == false,
			"no service variables":     at(pod, "enableServiceLinks") == false,
			"read-only root":           at(container, "securityContext", "readOnlyRootFilesystem") == true,
			"no escalation":            at(container, "securityContext", "allowPrivilegeEscalation") == false,
			"no capabilities":          at(container, "securityContext", "capabilities", "drop", 0) == "ALL",
			"liveness asks /livez":     at(container, "livenessProbe", "httpGet", "path") == "/livez",
			"readiness asks /readyz":   at(container, "readinessProbe", "httpGet", "path") == "/readyz",
			"pods and selector agree":  at(set, "spec", "selector", "matchLabels", "app.kubernetes.io/name") == at(set, "spec", "template", "metadata", "labels", "app.kubernetes.io/name"),
			"restricted pod security":  at(kinds["Namespace"], "metadata", "labels", "pod-security.kubernetes.io/enforce") == "restricted",
			"a policy for the network": at(kinds["NetworkPolicy"], "spec", "policyTypes", 1) == "Egress",
			"memory has a limit":       at(container, "resources", "limits", "memory") != nil && at(container, "resources", "requests", "cpu") != nil,
			"the start is waited for":  at(container, "startupProbe", "httpGet", "path") == "/readyz",
			"probes wait for an answer": at(container, "readinessProbe", "timeoutSeconds") == 6 && at(container, "startupProbe", "timeoutSeconds") == 6 &&
				at(container, "livenessProbe", "timeoutSeconds") == 5,
			"a drain leaves replicas": (replicas == 1) == (kinds["PodDisruptionBudget"] == nil),
		} {
			if got != true {
				t.Errorf("%s: not so: %s", dir, what)
			}
		}
		// The arguments are the program's own.
		args, _ := at(container, "args").([]any)
		text := read(t, "../cmd/monitor/run.go")
		for _, a := range args {
			if name, is := strings.CutPrefix(a.(string), "--"); is && !strings.Contains(text, `name:"`+name+`"`) && !slices.Contains([]string{"log-format"}, name) {
				t.Errorf("%s: --%s is no flag", dir, name)
			}
		}
	}
}

// TestImage builds the image's last stage on nothing, as bases cannot be
// pulled here.
func TestImage(t *testing.T) {
	t.Parallel()
	if os.Getenv("NEWSMONITOR_LONG") == "" {
		t.Skip("builds an image: NEWSMONITOR_LONG=1")
	}
	buildah := tool(t, "buildah", "buildah")
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "out/data"), 0o755); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(dir, "out/monitor"), "../cmd/monitor")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	_, last, _ := strings.Cut(read(t, "container/Dockerfile"), "\nFROM gcr.io/")
	_, last, _ = strings.Cut(last, "\n")
	last = "FROM scratch\n" + strings.NewReplacer("--from=build ", "", "/out/", "out/").Replace(last)
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(last), 0o644); err != nil {
		t.Fatal(err)
	}
	store := []string{"--storage-driver", "vfs", "--root", filepath.Join(dir, "root"), "--runroot", filepath.Join(dir, "run")}
	do := func(args ...string) []byte {
		t.Helper()
		out, err := exec.Command(buildah, slices.Concat(store, args)...).CombinedOutput()
		if err != nil {
			t.Fatalf("buildah %s: %v\n%s", args, err, out)
		}
		return out
	}
	do("bud", "--isolation", "chroot", "--format", "docker", "--build-arg", "VERSION=1.2.3", "-t", "newsmonitor:test", dir)
	var image any
	if err := json.Unmarshal(do("inspect", "--type", "image", "newsmonitor:test"), &image); err != nil {
		t.Fatal(err)
	}
	config := at(image, "Docker", "config")
	for what, ok := range map[string]bool{
		"nobody runs it":           at(config, "User") == "65532:65532",
		"it runs the daemon":       at(config, "Entrypoint", 0) == "/usr/bin/monitor" && at(config, "Cmd", 0) == "run",
		"it asks how it is":        at(config, "Healthcheck", "Test", 1) == "/usr/bin/monitor",
		"its label says which":     at(config, "Labels", "org.opencontainers.image.version") == "1.2.3",
		"its data is a volume":     at(config, "Volumes", "/data") != nil,
		"it stops by SIGTERM":      at(config, "StopSignal") == "SIGTERM",
		"the port of the page":     at(config, "ExposedPorts", "8080/tcp") != nil,
		"it begins in its folder":  at(config, "WorkingDir") == "/data",
		"its licence is in labels": at(config, "Labels", "org.opencontainers.image.licenses") == "Apache-2.0",
	} {
		if !ok {
			t.Errorf("the image: not so: %s", what)
		}
	}
}
