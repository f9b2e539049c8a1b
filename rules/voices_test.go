// Each voice is heard in the languages that it speaks, and not where only its
// subject is spoken of.
package rules_test

import (
	"os"
	"slices"
	"sync"
	"testing"

	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/problem"
	"newsmonitor/pipeline/rule"
)

type heard struct {
	voice   string
	country string // of the outlet
	author  string
	title   string
	summary string
}

var voices = []heard{
	{voice: "zhong-sheng", country: "CN", author: "钟声", title: "霸权行径不得人心"},
	{voice: "zhong-sheng", country: "CN", title: "Zhong Sheng: no winner in a digital cold war"},
	{voice: "guo-jiping", country: "CN", title: "国纪平：大国相处之道"},
	{voice: "guo-jiping", country: "CN", author: "Guo Jiping", title: "How great powers get along"},
	{voice: "ren-zhongping", country: "CN", author: "任仲平", title: "奋斗的足迹"},
	{voice: "peoples-daily-commentator", country: "CN", author: "本报评论员", title: "坚定信心"},
	{voice: "peoples-daily-commentator", country: "GB", title: "Harsh words", summary: "A People's Daily commentator wrote on Friday."},
	{voice: "pla-daily-commentator", country: "CN", title: "钧声：军队有决心"},
	{voice: "pla-daily-commentator", country: "SG", title: "Warning", summary: "A PLA Daily commentator warned Taipei."},
	{voice: "xinhua-commentary", country: "CN", title: "新华国际时评：谁在搅局"},
	{voice: "xinhua-commentary", country: "CN", title: "Xinhua Commentary: who stirs the water"},
	{voice: "qiushi", country: "CN", author: "本刊编辑部", title: "论网络强国"},
	{voice: "global-times-editorial", country: "CN", title: "环球时报社评：别把玩火当游戏"},
	{voice: "global-times-editorial", country: "CN", title: "Global Times editorial: no room for games"},
	{voice: "kcna-commentary", country: "KR", title: "Anger in the North", summary: "A commentary of KCNA spoke of a farce."},
	{voice: "tw-own", country: "TW", title: "國防部發言人說明共軍動態"},
	{voice: "cn-mnd", country: "GB", title: "Beijing rejects report", summary: "China's defence ministry said the claim was false."},
	{voice: "cn-mnd", country: "SG", title: "张晓刚回应涉军提问"},
	{voice: "cn-mnd-own", country: "CN", title: "国防部发言人答记者问"},
	{voice: "cn-mnd-own", country: "CN", title: "Remarks of defense ministry spokesperson"},
	{voice: "cn-cac", country: "CN", title: "国家网信办发布网络安全报告"},
	{voice: "cn-cac", country: "US", title: "Figures", summary: "The Cyberspace Administration of China announced new rules."},
	{voice: "cn-mofcom", country: "CN", title: "商务部新闻发言人就稀土问题答记者问"},
	{voice: "cn-mofcom", country: "GB", title: "Chips", summary: "China's commerce ministry said it would act."},
	{voice: "cn-tao", country: "CN", title: "国台办发言人：坚决反对外部干涉"},
	{voice: "cn-tao", country: "TW", title: "Cross-strait quarrel", summary: "The Taiwan Affairs Office said Taipei was to blame."},
	{voice: "cn-security", country: "CN", title: "国家安全部披露一起间谍案"},
	{voice: "cn-security", country: "GB", title: "Spy case", summary: "China's Ministry of State Security said it had caught a spy."},
	{voice: "cn-mps", country: "CN", title: "公安部公布打击网络犯罪成果"},
	{voice: "cn-mps", country: "TW", title: "Bounty", summary: "Chinese police announced a reward for two officers."},
	{voice: "cn-cert", country: "CN", title: "国家计算机病毒应急处理中心发布调查报告"},
	{voice: "cn-cert", country: "GB", title: "Counter-claim", summary: "CVERC said in a report that the culprit sat in Maryland."},
	{voice: "cn-procuratorate", country: "CN", title: "最高检：依法惩治间谍犯罪", summary: "最高检发言人通报案情。"},
	{voice: "cn-state-council", country: "CN", title: "国新办发布网络空间白皮书"},
	{voice: "cn-npc", country: "CN", title: "全国人大外事委员会发表声明"},
	{voice: "cn-miit", country: "CN", title: "工信部：将加强芯片供应保障", summary: "工信部发言人表示。"},
	{voice: "cn-hk-offices", country: "HK", title: "外交部驻港公署发言人强烈谴责"},
	{voice: "cn-embassy", country: "GB", title: "Row in London", summary: "The Chinese embassy said the story was false."},
	{voice: "cn-embassy", country: "CN", title: "驻英使馆发言人答记者问"},
	{voice: "cn-embassy", country: "DE", title: "Streit in Berlin", summary: "Die chinesische Botschaft teilte mit, der Bericht sei falsch."},
	{voice: "cn-embassy", country: "FR", title: "Querelle à Paris", summary: "L'ambassade de Chine a déclaré que c'était faux."},
	{voice: "cn-mfa", country: "SG", title: "林剑：中方坚决反对"},
	{voice: "cn-mfa", country: "GB", title: "Beijing answers", summary: "Chinese foreign ministry spokeswoman Mao Ning told reporters so."},
	{voice: "cn-mfa-own", country: "CN", title: "外交部发言人就有关问题答记者问"},
	{voice: "cn-mfa-own", country: "CN", title: "Foreign Ministry Spokesperson's Regular Press Conference"},
	{voice: "us-doj", country: "GB", title: "Five charged", summary: "The Justice Department announced charges against five."},
	{voice: "us-doj", country: "CN", title: "五人被起诉", summary: "美国司法部宣布起诉五人。"},
	{voice: "us-doj", country: "JP", title: "5人を起訴", summary: "米司法省は発表した。"},
	{voice: "us-fbi", country: "GB", title: "Hack", summary: "The FBI said it knew the culprit."},
	{voice: "us-treasury", country: "GB", title: "Banks", summary: "OFAC designated two banks."},
	{voice: "us-treasury", country: "CN", title: "两家银行", summary: "美国财政部宣布新措施。"},
	{voice: "us-commerce", country: "GB", title: "Chips", summary: "The Bureau of Industry and Security added ten firms."},
	{voice: "us-commerce", country: "CN", title: "十家企业", summary: "美国商务部宣布新规。"},
	{voice: "us-white-house", country: "GB", title: "WannaCry", summary: "The White House blamed Pyongyang."},
	{voice: "us-white-house", country: "CN", title: "白宫发言人：将作出回应"},
	{voice: "us-white-house", country: "RU", title: "Ответ", summary: "Белый дом заявил, что ответит."},
	{voice: "us-state", country: "GB", title: "Answer", summary: "The State Department said talks may go on."},
	{voice: "us-state", country: "CN", title: "美国国务院发言人：愿意对话"},
	{voice: "us-state", country: "RU", title: "Ответ", summary: "Госдеп заявил о готовности."},
	{voice: "us-defense", country: "GB", title: "Strategy", summary: "The Pentagon announced a new strategy."},
	{voice: "us-defense", country: "CN", title: "五角大楼发言人回应"},
	{voice: "us-cisa-nsa", country: "GB", title: "Routers", summary: "CISA warned of intruders."},
	{voice: "us-odni", country: "GB", title: "Threats", summary: "The Director of National Intelligence said so."},
	{voice: "us-congress", country: "GB", title: "Report", summary: "The House Select Committee said the firm must answer."},
	{voice: "ru-mfa", country: "RU", title: "Брифинг", summary: "Официальный представитель МИД России Захарова заявила."},
	{voice: "ru-mfa", country: "GB", title: "Moscow", summary: "Russia's foreign ministry said it would reply."},
	{voice: "ru-mfa", country: "CN", title: "扎哈罗娃表示俄方将回应"},
	{voice: "ru-kremlin", country: "GB", title: "Moscow", summary: "The Kremlin denied it."},
	{voice: "ru-kremlin", country: "RU", title: "Песков заявил о готовности"},
	{voice: "ru-security", country: "RU", title: "ФСБ сообщила о задержании"},
	{voice: "ru-security", country: "GB", title: "Front", summary: "The Russian defence ministry said so."},
	{voice: "kp-kcna", country: "GB", title: "North Korea", summary: "KCNA said the talks were over."},
	{voice: "kp-kcna", country: "KR", title: "조선중앙통신 담화 발표"},
	{voice: "ir-mfa", country: "GB", title: "Tehran", summary: "Iran's foreign ministry said it had no part in it."},
	{voice: "ir-mfa", country: "CN", title: "伊朗外交部发言人否认指责"},
	{voice: "ua-government", country: "UA", title: "CERT-UA warned of a new group"},
	{voice: "gb-fcdo", country: "GB", title: "Statement", summary: "The Foreign Office said it was Moscow's work."},
	{voice: "gb-fcdo", country: "CN", title: "英国外交部表示关切"},
	{voice: "gb-ncsc", country: "GB", title: "Warning", summary: "GCHQ said the threat was growing."},
	{voice: "gb-government", country: "GB", title: "Downing Street said talks would go on"},
	{voice: "eu-high-representative", country: "EU", title: "Declaration", summary: "The High Representative issued a statement."},
	{voice: "eu-high-representative", country: "CN", title: "欧盟高级代表表示遗憾"},
	{voice: "eu-commission", country: "FR", title: "Bruxelles", summary: "La Commission européenne a annoncé des mesures."},
	{voice: "eu-commission", country: "DE", title: "Brüssel", summary: "Die EU-Kommission teilte mit, sie prüfe Schritte."},
	{voice: "eu-commission", country: "GB", title: "Brussels", summary: "The European Commission said it would look."},
	{voice: "de-government", country: "DE", title: "Berlin", summary: "Die Bundesregierung teilte mit, sie kenne die Täter."},
	{voice: "de-government", country: "GB", title: "Berlin", summary: "The German foreign ministry said so."},
	{voice: "fr-government", country: "FR", title: "Paris", summary: "Le Quai d'Orsay a déclaré sa solidarité."},
	{voice: "fr-government", country: "GB", title: "Paris", summary: "The French foreign ministry said so."},
	{voice: "jp-government", country: "JP", title: "外務報道官談話"},
	{voice: "jp-government", country: "GB", title: "Tokyo", summary: "Japan's foreign ministry said so."},
	{voice: "kr-government", country: "KR", title: "외교부 대변인 발표"},
	{voice: "kr-government", country: "GB", title: "Seoul", summary: "South Korea's foreign ministry said so."},
	{voice: "tw-government", country: "TW", title: "陸委會發言人表示遺憾"},
	{voice: "tw-government", country: "GB", title: "Taipei", summary: "Taiwan's foreign ministry said so."},
	{voice: "tw-own", country: "TW", title: "外交部：嚴正抗議 發言人說明"},
	{voice: "au-government", country: "AU", title: "Canberra", summary: "ASIO said the plot was foiled."},
	{voice: "nl-government", country: "NL", title: "The Hague", summary: "The AIVD said so."},
	{voice: "cz-government", country: "CZ", title: "Prague", summary: "NUKIB warned of the group."},
	{voice: "pl-government", country: "PL", title: "Warsaw", summary: "The Polish foreign ministry announced a step."},
	{voice: "ca-government", country: "CA", title: "Ottawa", summary: "Global Affairs Canada announced measures."},
	{voice: "in-mea", country: "IN", title: "Delhi", summary: "The Ministry of External Affairs said so."},
	{voice: "sg-csa", country: "SG", title: "Attack", summary: "The Cyber Security Agency of Singapore said so."},
	{voice: "il-government", country: "IL", title: "Jerusalem", summary: "Israel's foreign ministry said so."},
	{voice: "un-bodies", country: "UN", title: "Session", summary: "The Security Council adopted a text."},
	{voice: "un-bodies", country: "CN", title: "安理会通过决议"},
	{voice: "nato", country: "GB", title: "Brussels", summary: "The North Atlantic Council condemned the attack."},

	// The other side's organ, and nobody's.
	{voice: "us-commerce", country: "CN", title: "美国商务部公告：新增清单"},
	{voice: "us-state", country: "CN", title: "美国国务院发言人答记者问"},
	{voice: "ru-mfa", country: "CN", title: "俄罗斯外交部发言人：将对等回应", summary: "俄罗斯外交部发言人表示。"},
	{voice: "us-defense", country: "CN", title: "美国国防部发言人答记者问"},
	{voice: "", country: "TW", title: "大陸外交部例行記者會延後"},
	{voice: "", country: "CN", title: "外贸增长超预期"},
	{voice: "", country: "CN", title: "网络治理论文获奖", summary: "作者为大学教师。"},
	{voice: "", country: "GB", title: "Trade grows", summary: "Exports rose again."},
	{voice: "", country: "DE", title: "Ein Abend im Theater"},
}

