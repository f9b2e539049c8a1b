package deploy_test

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestPackage makes a release twice, here and in a clone elsewhere by another
// kind of builder: the same bytes. Then it installs, runs, upgrades, removes
// and purges the package in a Debian of its own.
func TestPackage(t *testing.T) {
	t.Parallel()
	if os.Getenv("NEWSMONITOR_LONG") == "" {
		t.Skip("builds and packs for a minute: NEWSMONITOR_LONG=1")
	}
	tool(t, "dpkg-deb", "dpkg")
	dist, again := t.TempDir(), t.TempDir()
	other := copyOfTree(t)
	var builds sync.WaitGroup
	for _, command := range []string{
		"package/build " + dist + " linux/amd64",
		"umask 077; TZ=Asia/Tokyo LC_ALL=C.UTF-8 GOAMD64=v3 XZ_OPT=-T1 " + filepath.Join(other, "deploy/package/build") + " " + again + " linux/amd64",
	} {
		builds.Go(func() {
			cmd := exec.Command("sh", "-c", command)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", cmd, err, out)
			}
		})
	}
	builds.Wait()
	if t.Failed() {
		return
	}
	sums := read(t, filepath.Join(dist, "SHA256SUMS"))
	if second := read(t, filepath.Join(again, "SHA256SUMS")); sums != second || strings.Count(sums, "\n") != 3 {
		t.Errorf("the same tree gave\n%sand elsewhere\n%s", sums, second)
	}
	check := exec.Command("sha256sum", "-c", "--quiet", "SHA256SUMS")
	check.Dir = dist
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("the checksums are wrong: %v\n%s", err, out)
	}
	name := regexp.MustCompile(`newsmonitor_(\S+)_linux_amd64\.tar\.gz`).FindStringSubmatch(sums)
	if name == nil {
		t.Fatalf("no tarball in\n%s", sums)
	}
	var bom struct {
		BomFormat  string
		Components []struct{ Name, Version string }
	}
	if json.Unmarshal([]byte(read(t, filepath.Join(dist, strings.TrimSuffix(name[0], ".tar.gz")+".cdx.json"))), &bom) != nil || bom.BomFormat != "CycloneDX" || len(bom.Components) < 20 {
		t.Errorf("the bill of materials has %d components", len(bom.Components))
	}
	unpacked := t.TempDir()
	if out, err := exec.Command("tar", "-C", unpacked, "--strip-components=1", "-xzf", filepath.Join(dist, name[0])).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for command, want := range map[string]string{"./monitor version": "newsmonitor " + name[1] + " ", "./monitor check": "[feeds.yaml], [rules]"} {
		cmd := exec.Command("sh", "-c", command)
		cmd.Dir = unpacked
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), want) {
			t.Errorf("the tarball's %s: %v, no %q in %s", command, err, want, out)
		}
	}
	t.Run("Debian", func(t *testing.T) { livesInDebian(t, filepath.Join(dist, "newsmonitor_"+name[1]+"_amd64.deb")) })
}

// copyOfTree is a clone with the files as they stand here, committed or not, by
// somebody whose files nobody else may read.
func copyOfTree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	out, err := exec.Command("bash", "-euo", "pipefail", "-c", `umask 077
		cd ..
		git clone -q --no-checkout . "$0"
		git ls-files -z | while IFS= read -r -d '' f; do if [ -e "$f" ]; then printf '%s\0' "$f"; fi; done | tar --null -T - -cf - | tar -C "$0" --no-same-permissions -xf -
		cd "$0"
		git reset -q
		echo "of the builder's own" >rules/untracked.yaml`, dir).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

