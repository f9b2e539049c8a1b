package query

import "strings"

// What other houses call things, and what to write here instead. Spellings
// that mean one thing everywhere are read as they are (Factiva's near5 and
// hd=, Lucene's "a b"~3); those below are refused with the proposal, as houses
// differ on what they mean or there is nothing that means exactly the same.

// houseFields are fields and prefixes, in lower case.
var houseFields = map[string]string{
	"hd": "write title:word", "headline": "write title:word", "ti": "write title:word", "intitle": "write title:word", "allintitle": "write title:(a AND b)",
	"hlp": "headline and lead: write (title:word OR summary:word)", "lp": "the lead paragraph: write summary:word", "ingress": "write summary:word",
	"lead": "write summary:word, or FIRST/50(word)", "lede": "write summary:word, or FIRST/50(word)", "abstract": "write summary:word", "description": "write summary:word",
	"td": "the text after the lead: write content:word", "body": "write content:word", "fulltext": "write text:word: title, summary and content", "intext": "write text:word: title, summary and content",
	"any": "write text:word: title, summary and content", "by": "write author:name", "byline": "write author:name", "creator": "write author:name",
	"sn": "write source:word for words of the feed's title, feed:id for the feed itself", "rst": "write feed:id, or source:word", "sc": "write feed:id, or source:word",
	"publication": "write source:word", "publisher": "write source:word", "outlet": "write source:word", "sourcename": "write source:word",
	"site": `write url:"example.org"`, "domain": `write url:"example.org"`, "inurl": `write url:"example.org"`, "link": `write url:"example.org"`, "host": `write url:"example.org"`,
	"la": "write language:en", "lang": "write language:en", "re": "a state that the item is about: write state:CN", "region": "a state that the item is about: write state:CN",
	"ns": "write category:word for words of the publisher's categories", "subject": "write category:word", "topic": "write category:word, or tag:word for the feed's tags",
	"tags": "write tag:word", "type": "write kind:think-tank, kind:ministry", "sourcetype": "write kind:think-tank, kind:ministry",
	"states": "write state:CN", "raw": "compared as written: CASE(NASA)", "exact": "write EXACT(word)", "stem": "write STEM(word)", "case": "write CASE(US)",
	"wc": "the length of a text cannot be asked for: leave it out", "date": "dates stand in no rule: every item is matched once, when it comes",
	"and": "AND takes no colon", "or": "OR takes no colon", "not": "NOT takes no colon",
}

// houseFunctions are functions, in capitals.
var houseFunctions = map[string]string{
	"CAPS": "CASE(US) compares with the case as you write it", "ALLCAPS": "CASE(US) compares with the case as you write it", "NOCAPS": "CASE(us) compares with the case as you write it",
	"HLEAD": "write (title:x OR FIRST/50(x))", "HEADLINE": "write title:(...)", "TITLE": "write title:(...)", "LEAD": "write summary:(...), or FIRST/50(...)", "BODY": "write content:(...)",
	"TEXT": "write text:(...)", "BYLINE": "write author:(...)", "PUBLICATION": "write source:(...)", "AROUND": "write NEAR/5 between the two words",
	"SINGULAR": "write the form in quotes; only STEM(...) finds other forms", "PLURAL": "write the form in quotes; only STEM(...) finds other forms", "NOSTEM": "leave it out: only STEM(...) finds other forms",
	"NEAR": "write it between two words: a NEAR/10 b", "ONEAR": "write it between two words: a ONEAR/10 b", "SENT": "write it between two words: a SENT b", "PARA": "write it between two words: a PARA b",
	"REGEX": "regular expressions are not known: write wildcards (indict*) or alternatives (a OR b)", "REGEXP": "regular expressions are not known: write wildcards (indict*) or alternatives (a OR b)",
	"FUZZY": "fuzzy search is not known: write a wildcard or the other spellings",
}

// houseOperators are operators, in capitals, where a word stands that nothing
// joins to the one before.
var houseOperators = map[string]string{
	"AND": "operators are written in capitals: AND; a phrase goes into quotes", "OR": "operators are written in capitals: OR; a phrase goes into quotes",
	"NOT": "operators are written in capitals: NOT; a phrase goes into quotes", "SENT": "operators are written in capitals: SENT; a phrase goes into quotes",
	"PARA": "operators are written in capitals: PARA; a phrase goes into quotes", "EXCEPT": "operators are written in capitals: EXCEPT; a phrase goes into quotes",
	"WITHIN": "did you mean NEAR/10?", "ADJ": "side by side, in this order: ONEAR/0, or a phrase in quotes", "BUT": "write AND NOT",
	"ANDNOT": "write AND NOT", "XOR": "write (a OR b) AND NOT (a AND b)", "TO": "ranges are not known", "BEFORE": "in this order: ONEAR/10",
}

// houseOperator explains a word that looks like an operator. What is a common
// word in lower case is not taken for one.
func houseOperator(s string) string {
	upper := strings.ToUpper(s)
	if upper != s {
		switch upper {
		case "BUT", "TO", "BEFORE", "WITHIN":
			return ""
		}
	}
	return houseOperators[upper]
}
