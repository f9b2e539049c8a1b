package pipeline

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"

	"newsmonitor/pipeline/problem"
)

const (
	settle  = 250 * time.Millisecond // editors write a file in several steps
	recheck = 30 * time.Second       // a mounted file or a network folder never notifies
)

// watch reloads feeds and rules when asked (SIGHUP) or when their files change,
// until ctx ends. A reload swaps the rule set and gives poll the difference of
// the catalogue; no stage restarts.
func (m *Monitor) watch(ctx context.Context, asked <-chan struct{}) error {
	files := m.settings.Files
	var notified chan fsnotify.Event
	if w, err := fsnotify.NewWatcher(); err == nil {
		defer func() { _ = w.Close() }()
		for _, dir := range folders(files.Watched()) {
			_ = w.Add(dir) // what cannot be watched is rechecked
		}
		notified = w.Events
		go func() {
			for range w.Errors { // rechecked too
			}
		}()
	}
	before := m.loaded
	tick := time.NewTicker(recheck)
	defer tick.Stop()
	settled := time.After(settle) // what changed between loading and watching
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-notified:
			settled = time.After(settle)
			continue
		case <-asked:
			m.log.Info("reload asked for")
			before = fingerprint(files.Watched())
		case <-settled:
			settled = nil
			now := fingerprint(files.Watched())
			if now == before {
				continue
			}
			before = now
		case <-tick.C:
			now := fingerprint(files.Watched())
			if now == before {
				continue
			}
			before = now
		}
		m.reload()
	}
}

// reload loads the files again. What is wrong keeps its last good version.
func (m *Monitor) reload() {
	old := m.config.Load()
	config, err := m.settings.Files.Load(old)
	if err != nil {
		m.metrics.reloaded(map[string]int{"feeds": 1})
		m.log.Error("reload failed; everything stays as it was", "error", err)
		return
	}
	bad := config.Problems.Errors()
	m.metrics.reloaded(m.settings.Files.refused(bad))
	for _, p := range bad {
		if !slices.Contains(old.Problems, p) {
			m.log.Warn("a file is refused and keeps its last good version", "problem", p.String())
		}
	}
	config.Rules.Prepare()
	m.use(config, old)
	m.log.Info("reloaded", "config", config.Summary(), "count", len(bad))
}

// refused counts the files with errors, by what they hold.
func (f Files) refused(errs problem.List) map[string]int {
	if len(errs) == 0 {
		return nil
	}
	kinds, seen := map[string]int{}, map[string]bool{}
	for _, p := range errs {
		if seen[p.File] {
			continue
		}
		seen[p.File] = true
		switch {
		case f.Notify != "" && p.File == f.Notify:
			kinds["notify"]++
		case slices.Contains(f.catalogues(), p.File):
			kinds["feeds"]++
		default:
			kinds["rules"]++
		}
	}
	return kinds
}

// use makes a configuration the one of the moment.
func (m *Monitor) use(config, old *Config) {
	m.config.Store(config)
	debug.FreeOSMemory() // compiling leaves as much garbage as the rules are large
	m.catalogue()
	if m.settings.NATS != "" {
		m.store.Runs(config.hash())
	}
	channels, rules := slugs(config)
	m.raiser.Metrics.Expect(channels, rules)
	m.pusher.Update(config.Pushed)
	if old != nil {
		hadChannels, hadRules := slugs(old)
		m.raiser.Metrics.Forget(without(hadChannels, channels), without(hadRules, rules))
	}
}

// without returns those of had that are not in now.
func without(had, now []string) []string {
	return slices.DeleteFunc(had, func(id string) bool { return slices.Contains(now, id) })
}

func slugs(c *Config) (channels, rules []string) {
	for _, ch := range c.Rules.Channels() {
		channels = append(channels, ch.Slug)
	}
	return channels, c.Rules.IDs()
}

// folders returns what to watch: folders, as a file that is replaced takes its
// watch with it.
func folders(paths []string) (out []string) {
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil || !info.IsDir() {
			out = append(out, filepath.Dir(p))
			continue
		}
		_ = filepath.WalkDir(p, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				out = append(out, path)
			}
			return nil
		})
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// fingerprint changes when a file is written, replaced, added or removed. It
// only says that a reload is worth its while; what then changed is found by
// time and hash (rule.Set.Reload). Links are followed, as a mounted ConfigMap
// swaps them.
func fingerprint(paths []string) string {
	h := sha256.New()
	for _, p := range paths {
		_ = filepath.WalkDir(p, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return nil
			}
			if info, err := os.Stat(path); err == nil {
				fmt.Fprintf(h, "%s\x00%d\x00%d\x00", path, info.Size(), info.ModTime().UnixNano())
			}
			return nil
		})
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}
