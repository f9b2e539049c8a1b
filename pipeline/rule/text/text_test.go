package text

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

func words(s string) string {
	var w []string
	for _, t := range Tokenise(s) {
		w = append(w, t.Text)
	}
	return strings.Join(w, " ")
}

func TestTokenise(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{"Sanctions on Iran", "sanctions on iran"},
		{"U.S. and us, U.S.A.; a.m.", "us and us usa am"},
		{"the U.S.-led talks", "the us led talks"},
		{"Ph.D. students", "ph d students"},
		{"www.example.org/a_b", "www example org a b"},
		{"COVID-19 and/or F-35", "covid 19 and or f 35"},
		{"3.5 percent of 1,000,000.", "3.5 percent of 1000000"},
		{"in 2014, 15 people; 1,2345", "in 2014 15 people 1 2345"},
		{"the ministry's and the ministers' China’s", "the ministry and the ministers china"},
		{"l'Europe d’Ukraine qu'il dell'Unione", "l europe d ukraine qu il dell unione"},
		{"don't O'Brien зв'язок", "dont obrien звязок"},
		{"Straße STRASSE straße", "strasse strasse strasse"},
		{"Ёлка ёлка йод Йод", "елка елка йод йод"},
		{"İstanbul ıstanbul Istanbul ISTANBUL", "istanbul istanbul istanbul istanbul"},
		{"Việt Nam, Đà Nẵng, Ærø, Łódź", "viet nam da nang aero lodz"},
		{"ﬁnance Ｕ．Ｓ Ⅳ", "finance u s iv"},
		{"Αθήνα ΑΘΗΝΑΣ αθήνας", "αθηνα αθηνασ αθηνασ"},
		{"發展中國家", "发 展 中 国 家"},
		{"制裁APT28組織", "制 裁 apt28 组 织"},
		{"インドネシアとインド", "インドネシア と インド"},
		{"ｻｲﾊﾞｰ攻撃", "サイバー 攻 撃"},
		{"한국은 제재", "한 국 은 제 재"},
		{"กขค", "ก ข ค"},
		{"مُحَمَّد أحمد", "محمد احمد"},
		{"می\u200cشود ۱۲۳", "ميشود 123"},
		{"san\u00adctions a\u200bb \u202eevil", "sanctions ab evil"},
		{"हिन्दी", "हिन्दी"},
		{"\xff\xfea\xc3", "a"},
		{"\u0301\u0301", ""},
		{"", ""},
		{"𝐒𝐚𝐧𝐜𝐭𝐢𝐨𝐧𝐬", "sanctions"},
	} {
		if got := words(c.in); got != c.want {
			t.Errorf("Tokenise(%q) = %q, want %q", c.in, got, c.want)
		}
		for form, f := range map[string]norm.Form{"NFC": norm.NFC, "NFD": norm.NFD} {
			if in := f.String(c.in); utf8.ValidString(in) && words(in) != c.want {
				t.Errorf("Tokenise(%s(%q)) = %q, want %q", form, c.in, words(in), c.want)
			}
		}
	}
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	in := "The U.S. Treasury acted. Mr. Smith left!\n中国。美国 и"
	var got []string
	for _, k := range Tokenise(in) {
		got = append(got, in[k.Start:k.End]+"@"+string(rune('0'+k.Sentence))+string(rune('0'+k.Paragraph)))
	}
	want := "The@00 U.S.@00 Treasury@00 acted@00 Mr@10 Smith@10 left@10 中@21 国@21 美@31 国@31 и@31"
	if s := strings.Join(got, " "); s != want {
		t.Errorf("places:\n%s, want\n%s", s, want)
	}
	k := Tokenise("a 中国 b")
	if k[1].Unit != 2 || k[2].Unit != 3 || k[3].Unit != 4 {
		t.Errorf("ruler: %+v", k)
	}
}

func TestSentences(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   string
		want int
	}{
		{"One. Two. Three.", 3},
		{"He met J. Smith of the U.S. Treasury. Fine.", 2},
		{"He left the U.S. The minister stayed.", 2},
		{"Rose by 3.5 percent. Then fell.", 2},
		{"(It ended.) \"So.\" Next", 3},
		{"No. 5 of Jan. 3", 1},
		{"一。二！三？", 3},
		{"What?! Yes...", 2},
		{"e.g. this", 1},
	} {
		k := Tokenise(c.in)
		if got := k[len(k)-1].Sentence + 1; got != c.want {
			t.Errorf("%q has %d sentences, want %d", c.in, got, c.want)
		}
	}
}

// TestFoldTwice holds every character against the promises of Fold.
func TestFoldTwice(t *testing.T) {
	t.Parallel()
	bad := 0
	for r := rune(0); r <= unicode.MaxRune && bad < 20; r++ {
		if !utf8.ValidRune(r) {
			continue
		}
		s := string(r)
		f := Fold(s)
		if Fold(f) != f {
			t.Errorf("%U: Fold = %+q, again = %+q", r, f, Fold(f))
			bad++
		}
		// Archaic letters may come apart; those that a feed holds may not.
		if d := norm.NFD.String(s); Fold(d) != f && ClassOf(r) != Other {
			t.Errorf("%U %s: Fold = %+q, of its NFD = %+q", r, s, f, Fold(d))
			bad++
		}
		if d := norm.NFC.String(s); Fold(d) != f && ClassOf(r) != Other {
			t.Errorf("%U %s: Fold = %+q, of its NFC = %+q", r, s, f, Fold(d))
			bad++
		}
	}
}

func TestCased(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"U.S.": "US", "us": "us", "Straße": "Strasse", "Élysée": "Elysee", "ＵＳ": "US", "3.5": "3.5", "WHO*": "WHO*"} {
		if got := Cased(in); got != want {
			t.Errorf("Cased(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzTokenise(f *testing.F) {
	for _, s := range []string{"U.S. l'Europe 1,000", "中国，한국은 ガ", "a\u0301\u200b\xff", "..a.b.c..", "’s 's"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		end, unit, sentence, paragraph := 0, 0, 0, 0
		for _, k := range Tokenise(s) {
			if k.Start < end || k.End <= k.Start || k.End > len(s) || k.Unit < unit || k.Sentence < sentence || k.Paragraph < paragraph {
				t.Fatalf("%q: token out of order: %+v", s, k)
			}
			if k.Text == "" || len(k.Text) > MaxToken || !utf8.ValidString(k.Text) {
				t.Fatalf("%q: token %q", s, k.Text)
			}
			// What is shown as evidence is the word that was found.
			if again := Tokenise(s[k.Start:k.End]); len(again) != 1 || again[0].Text != k.Text {
				t.Fatalf("%q: %q is %v by itself, %q in its place", s, s[k.Start:k.End], again, k.Text)
			}
			end, unit, sentence, paragraph = k.End, k.Unit+k.Width, k.Sentence, k.Paragraph
		}
		Pattern(s)
		Fold(s)
		Cased(s)
	})
}

func BenchmarkTokenise(b *testing.B) {
	for name, s := range map[string]string{
		"en": strings.Repeat("The Treasury imposed sanctions on U.S. rivals, officials said. ", 80)[:5000],
		"zh": strings.Repeat("外交部发言人就制裁问题答记者问。", 110)[:5000-5000%3],
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(s)))
			b.ReportAllocs()
			for b.Loop() {
				Tokenise(s)
			}
		})
	}
}
