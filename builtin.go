// Package newsmonitor holds the copies of feeds.yaml and rules/ that travel
// inside the binary, so that it runs in an empty folder.
package newsmonitor

import "embed"

// Builtin holds feeds.yaml and rules/.
//
//go:embed feeds.yaml rules/*.yaml rules/lists/*.yaml
var Builtin embed.FS
