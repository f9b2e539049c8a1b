package rules_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"go.yaml.in/yaml/v4"

	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/rule"
)

// channels are those that a title raises.
func channels(set *rule.Set, it feed.Item) []string {
	var out []string
	for _, h := range set.Match(it).Channels {
		out = append(out, h.Channel)
	}
	return out
}

// TestTraps: what a plain list of keywords gets wrong, in both directions: the
// turns of phrase that it misses, the words of Taiwan and Hong Kong, and the
// false friends that drown a desk.
func TestTraps(t *testing.T) {
	t.Parallel()
	set := load(t)
	for _, x := range []struct{ channel, title, summary, country string }{
		// phrases that name the deed otherwise
		{channel: "attribution", title: "Seoul pointed the finger at Pyongyang over the bank hack"},
		{channel: "sanctions", title: "Shipping agent added to the SDN list"},
		{channel: "dialogue-suspension", title: "Cyber talks between Delhi and Ottawa put on ice"},
		{channel: "indictment", title: "检察机关对涉间谍案男子立案起诉"},
		{channel: "attribution", title: "报告溯源：网络攻击来自美国情报机构"},
		{channel: "denial", title: "中方就美方对台军售提出严正交涉"},
		{channel: "dialogue-resumption", title: "中日重启对话"},
		// one word on either side of the strait and of the border
		{channel: "attribution", title: "英国称网络攻击系俄罗斯所为"},
		{channel: "attribution", title: "英國稱網路攻擊系俄羅斯所為"},
		{channel: "indictment", title: "美检方起诉两名黑客"},
		{channel: "indictment", title: "美檢方起訴兩名駭客"},
		{channel: "norms", title: "联合国讨论网络安全与负责任国家行为"},
		{channel: "attribution", title: "資安業者：駭客攻擊背後是北韓"},
		{channel: "sanctions", title: "美国收紧对华芯片出口管制"},
		{channel: "sanctions", title: "美國收緊對中晶片出口管制"},
		{channel: "sanctions", title: "日本追加制裁朝鲜"},
		{channel: "sanctions", title: "日本追加制裁北韓"},
		{channel: "sanctions", title: "特朗普宣布解除对叙利亚制裁"},
		{channel: "sanctions", title: "川普宣布解除對敘利亞制裁"},
		{channel: "norms", title: "开放式工作组讨论信息安全国际规则"},
		{channel: "norms", title: "開放式工作組討論資訊安全國際規則", summary: "各國談網路空間的國際法。"},
		// states by their short names
		{channel: "denial", title: "中方坚决反对美方做法"},
		{channel: "dialogue-resumption", title: "中美重启网络工作组"},
		{channel: "dialogue-resumption", title: "美中恢復軍事熱線"},
		{channel: "sanctions", title: "白宫宣布扩大对华制裁"},
		{channel: "militarization", title: "五角大楼发布网络战战略"},
		// false friends
		{title: "The new tram charges its batteries while charging stations sprout"},
		{title: "Regatta becomes a sanctioned event"},
		{title: "Heat wave: attribution study blames warming"},
		{title: "Lunchtime talks on poetry resume at the seminar"},
		{title: "Coach: our defence was an indictment of the system"},
		{title: "Panel to resume talks on stadium naming rights"},
		{title: "Charges for late books dropped"},
		{title: "Denied boarding: what passengers get"},
		{title: "发展中国家制裁贫困的努力"},
		{title: "华为发布新手机"},
		{title: "美容行业重启对话直播"},
		{title: "违法者受到法律制裁"},
		{title: "食品溯源系统上线"},
		{title: "法院对民事起诉作出判决"},
		{title: "球员停赛三场 暂停训练"},
		{title: "对话院士：科学之美"},
	} {
		got := channels(set, feed.Item{Title: x.title, Summary: x.summary, Source: feed.Source{Country: x.country}})
		switch {
		case x.channel == "" && len(got) > 0:
			t.Errorf("%q raises %q, want nothing", x.title, got)
		case x.channel != "" && !slices.Contains(got, x.channel):
			t.Errorf("%q raises %q, want %s among them", x.title, got, x.channel)
		}
	}
}

// TestFormulae: the evidence of a protest names the rung of the scale.
func TestFormulae(t *testing.T) {
	t.Parallel()
	set := load(t)
	for _, x := range []struct{ list, title, summary string }{
		{"formula-3-opposed", "外交部：坚决反对美方干涉内政", ""},
		{"formula-3-opposed", "China firmly opposes American interference", "The spokesperson called it groundless."},
		{"formula-4-representations", "中方向日方提出严正交涉", ""},
		{"formula-4-representations", "China makes solemn representations to Japan", ""},
		{"formula-5-strong-protest", "外交部提出强烈抗议", "中方向日方提出强烈抗议。"},
		{"formula-5-strong-protest", "Beijing lodges strong protest with Tokyo", ""},
		{"summons", "外交部召见日本大使", ""},
		{"formula-1-concern", "中方召见日本大使，表示关切", ""},
		{"formula-2-grave-concern", "中方向日方提出严正交涉，表示严重关切", ""},
		{"formula-6-will-respond", "中方提出严正交涉，必将作出反应，后果自负", "中方对日方提出强烈抗议。"},
		{"formula-7-countermeasures", "中方提出严正交涉：将采取反制措施", "中方对日方提出强烈抗议。"},
	} {
		var lists []string
		for _, h := range set.Match(feed.Item{Title: x.title, Summary: x.summary, Source: feed.Source{Country: "CN", Tier: "authoritative"}}).Channels {
			for _, r := range h.Rules {
				for _, e := range r.Evidence {
					lists = append(lists, e.List)
				}
			}
		}
		if !slices.Contains(lists, x.list) {
			t.Errorf("%q shows the lists %q in its evidence, want %s among them", x.title, lists, x.list)
		}
	}
}

