package alert

import (
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	actVerdict  = 3
	actReply    = 5
	actLookBack = 9
	actIncident = 10
)

// What a title says was done, in words of the beat: one line for each act, in
// the languages of the feeds. A finding, the answer to it and the sanctions
// after it share the event's names, and are three stories.
//
// A word stands for all that begins with it; a phrase of Han, kana or Hangul
// for itself, in simplified characters as folding leaves them.
var acts = actWords(
	// 0: somebody is named as the culprit
	`attribut names naming named identif blame blaming accus culpab imput zugeschrieb beschuldig verantwortlich обвин атрибу возлож culpa atribuye acusa 归因 指认 指控 断定 名指 지목`,
	// 1: charges
	`indict charged charges charging prosecut accus inculp angeklagt anklage inkulp imputa procesa 起诉 公诉 기소`,
	// 2: custody
	`arrest detain extradit custody interpell festgenommen festnahme verhaft арест задерж detiene deteni 逮捕 抓获 拘捕 拘留 落网 체포`,
	// 3: verdict
	`sentenc convict jail prison guilty acquit verurteil приговор осужд prisión condenad 判囚 判处 判刑 有罪 判决 선고`,
	// 4: sanctions and lists
	`sanction designat blacklist freez froze embargo sanktion санкц sancion 制裁 资产冻结 黑名单 实体清单 列入 제재`,
	// 5: an answer
	`reject refut denies deny denial dismiss protest condemn oppos groundless baseless fabricat rebut retort démen rejet récus bestreit zurück отверг опроверг протест rechaz niega desmient 驳斥 谴责 回应 反对 抗议 抹黑 毫无根据 규탄 반발 부인`,
	// 6: diplomats
	`expel expuls ausgewies ausweis высыла выслал persona 驱逐 추방`,
	// 7: talks
	`dialog talks consult negotiat gespräch konsult диалог консульт переговор diálogo 对话 磋商 会谈 谈判 대화 협의`,
	// 8: advice
	`warn advis guidance alert mitigat patch avertiss warnt предупре advierte 警告 预警 提醒 通报 注意喚 경고`,
	// 9: a look back
	`essay lesson lessons learn learned review opinion commentary editorial analysis retrospect anniversary leçon kommentar lehren уроки lecciones 社论 评论 述评 启示 社説 사설`,
	// 10: what happened, when the title tells no act
	`attack hack breach intrusion intruder ransom outage wiped shut cyberangriff piratage sabot взлом атак ataque 攻击 入侵 窃密 勒索 障害 침해 해킹`,
)

type act struct {
	begins []string
	holds  []string
}

func actWords(lines ...string) (out []act) {
	for _, l := range lines {
		var a act
		for _, w := range strings.Fields(l) {
			if cut := wordsOf(w, 8); cut[0].pair {
				a.holds = append(a.holds, spelled(cut))
			} else {
				a.begins = append(a.begins, " "+cut[0].text)
			}
		}
		out = append(out, a)
	}
	return out
}

// actsOf says what a title tells, a bit for each of acts.
func actsOf(title []sketched) (mask uint16) {
	all := spelled(title)
	in := func(w string) bool { return strings.Contains(all, w) }
	for i, a := range acts {
		if slices.ContainsFunc(a.begins, in) || slices.ContainsFunc(a.holds, in) {
			mask |= 1 << i
		}
	}
	if mask&^(1<<actIncident) != 0 {
		mask &^= 1 << actIncident // what the act is about
	}
	return mask
}

// spelled writes words one after the other again, pairs as the run of
// characters that they are from.
func spelled(words []sketched) string {
	var b strings.Builder
	var last rune
	for _, w := range words {
		first, n := utf8.DecodeRuneInString(w.text)
		switch {
		case w.pair && first == last:
			b.WriteString(w.text[n:])
		default:
			b.WriteString(" " + w.text)
		}
		last = 0
		if w.pair {
			last, _ = utf8.DecodeLastRuneInString(w.text)
		}
	}
	return b.String()
}

// otherAct says whether two titles tell of different acts. An answer names what
// it answers.
func otherAct(a, b uint16) bool {
	return a != 0 && b != 0 && (a&b == 0 || (a^b)&(1<<actReply) != 0)
}

// ownAct says whether one title tells of what only comes after an event, and
// the other of nothing.
func ownAct(a, b uint16) bool {
	const after = 1<<actVerdict | 1<<actReply | 1<<actLookBack
	return a&^(1<<actIncident) == 0 && b&after != 0 || b&^(1<<actIncident) == 0 && a&after != 0
}
