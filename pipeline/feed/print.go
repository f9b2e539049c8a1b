package feed

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"go.yaml.in/yaml/v4"
)

// printed is a feed as WriteCatalogue prints it: in the manual's order, without
// what goes without saying.
type printed struct {
	ID         string             `yaml:"id"`
	Title      string             `yaml:"title,omitempty"`
	URL        string             `yaml:"url,omitempty"`
	Kind       string             `yaml:"kind,omitempty"`
	Tier       string             `yaml:"tier,omitempty"`
	Country    string             `yaml:"country,omitempty"`
	Language   string             `yaml:"language,omitempty"`
	Tags       []string           `yaml:"tags,omitempty,flow"`
	Every      string             `yaml:"every,omitempty"`
	Disabled   string             `yaml:"disabled,omitempty"`
	UserAgent  string             `yaml:"user_agent,omitempty"`
	Charset    string             `yaml:"charset,omitempty"`
	DateLayout string             `yaml:"date_layout,omitempty"`
	Identity   string             `yaml:"identity,omitempty"`
	Headers    map[string]*secret `yaml:"headers,omitempty"`
}

type secret struct {
	Env  string `yaml:"env,omitempty"`
	File string `yaml:"file,omitempty"`
}

// WriteCatalogue prints feeds as a feeds.yaml that LoadCatalogue reads back.
func WriteCatalogue(w io.Writer, feeds []Feed) error {
	list := struct {
		Feeds []printed `yaml:"feeds"`
	}{Feeds: make([]printed, len(feeds))}
	for i, f := range feeds {
		p := printed{ID: f.ID, Title: f.Title, URL: f.URL, Kind: f.Kind, Tier: f.Tier, Country: f.Country, Language: f.Language,
			Tags: f.Tags, Disabled: f.Disabled, UserAgent: f.UserAgent, Charset: f.Charset, DateLayout: f.DateLayout}
		switch {
		case f.Auto:
			p.Every = "auto"
		case f.Every != DefaultEvery && f.Every != 0:
			p.Every = FormatDuration(f.Every)
		}
		if f.Identity != "auto" {
			p.Identity = f.Identity
		}
		for _, name := range slices.Sorted(maps.Keys(f.Headers)) {
			if p.Headers == nil {
				p.Headers = map[string]*secret{}
			}
			p.Headers[name] = &secret{Env: f.Headers[name].Env, File: f.Headers[name].File}
		}
		list.Feeds[i] = p
	}
	b, err := yaml.Dump(list, yaml.WithV4Defaults(), yaml.WithLineWidth(-1), yaml.WithCompactSeqIndent(false))
	if err != nil {
		return fmt.Errorf("print the catalogue: %w", err)
	}
	if _, err := w.Write(b); err != nil {
		return fmt.Errorf("print the catalogue: %w", err)
	}
	return nil
}
