package feed

import (
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

// CountryName is the English name of a country's code as the catalogue has it
// (ISO 3166-1 alpha-2, EU or UN), for people; what is no code comes back as it
// is.
func CountryName(code string) string {
	switch code {
	case "EU":
		return "European Union"
	case "UN":
		return "United Nations"
	case "TW":
		return "Taiwan"
	case "HK":
		return "Hong Kong"
	}
	r, err := language.ParseRegion(code)
	if err != nil || len(code) != 2 {
		return code
	}
	if name := display.English.Regions().Name(r); name != "" && name != "Unknown Region" {
		return name
	}
	return code
}
