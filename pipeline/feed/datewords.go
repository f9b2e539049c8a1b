package feed

import (
	"strings"
	"time"
)

// months by their names and short names, twelve a line, "|" between forms of
// one month: English, German, French, Spanish, Portuguese, Italian, Dutch,
// Nordic, Polish, Czech, Hungarian, Turkish, Russian, Ukrainian, Greek, Arabic.
var months = monthNames(
	"january|jan february|feb march|mar april|apr may june|jun july|jul august|aug september|sep|sept october|oct november|nov december|dec",
	"januar|jänner|jaenner|jän februar|feber märz|maerz|mrz|mär april mai juni juli august september oktober|okt november dezember|dez",
	"janvier|janv février|fevrier|févr|fevr|fév mars avril|avr mai juin juillet|juil|juill août|aout septembre octobre novembre décembre|decembre|déc", //nolint:misspell // French without its accents
	"enero|ene febrero marzo abril|abr mayo junio julio agosto|ago septiembre|setiembre|set octubre noviembre diciembre|dic",
	"janeiro fevereiro|fev março|marco abril maio|mai junho julho agosto setembro|set outubro|out novembro dezembro|dez",
	"gennaio|gen febbraio marzo aprile maggio|mag giugno|giu luglio|lug agosto settembre ottobre|ott novembre dicembre",
	"januari februari maart|mrt april mei juni juli augustus september oktober november december",
	"januari|januar februari|februar mars|marts april maj|mai juni juli augusti|august september oktober november december|desember|des",
	"stycznia|styczeń|sty lutego|luty|lut marca|marzec kwietnia|kwiecień|kwi maja|maj czerwca|czerwiec|cze lipca|lipiec|lip sierpnia|sierpień|sie września|wrzesień|wrz października|październik|paź listopada|listopad|lis grudnia|grudzień|gru",
	"ledna|leden února|únor března|březen dubna|duben května|květen června|červen července|červenec srpna|srpen září října|říjen listopadu prosince|prosinec",
	"január február|febr március|márc április|ápr május|máj június|jún július|júl augusztus szeptember|szept október november december",
	"ocak|oca şubat|şub mart nisan|nis mayıs haziran|haz temmuz|tem ağustos|ağu eylül|eyl ekim|eki kasım|kas aralık|ara",
	"января|январь|янв февраля|февраль|фев|февр марта|март|мар апреля|апрель|апр мая|май июня|июнь|июн июля|июль|июл августа|август|авг сентября|сентябрь|сен|сент октября|октябрь|окт ноября|ноябрь|ноя|нояб декабря|декабрь|дек",
	"січня|січень|січ лютого|лютий|лют березня|березень|бер квітня|квітень|кві травня|травень|тра червня|червень|чер липня|липень|лип серпня|серпень|сер вересня|вересень|вер жовтня|жовтень|жов листопада|листопад|лис грудня|грудень|гру",
	"ιανουαρίου|ιαν φεβρουαρίου|φεβ μαρτίου|μαρ|μάρ|μαώ απριλίου|απρ μαΐου|μάι|μαϊ|μαι ιουνίου|ιούν|ιον ιουλίου|ιούλ|ιολ αυγούστου|αύγ|αυγ σεπτεμβρίου|σεπ οκτωβρίου|οκτ νοεμβρίου|νοέ|νοε δεκεμβρίου|δεκ",
	"يناير فبراير مارس أبريل|ابريل مايو يونيو يوليو أغسطس|اغسطس سبتمبر أكتوبر|اكتوبر نوفمبر ديسمبر",
)

func monthNames(lines ...string) map[string]int {
	m := map[string]int{}
	for _, line := range lines {
		for i, forms := range strings.Fields(line) {
			for f := range strings.SplitSeq(forms, "|") {
				m[f] = i + 1
			}
		}
	}
	return m
}

// zones by name. Those that mean several take the meaning of most feeds: CST
// is North America's, IST India's, BST Britain's.
var zones = map[string]time.Duration{
	"z": 0, "gmt": 0, "utc": 0, "ut": 0, "wet": 0,
	"bst": time.Hour, "cet": time.Hour, "mez": time.Hour, "met": time.Hour, "west": time.Hour, "wat": time.Hour,
	"cest": 2 * time.Hour, "mesz": 2 * time.Hour, "eet": 2 * time.Hour, "sast": 2 * time.Hour, "cat": 2 * time.Hour,
	"eest": 3 * time.Hour, "msk": 3 * time.Hour, "мск": 3 * time.Hour, "trt": 3 * time.Hour, "eat": 3 * time.Hour, "idt": 3 * time.Hour,
	"msd": 4 * time.Hour, "gst": 4 * time.Hour, "samt": 4 * time.Hour,
	"irst": 3*time.Hour + 30*time.Minute, "pkt": 5 * time.Hour, "yekt": 5 * time.Hour, "uzt": 5 * time.Hour,
	"ist": 5*time.Hour + 30*time.Minute, "npt": 5*time.Hour + 45*time.Minute, "bdt": 6 * time.Hour, "almt": 6 * time.Hour,
	"ict": 7 * time.Hour, "wib": 7 * time.Hour,
	"hkt": 8 * time.Hour, "sgt": 8 * time.Hour, "pht": 8 * time.Hour, "myt": 8 * time.Hour, "awst": 8 * time.Hour, "wita": 8 * time.Hour,
	"jst": 9 * time.Hour, "kst": 9 * time.Hour, "wit": 9 * time.Hour,
	"acst": 9*time.Hour + 30*time.Minute, "acdt": 10*time.Hour + 30*time.Minute,
	"aest": 10 * time.Hour, "vlat": 10 * time.Hour, "aedt": 11 * time.Hour, "nzst": 12 * time.Hour, "nzdt": 13 * time.Hour,
	"brt": -3 * time.Hour, "art": -3 * time.Hour, "clst": -3 * time.Hour, "ndt": -2*time.Hour - 30*time.Minute,
	"nst": -3*time.Hour - 30*time.Minute, "adt": -3 * time.Hour, "ast": -4 * time.Hour, "clt": -4 * time.Hour,
	"edt": -4 * time.Hour, "est": -5 * time.Hour, "et": -5 * time.Hour, "cot": -5 * time.Hour, "pet": -5 * time.Hour,
	"cdt": -5 * time.Hour, "cst": -6 * time.Hour, "mdt": -6 * time.Hour, "mst": -7 * time.Hour,
	"pdt": -7 * time.Hour, "pst": -8 * time.Hour, "akdt": -8 * time.Hour, "akst": -9 * time.Hour, "hst": -10 * time.Hour, "hast": -10 * time.Hour,
}

// zoneOf is the zone of publishers whose country has one, all year round: where
// a date names none, theirs is the likely one.
var zoneOf = map[string]time.Duration{
	"CN": 8 * time.Hour, "HK": 8 * time.Hour, "MO": 8 * time.Hour, "TW": 8 * time.Hour, "SG": 8 * time.Hour, "MY": 8 * time.Hour,
	"PH": 8 * time.Hour, "JP": 9 * time.Hour, "KR": 9 * time.Hour, "KP": 9 * time.Hour, "VN": 7 * time.Hour, "TH": 7 * time.Hour,
	"RU": 3 * time.Hour, "BY": 3 * time.Hour, "TR": 3 * time.Hour, "IN": 5*time.Hour + 30*time.Minute, "LK": 5*time.Hour + 30*time.Minute,
	"PK": 5 * time.Hour, "AE": 4 * time.Hour, "SA": 3 * time.Hour, "ZA": 2 * time.Hour,
}
