package text

import "testing"

func TestLanguage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, declared, want string }{
		{"外交部发言人就制裁答记者问", "en-US", "zh"},
		{"外交部發言人就制裁答記者問", "zh-TW", "zh-TW"},
		{"外務省の報道官は会見で述べた", "", "ja"},
		{"外交部发言人提到了日本的サイバー防卫政策，并就此阐明立场，要求对方作出解释", "", "zh"},
		{"한국 외교부는 제재를 발표했다", "en", "ko"},
		{"МИД России заявил о санкциях", "en", "ru"},
		{"МЗС України заявило про санкції", "", "uk"},
		{"Санкции", "uk", "uk"},
		{"وزارت خارجه گفت", "", "fa"},
		{"The minister said that the talks are over", "", "en"},
		{"The minister said that the talks are over", "fr", "fr"},
		{"The minister said that the talks are over", "zh-CN", "en"},
		{"Der Minister und die Kanzlerin haben mit dem Botschafter gesprochen", "", "de"},
		{"Le ministre a dit que les sanctions sont dans le paquet", "zh", "fr"},
		{"Sanctions", "", ""},
		{"Sanctions", "en-GB", "en-GB"},
		{"12 34", "de", "de"},
		{"12 34", "evil\nheader", ""},
		{"Sanctions", "<script>", ""},
		{"Ministerul a anunțat", "ro", "ro"},
		{"", "", ""},
	} {
		if got := Language(c.in, c.declared); got != c.want {
			t.Errorf("Language(%q, %q) = %q, want %q", c.in, c.declared, got, c.want)
		}
	}
}
