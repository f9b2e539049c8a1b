// Command sbom prints what a Go binary is made of, as a CycloneDX 1.5 bill of
// materials, from what the compiler wrote into it.
package main

import (
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

type component struct {
	Type    string  `json:"type"`
	BOMRef  string  `json:"bom-ref"`
	Name    string  `json:"name"`
	Version string  `json:"version"`
	PURL    string  `json:"purl,omitempty"`
	Hashes  []hash  `json:"hashes,omitempty"`
	Scope   string  `json:"scope,omitempty"`
	Props   []pairs `json:"properties,omitempty"`
}

type hash struct {
	Alg     string `json:"alg"`
	Content string `json:"content"`
}

type pairs struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: sbom BINARY VERSION COMMIT")
		os.Exit(2)
	}
	info, err := buildinfo.ReadFile(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	main := component{Type: "application", BOMRef: "newsmonitor", Name: info.Main.Path, Version: os.Args[2],
		Props: []pairs{{"vcs.revision", os.Args[3]}}}
	for _, s := range info.Settings {
		switch s.Key {
		case "GOOS", "GOARCH", "CGO_ENABLED", "-trimpath":
			main.Props = append(main.Props, pairs{"go:" + s.Key, s.Value})
		}
	}
	parts := []component{{Type: "platform", BOMRef: "go", Name: "go", Version: strings.TrimPrefix(info.GoVersion, "go"),
		PURL: "pkg:golang/std@" + strings.TrimPrefix(info.GoVersion, "go"), Scope: "required"}}
	uses := []string{"go"}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		c := component{Type: "library", BOMRef: m.Path + "@" + m.Version, Name: m.Path, Version: m.Version,
			PURL: "pkg:golang/" + m.Path + "@" + m.Version, Scope: "required"}
		if sum, ok := strings.CutPrefix(m.Sum, "h1:"); ok { // the module's own hash, of its files' hashes
			if b, err := base64.StdEncoding.DecodeString(sum); err == nil {
				c.Hashes = []hash{{"SHA-256", hex.EncodeToString(b)}}
			}
		}
		parts, uses = append(parts, c), append(uses, c.BOMRef)
	}
	e := json.NewEncoder(os.Stdout)
	e.SetIndent("", "  ")
	err = e.Encode(map[string]any{"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
		"metadata": map[string]any{"component": main}, "components": parts,
		"dependencies": []map[string]any{{"ref": "newsmonitor", "dependsOn": uses}}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
