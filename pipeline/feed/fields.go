package feed

// Names of the fields that are wanted, by where they stand. The value true
// marks those that hold fields in their turn.
var (
	channelFields = map[string]bool{"title": false, "link": false, "description": false, "subtitle": false, "tagline": false,
		"language": false, "ttl": false, "skiphours": true, "skipdays": true, "dc:language": false, "dc:title": false,
		"dc:description": false, "sy:updateperiod": false, "sy:updatefrequency": false, "atom:link": false,
		"author": true, "managingeditor": false, "dc:creator": false, "info": false, "abstract": false, "itunes:summary": false, "itunes:subtitle": false,
		"nm:info": false}
	itemFields = map[string]bool{"title": false, "link": false, "description": false, "guid": false, "id": false, "pubdate": false,
		"published": false, "issued": false, "updated": false, "modified": false, "created": false, "summary": false, "content": false,
		"author": true, "category": false, "source": true, "content:encoded": false, "xhtml:body": false, "xhtml:div": false,
		"dc:creator": false, "dc:author": false, "dc:date": false, "dc:subject": false, "dc:language": false, "dc:title": false,
		"dc:description": false, "dc:identifier": false, "dcterms:created": false, "dcterms:issued": false, "dcterms:available": false,
		"dcterms:modified": false, "dcterms:date": false, "dcterms:valid": false, "date": false, "atom:link": false, "atom:updated": false,
		"atom:published": false, "atom:summary": false, "atom:content": false, "atom:id": false, "atom:title": false, "atom:author": true,
		"media:title": false, "media:description": false, "media:group": true, "media:content": true,
		"itunes:summary": false, "itunes:author": false, "itunes:subtitle": false, "enclosure": false, "fullitem": false, "encoded": false,
		"contributor": true, "dc:contributor": false, "language": false, "nm:second": false, "nm:created": false, "body": false,
		"abstract": false, "tags": false, "media:category": false, "itunes:category": true}
	innerFields = map[string]bool{"name": false, "email": false, "uri": false, "hour": false, "day": false,
		"media:title": false, "media:description": false, "itunes:category": false, "atom:name": false, "atom:email": false, "title": false}
)

// breakers end an open field that was not closed: HTML has no such elements,
// or none that stand inside text.
var breakers = map[string]bool{"title": true, "link": true, "guid": true, "pubdate": true, "description": true, "published": true,
	"updated": true, "id": true, "dc:date": true, "content:encoded": true}

// dateFields are fields that gofeed parses as dates. So do we, from the text.
var dateFields = map[string]bool{"pubdate": true, "published": true, "issued": true, "updated": true, "modified": true, "created": true,
	"date": true, "dc:date": true, "nm:created": true, "dcterms:created": true, "dcterms:issued": true, "dcterms:modified": true}

// kept attributes, by element.
var keptAttrs = map[string]string{"link": " href rel type ", "atom:link": " href rel type ", "guid": " isPermaLink ",
	"category": " term label domain ", "enclosure": " url type ", "source": " url ", "content": " src ",
	"itunes:category": " text "}

// longTexts are fields whose long values go past gofeed.
var longTexts = map[string]bool{"description": true, "summary": true, "content": true, "content:encoded": true, "xhtml:body": true,
	"xhtml:div": true, "fullitem": true, "encoded": true, "nm:second": true, "body": true, "atom:summary": true, "atom:content": true,
	"abstract": true}