// livesInDebian takes a package through its life in a folder that has what
// dpkg and a maintainer's script need and a systemctl that writes down what it
// is told.
func livesInDebian(t *testing.T, deb string) {
	if os.Getuid() != 0 {
		t.Skip("needs root, as dpkg changes its root; .ci/run is root in a container")
	}
	analyze := tool(t, "systemd-analyze", "systemd")
	root := t.TempDir()
	if err := os.Chmod(root, 0o755); err != nil { // for the daemon, which is nobody here
		t.Fatal(err)
	}
	run := func(script string) string {
		t.Helper()
		cmd := exec.Command("bash", "-euo", "pipefail", "-c", script, deb, root)
		cmd.Dir = root
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", script, err, out)
		}
		return string(out)
	}
	run(`mkdir -p bin tmp run/systemd/system usr/lib/systemd/system var/lib/dpkg/updates var/lib/dpkg/info var/lib/dpkg/triggers
		: >var/lib/dpkg/status
		for f in /bin/sh /bin/rm $(ldd /bin/sh /bin/rm | grep -oE '/\S*lib\S*\.so\S*' | sort -u); do mkdir -p "./${f%/*}"; cp -L "$f" "./$f"; done
		cp -L /lib/systemd/system/*.target usr/lib/systemd/system/
		printf '#!/bin/sh\necho "$@" >>/told\n' >bin/systemctl
		chmod 755 bin/systemctl`)
	dpkg := func(args string) {
		t.Helper()
		run(`rm -f told; dpkg --root="$1" --log=/dev/null ` + args)
	}
	told := func(want string) {
		t.Helper()
		b, _ := os.ReadFile(filepath.Join(root, "told"))
		if got := strings.ReplaceAll(strings.TrimSpace(string(b)), "\n", "; "); got != want {
			t.Errorf("systemctl was told %q, want %q", got, want)
		}
	}
	kept := func(path string, want bool) {
		t.Helper()
		if _, err := os.Lstat(filepath.Join(root, path)); (err == nil) != want {
			t.Errorf("%s is there: %v, want %v", path, err == nil, want)
		}
	}

	dpkg(`-i "$0"`)
	told("daemon-reload") // starting is the administrator's word
	kept("etc/newsmonitor/environment", true)
	if out := run(analyze + ` --root="$1" verify monitor.service 2>&1`); out != "" {
		t.Errorf("systemd-analyze verify: %s", out)
	}
	for _, doc := range []string{"copyright", "README.md", "deploy/RUNBOOK.md", "deploy/schemas/lists.v1.json", "rules/lists/states.yaml"} {
		kept("usr/share/doc/newsmonitor/"+doc, true)
	}
	kept("usr/share/doc/newsmonitor/rules/untracked.yaml", false)

	run(`echo 'MONITOR_FEEDS=/etc/newsmonitor/feeds.yaml' >>etc/newsmonitor/environment
		echo 'feeds: [{id: none, title: None, disabled: no feed}]' >etc/newsmonitor/feeds.yaml
		install -d -o 65534 -g 65534 -m 700 var/lib/private/newsmonitor
		ln -s private/newsmonitor var/lib/newsmonitor`)
	isReady(t, root)

	run(`dpkg-deb -R "$0" "$1/next"
		sed -i 's/^Version: .*/&+1/' next/DEBIAN/control
		sed -i 's/Flags of/All flags of/' next/etc/newsmonitor/environment
		dpkg-deb --root-owner-group -Znone -b next next.deb >/dev/null`)
	dpkg(`--force-confdef --force-confold -i next.deb`)
	told("daemon-reload; try-restart monitor.service")
	if text := read(t, filepath.Join(root, "etc/newsmonitor/environment")); !strings.Contains(text, "MONITOR_FEEDS=/etc") {
		t.Errorf("an upgrade changed the settings: %s", text)
	}
	kept("var/lib/newsmonitor/data/format.json", true)

	dpkg(`-r newsmonitor`)
	told("disable --now monitor.service; daemon-reload")
	for path, want := range map[string]bool{"usr/bin/monitor": false, "usr/lib/systemd/system/monitor.service": false, "etc/newsmonitor/environment": true, "var/lib/newsmonitor/data/format.json": true} {
		kept(path, want)
	}
	dpkg(`-P newsmonitor`)
	for path, want := range map[string]bool{"etc/newsmonitor/environment": false, "etc/newsmonitor/feeds.yaml": true, "var/lib/newsmonitor": false, "var/lib/private/newsmonitor": false} {
		kept(path, want)
	}
}

// isReady starts the installed program as nobody and as the unit does: with its
// environment and the file's.
func isReady(t *testing.T, root string) {
	t.Helper()
	cmd := exec.Command("/usr/bin/monitor", "run")
	cmd.Dir = "/var/lib/newsmonitor"
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	text := read(t, filepath.Join(root, "usr/lib/systemd/system/monitor.service"))
	for _, m := range regexp.MustCompile(`(?m)^Environment=(.*)$`).FindAllStringSubmatch(text, -1) {
		cmd.Env = append(cmd.Env, strings.Fields(m[1])...)
	}
	for l := range strings.Lines(read(t, filepath.Join(root, "etc/newsmonitor/environment"))) {
		if l = strings.TrimSpace(l); l != "" && l[0] != '#' {
			cmd.Env = append(cmd.Env, l)
		}
	}
	cmd.Env = append(cmd.Env, "MONITOR_HTTP=127.0.0.1:0", "MONITOR_NATS_LISTEN=127.0.0.1:0")
	written, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = written.Close() }()
	log := func() string { return read(t, written.Name()) }
	cmd.Stderr = written
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	page := regexp.MustCompile(`page=(http://\S+)`)
	until(t, time.Minute, "the installed daemon runs", func() bool { return page.MatchString(log()) })
	until(t, time.Minute, "the installed daemon is ready", func() bool {
		resp, err := http.Get(page.FindStringSubmatch(log())[1] + "/readyz")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	_ = cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil || strings.Contains(log(), "level=ERROR") {
		t.Errorf("the installed daemon ended with %v: %s", err, log())
	}
}
