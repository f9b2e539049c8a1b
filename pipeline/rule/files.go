package rule

import "newsmonitor/pipeline/problem"

// The files as they are written. What may stand in them is documented here;
// Load turns it into checked values.

// channelFile is one rules/*.yaml: a channel and the rules that feed it. A
// channel may be spread over several files; the first title counts.
type channelFile struct {
	Channel string      `yaml:"channel"` // slug; the NATS token and the page's filter
	Title   string      `yaml:"title"`   // for people
	About   string      `yaml:"about"`   // what belongs here and what does not
	Rules   []ruleEntry `yaml:"rules"`
}

// ruleEntry is one rule.
type ruleEntry struct {
	ID         string       `yaml:"id"`               // slug, unique over all files
	Title      string       `yaml:"title"`            // for people
	About      string       `yaml:"about"`            // why it is written so; optional
	Severity   string       `yaml:"severity"`         // low, medium, high or critical
	Match      string       `yaml:"match"`            // the query
	Unless     string       `yaml:"unless"`           // the rule does not fire where this is true; optional
	Raise      []raiseEntry `yaml:"raise"`            // the first that holds sets the severity; optional
	Where      whereEntry   `yaml:"where"`            // optional
	SlowOK     bool         `yaml:"slow_ok"`          // the rule may cost more than the limit; see monitor rules cost
	Unanchored bool         `yaml:"allow_unanchored"` // the rule names no word that an item must have, and is tried on every item
	Budget     *int         `yaml:"budget"`           // alerts a day beyond which the rule is named as noisy; optional
	References []string     `yaml:"references"`       // http(s) addresses; optional
	Disabled   string       `yaml:"disabled"`         // the reason: switches the rule off; nothing but id is needed beside it
	Tests      []testEntry  `yaml:"tests"`            // at least one that must fire and one that must not
}

type raiseEntry struct {
	To   string `yaml:"to"`
	When string `yaml:"when"` // a query; channel:x asks whether a rule of channel x matches too
}

// whereEntry keeps a rule (or a voice) to some items. All keys must hold, of
// the values of a key one is enough.
type whereEntry struct {
	Language []string `yaml:"language"` // BCP 47; zh means zh-Hans, zh-Hant and zh-TW too
	Tier     []string `yaml:"tier"`     // of the voice if one was recognised, else of the feed
	Kind     []string `yaml:"kind"`     // of the feed
	Country  []string `yaml:"country"`  // of the feed
	States   []string `yaml:"states"`   // that the item is about
	Feed     []string `yaml:"feed"`     // ids
	Tags     []string `yaml:"tags"`     // of the feed
}

// testEntry is one item that a rule must, or must not, fire on.
type testEntry struct {
	Fires    *bool    `yaml:"fires"`
	Severity string   `yaml:"severity"` // that it must have when it fires; optional
	Title    string   `yaml:"title"`
	Summary  string   `yaml:"summary"`
	Content  string   `yaml:"content"`
	URL      string   `yaml:"url"`
	Author   string   `yaml:"author"`
	Category []string `yaml:"category"`
	Language string   `yaml:"language"` // as declared
	Feed     string   `yaml:"feed"`     // id of the feed
	Source   string   `yaml:"source"`   // its title
	Kind     string   `yaml:"kind"`
	Tier     string   `yaml:"tier"`
	Country  string   `yaml:"country"`
	Tags     []string `yaml:"tags"`
}

// listFile is one rules/lists/*.yaml.
//
//	lists:
//	  - name: agencies            # used as @agencies
//	    about: who imposes sanctions
//	    terms:
//	      - Treasury Department
//	      - OFAC
//	      - 财政部
//	      - CASE(BIS)
//	      - sanction*
//	      - '中国 EXCEPT 发展中国家'
//	      - '@ministries'
//
// Each term is a piece of a query that has places in the text: a word, a
// phrase, a wildcard, CASE(...), another list, an OR of these, one EXCEPT
// another. Words side by side are a phrase here, quoted or not; beside an
// operator a phrase needs its quotation marks, as in a rule. A list stands in a query wherever a word may.
type listFile struct {
	Lists  []listEntry  `yaml:"lists"`
	States []stateEntry `yaml:"states"`
	Bare   []string     `yaml:"bare"`
}

type listEntry struct {
	Name     string   `yaml:"name"`
	About    string   `yaml:"about"`
	Terms    []string `yaml:"terms"`
	Disabled string   `yaml:"disabled"` // the reason: an earlier list of that name is emptied
}

// stateEntry is a state, or a body that acts like one, and the words by which
// a text names it. All words are terms as in a list.
//
//	states:
//	  - code: CN
//	    names: [China, Chinese, PRC, 中国, 中方]
//	    capital: [Beijing, 北京]
//	    organs: [Zhongnanhai, State Internet Information Office]
//	    persons: [Hua Chunying, 华春莹]
//	    bare: [国务院]
//	    except: [发展中国家, China town]
//	bare: [外交部, 国防部, the Foreign Ministry]
//
// names, capital, organs and persons make the list @state-cn, less what
// except covers; all of them make @states. SOME/2(@states) wants two different
// states. A word under bare names no state by itself: where it stands without
// a state's name before it (or "of" and one after it), it is that of the
// publisher; a bare of one state counts with that state's publishers only.
// @bare-organs is the list of all of them.
type stateEntry struct {
	Code    string   `yaml:"code"`    // ISO 3166-1 alpha-2, or EU, UN, NATO
	Title   string   `yaml:"title"`   // for people; the first name when missing
	Names   []string `yaml:"names"`   // names, adjectives, nicknames
	Capital []string `yaml:"capital"` // and other places that stand for the government
	Organs  []string `yaml:"organs"`  // organs that are the state's without its name
	Persons []string `yaml:"persons"` // leaders, spokespeople
	Bare    []string `yaml:"bare"`
	Except  []string `yaml:"except"` // where one of the above does not mean the state
}

// voicesFile is rules/voices.yaml: a list of voices, at the top of the file or
// under the key voices. The first that matches an item is who speaks; those of
// a later directory are tried first.
type voicesFile struct {
	Voices []voiceEntry `yaml:"voices"`
}

type voiceEntry struct {
	Voice    string     `yaml:"voice"` // slug
	Title    string     `yaml:"title"`
	About    string     `yaml:"about"`
	Tier     string     `yaml:"tier"`
	Side     string     `yaml:"side"` // civilian, military or party; optional
	Country  string     `yaml:"country"`
	Match    string     `yaml:"match"`
	Where    whereEntry `yaml:"where"`
	Disabled string     `yaml:"disabled"`
}

// Sides of a voice.
var Sides = []string{"civilian", "military", "party"}

const maxFiles = 50_000 // of one directory

// worst tells whether a list of problems keeps its file from use.
func worst(l problem.List) bool { return len(l.Errors()) > 0 }