// TestSeverities: one event of each main channel told by the state that acts, by
// a wire service, by a commentator, and in an essay that recalls it.
func TestSeverities(t *testing.T) {
	t.Parallel()
	set := load(t)
	release := feed.Source{Kind: "ministry", Tier: "authoritative", Country: "US"}
	wire := feed.Source{Kind: "media", Tier: "non-authoritative", Country: "GB"}
	comment := feed.Source{Kind: "think-tank", Tier: "non-authoritative", Country: "DE"}
	for channel, told := range map[string][4]feed.Item{
		"indictment": {
			{Title: "Two Russian intelligence officers indicted for hacking a dam", Summary: "A grand jury in Maine returned the indictment."},
			{Title: "US indicts two Russian intelligence officers over hacking of dam"},
			{Title: "Why indict Russian hackers whom no court will see?"},
			{Title: "Rivers and power", Content: "That winter two Russian officers were indicted for hacking a dam."},
		},
		"attribution": {
			{Title: "United States attributes cyber attack on dam to Russia's GRU"},
			{Title: "US blames Russia's GRU for cyber attack on dam"},
			{Title: "How sure can one be when blaming Russia for a cyber attack?"},
			{Title: "Rivers and power", Content: "Washington blamed Russia for the cyber attack on the dam."},
		},
		"sanctions": {
			{Title: "Treasury sanctions three Russian banks"},
			{Title: "US imposes sanctions on three Russian banks"},
			{Title: "Why sanctions on Russian banks leak"},
			{Title: "Rivers and power", Content: "Two years before, Washington had imposed sanctions on Russian banks."},
		},
		"dialogue-resumption": {
			{Title: "United States and Russia resume dialogue on cyber security"},
			{Title: "US and Russia resume cyber dialogue after three years"},
			{Title: "What to expect as US and Russia resume their cyber dialogue"},
			{Title: "Rivers and power", Content: "In the end Washington and Moscow resumed the cyber dialogue."},
		},
	} {
		for i, want := range []rule.Severity{rule.Critical, rule.High, rule.Medium, rule.Low} {
			it := told[i]
			it.Source = []feed.Source{release, wire, comment, comment}[i]
			res := set.Match(it)
			j := slices.IndexFunc(res.Channels, func(h rule.Hit) bool { return h.Channel == channel })
			if j < 0 {
				t.Errorf("%q does not raise %s", it.Title+it.Content, channel)
			} else if got := res.Channels[j].Severity; got != want {
				t.Errorf("%q raises %s %s, want %s", it.Title+it.Content, channel, got, want)
			}
		}
	}
}

// TestNamedRules: what the first five documents are about has rules of its own,
// each with tests in English and in Chinese, fired and not.
func TestNamedRules(t *testing.T) {
	t.Parallel()
	names := []string{"procurement-ban", "summons", "rebuttal-no-evidence", "rebuttal-double-standard", "working-group-formed",
		"working-group-suspended", "track-1-5-routine", "state-sponsor-listing", "first-step-threatened", "statistics"}
	files, err := filepath.Glob("*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]map[string]int{} // rule, kind of test: how many
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var file struct {
			Rules []struct {
				ID    string
				Tests []struct {
					Fires bool
					Title string
				}
			}
		}
		if err := yaml.Unmarshal(b, &file); err != nil {
			continue // voices are a list
		}
		for _, r := range file.Rules {
			have[r.ID] = map[string]int{}
			for _, x := range r.Tests {
				script := "English"
				if strings.ContainsFunc(x.Title, func(c rune) bool { return unicode.Is(unicode.Han, c) }) {
					script = "Chinese"
				}
				if x.Fires {
					script += ", fired"
				}
				have[r.ID][script]++
			}
		}
	}
	for _, id := range names {
		for _, kind := range []string{"English, fired", "Chinese, fired", "English", "Chinese"} {
			if have[id][kind] == 0 {
				t.Errorf("rule %s has no test of the kind %q", id, kind)
			}
		}
	}
	for id, tests := range have {
		if fired := tests["English, fired"] + tests["Chinese, fired"]; fired < 3 || tests["English"]+tests["Chinese"] < 3 {
			t.Errorf("rule %s has %v, want three and more that fire, and as many that do not", id, tests)
		}
	}
}