var loaded = sync.OnceValues(func() (*rule.Set, []problem.Problem) {
	return rule.Load(rule.Dir{Name: "rules", FS: os.DirFS(".")})
})

func load(t *testing.T) *rule.Set {
	t.Helper()
	set, problems := loaded()
	if set == nil {
		t.Fatal(problems)
	}
	return set
}

func TestVoices(t *testing.T) {
	t.Parallel()
	set := load(t)
	tested := map[string]bool{}
	for _, v := range voices {
		it := feed.Item{Title: v.title, Summary: v.summary, Source: feed.Source{Country: v.country, Kind: "media", Tier: "non-authoritative"}}
		if v.author != "" {
			it.Authors = []string{v.author}
		}
		if got := set.Match(it).Voice.ID; got != v.voice {
			t.Errorf("%q %q in %s: voice %q, want %q", v.title, v.summary, v.country, got, v.voice)
		}
		tested[v.voice] = true
	}
	if len(tested)-1 < 30 {
		t.Errorf("%d voices are tested, want at least 30", len(tested)-1)
	}
}

// A bare organ is the publisher's own; names inside other words are none.
func TestStates(t *testing.T) {
	t.Parallel()
	set := load(t)
	for _, x := range []struct {
		country, title string
		with, without  []string
	}{
		{"CN", "国务院印发通知", []string{"CN"}, []string{"US"}},
		{"CN", "美国国务院发表声明", []string{"US"}, nil},
		{"TW", "國防部說明演訓", []string{"TW"}, []string{"CN"}},
		{"CN", "国防部举行例行记者会", []string{"CN"}, []string{"TW"}},
		{"CN", "外交部提醒中国公民", []string{"CN"}, nil},
		{"JP", "外務省が発表", []string{"JP"}, []string{"CN"}},
		{"KR", "Statement of the Foreign Ministry", []string{"KR"}, nil},
		{"GB", "发展中国家期待减债", nil, []string{"CN"}},
		{"GB", "其中美食最受欢迎", nil, []string{"US", "CN"}},
		{"GB", "美容行业迎来新规", nil, []string{"US"}},
		{"GB", "中法院判决公布", nil, []string{"FR"}},
		{"GB", "Latin American leaders meet", nil, []string{"US"}},
		{"GB", "They told us so", nil, []string{"US"}},
		{"GB", "The South China Sea code", nil, []string{"CN"}},
		{"GB", "中美元首会晤", []string{"CN", "US"}, nil},
		{"GB", "美中關係與北韓", []string{"CN", "KP", "US"}, nil},
		{"GB", "川普談關稅", []string{"US"}, nil},
		{"GB", "特朗普谈关税", []string{"US"}, nil},
		{"GB", "对华芯片政策", []string{"CN"}, nil},
		{"GB", "五角大楼与白宫意见不一", []string{"US"}, nil},
		{"GB", "インドネシアの選挙", []string{"ID"}, []string{"IN"}},
		{"GB", "Unit 61398 again", []string{"CN"}, nil},
		{"GB", "Posten und Wien", nil, []string{"CN"}},
	} {
		got := set.Match(feed.Item{Title: x.title, Source: feed.Source{Country: x.country}}).States
		for _, s := range x.with {
			if !slices.Contains(got, s) {
				t.Errorf("%q in %s: states %v, want %s among them", x.title, x.country, got, s)
			}
		}
		for _, s := range x.without {
			if slices.Contains(got, s) {
				t.Errorf("%q in %s: states %v, want no %s", x.title, x.country, got, s)
			}
		}
	}
}
