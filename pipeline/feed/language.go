package feed

import (
	"strings"

	"golang.org/x/text/language"
)

// languageTag returns the BCP 47 form of what feeds write as a language
// ("en_US", "EN-us", "zh-cn", "cs-CZ.UTF-8"), or "" when it is none.
func languageTag(s string) string {
	s = strings.TrimSpace(s)
	if len(s) < 2 || len(s) > 35 {
		return ""
	}
	s, _, _ = strings.Cut(s, ".")
	for _, r := range s {
		if r != '-' && r != '_' && (r < '0' || r > '9') && (r|0x20 < 'a' || r|0x20 > 'z') {
			return ""
		}
	}
	// Raw: what was declared, in canonical case; zh-TW does not become zh-Hant.
	t, err := language.Raw.Parse(s)
	if err != nil || t == language.Und {
		return ""
	}
	if base, _ := t.Base(); base.String() == "und" {
		return ""
	}
	return t.String()
}
