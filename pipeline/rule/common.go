package rule

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"newsmonitor/pipeline/rule/query"
)

// How probable it is that an item has a word. Anchors of the engine and the
// prices of rules go by the same figures.

// odds is how probably an item of 5 KB holds words side by side.
func odds(terms []query.Term) float64 {
	p, solo := 1.0, false
	for i := range terms {
		if i > 0 {
			p *= together
		}
		if !terms[i].Any {
			p *= commonness(&terms[i])
		}
		solo = solo || terms[i].Solo
	}
	if solo {
		p *= unspaced
	}
	return max(p, seldom)
}

// commonness is how many of all items hold a word at least once, roughly: a
// judgement of ours about news of 5 KB, good enough to tell a stop word from a
// name. What is in no list is rare.
func commonness(t *query.Term) float64 {
	table := commonWords()
	if t.Wild {
		head := t.Text[:strings.IndexAny(t.Text, "*?")]
		p := 3 * rare
		from, _ := slices.BinarySearch(table.sorted, head)
		for _, w := range table.sorted[from:] {
			if !strings.HasPrefix(w, head) {
				break
			}
			p = max(p, table.odds[w])
		}
		return p
	}
	if f, ok := table.odds[t.Text]; ok {
		return f
	}
	if t.Solo {
		return rareSolo
	}
	return rare
}

const (
	rare     = 0.001
	rareSolo = 0.05 // one character of a script without spaces
	unspaced = 0.4  // items in such a script; the figures of its characters are of these
	together = 0.3  // two words of a phrase stand side by side, where both are there
	seldom   = 1e-6 // whatever somebody looks for may be there
)

type wordOdds struct {
	odds   map[string]float64
	sorted []string
}

// commonWords are folded words by how many of all items hold them.
var commonWords = sync.OnceValue(func() wordOdds {
	m := map[string]float64{}
	for _, tier := range []struct {
		p     float64
		words string
	}{
		{0.9, `the of and to in a for on is that with as by it was be are from at this have has an not or which its but
			de la le et les des en un une du que dans est pour qui sur par der die und das den von zu mit des im ist auf
			el los las del y se una по и в на не что с как от для за к из`},
		{0.5, `he his they their she her who we our you i been were will would could should can may had more than also said after
			about into over such other new one two first all no when there these those between under most some up out if so
			what while where during through against before both only many any year years time people world country states state
			government international united president minister national`},
		{0.25, `china chinese us u.s american america russia russian europe european union foreign security policy economic trade war
			public countries governments officials official statement report week month day today april may june july march october
			november december january february september august since including however because how well way make made work
			part group support need system law law's political according against including million percent billion must military defence defense
			ministry department office agency council commission committee meeting spokesperson`},
		{0.1, `sanction sanctions iran ukraine israel korea north japan india taiwan germany france britain uk washington beijing moscow
			brussels attack attacks cyber nuclear energy oil gas market companies company business industry technology data
			information media news court justice police case investigation charges rights human health climate agreement talks
			dialogue cooperation relations summit visit call calls weapons forces army defense nato un eu treasury congress senate
			election party leader leaders secretary chief director ambassador embassy condemn condemned response action actions
			measures impose imposed threat threats terrorism terrorist crime criminal network networks internet digital online`},
		{0.6, `的 一 在 是 国 有 和 中 人 大 不 了 上 年 为 这 发 会 行 个 对 以 日 地 们 出 来 要 时 到 业 于 作 方 成 家 全 经 新 进 部 分 生 政 与 工 法 我 现 多 动 同 主 后 下 面`},
		{0.3, `外 交 安 力 民 高 关 长 世 界 本 加 理 自 公 开 前 事 产 合 代 实 体 定 等 得 也 过 就 说 他 问 题 表 示 之 提 重 建 合 美 机 电 度 市 场 通 网 络 信 息 技 术 议 平 而 内 天 道 海 军 委 员 区 化 明 立 回 应 强 保 记 者 言`},
		{0.15, `制 裁 罚 诉 指 控 黑 客 攻 击 战 争 朝 鲜 俄 罗 斯 英 法 德 欧 盟 日 韩 印 台 湾 香 港 北 京 司 院 府 官 对 话 暂 停 恢 复 谴 责 反 措 施 出 口 管 贸 易 企 业 核 武 器 导 弹 情 报`},
	} {
		for _, w := range strings.Fields(tier.words) {
			if _, ok := m[w]; !ok {
				m[w] = tier.p
			}
		}
	}
	return wordOdds{m, slices.Sorted(maps.Keys(m))}
})
