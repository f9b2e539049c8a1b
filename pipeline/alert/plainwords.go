package alert

import "strings"

// Words that every item of the beat has, and so tell nothing about which story
// it is. Two notices of one office share all of them. They are compared as
// word() cuts them, so one form stands for its inflections.
const (
	plainEnglish = `a about above according account accounts accuse accused accuses accusing across act acted acting action actions active activities activity
	actor actors add added adding addition additional additionally address administration advanced advisory affairs after against agencies agency agent agents ago agree agreed agreement
	aimed all alleged allegedly alleges allow allowed allies almost along already also although always am among an analysis analyst analysts and announce announced
	announcement announces announcing another answer any anyone appear appeared are area areas around arrest arrested as ask asked assessed assets associated at attack attacked
	attackers attacking attacks attempt attempted attempts attorney attributed attribution authorities authority available away back backed based basis be became because become been before
	began begin behalf behind being believe believed below best better between beyond blame blamed blames block blocked both breach breached breaches bring broad brought bureau business
	but by call called calling calls campaign campaigns can cannot capabilities capability carried carry case cases cause caused center central centre certain chair chairman change charge charged charges
	charging chief cited citizens civil civilian claim claimed claims clear close collection come comes coming comment commerce commission committed committee communications community companies company
	complaint compliance computer computers concern concerned concerns condemn condemned condemns conduct conducted conference conspiracy constitute consultations contact continue continued continues control controls
	cooperate cooperation could council countries country court covered criminal criminals critical current currently cyber cyberattack cyberattacks cybercrime cybersecurity cyberspace daily damage data
	date day days deal decision defence defend defendant defendants defense department deputy described designate designated designates designation designations despite detail detailed details develop
	developed development dialogue did different diplomacy diplomat diplomatic diplomats director directly discuss discussed discussion discussions district division do does doing domestic done down due during
	each earlier early economic effect effective efforts electronic embassy employed end enforcement engage engaged ensure entire entities entity espionage established even every evidence exchange executive
	executives expel expelled expert experts explain export exports expressed extend facing fact facts false far federal few field file filed final finance financial find findings firm firmly firms first
	five follow followed following follows for force forces foreign form former found foundation four free friday from front full further future general get give given global go going good
	got government governments group groups grow growing guidance had hack hacked hacker hackers hacking hacks had has have having he head headquarters held help helped her here high him his hold home host hosted hour hours
	house how however human identified identify if immediate immediately impact implement important impose imposed imposes imposing improve in incident incidents include included includes including increase increased
	indict indicted indictment indictments individual individuals industry influence information infrastructure institute institutions intelligence intended interest interests interior international internet interview into
	intrusion intrusions investigate investigation investigations investigators involved involvement involving is issue issued issues it its itself job join joined joint jointly journalists judge july june jury just justice
	keep key kind know known large last late later latest launch launched law lawful laws lead leader leaders leading leave led legal less letter level like line link linked links list listed listing local long
	look made main maintain major make makes making malicious malware man manager many march market may me mean means measure measures media meet meeting meetings member members men message met might military
	million minister ministers ministry mission monday month months more morning most move much multiple must my name named names nation national nationals nations near necessary need network networks new news next night no nor norms
	north not note noted nothing notice november now number numbers october of off offensive office officer officers official officials often old on once one online only open operate operated operating
	operation operations operative operatives opinion oppose opposes or order ordered orders organization organizations other others our out over own page parliament part participants partner partners partnership party
	past people per period permanent person personal personnel persons place plan planned plans platform platforms point police policy political position possible post power practice presence present president press previous previously prime
	principle principles prior private privacy process program programme project promote property prosecutor prosecutors protect protected protection provide provided provides providing public publication publicly publish published purpose put question questions
	raise raised ransom ransomware rather reach reached read reason recent recently refer regarding region regional regular regularly reject rejected rejects related relating relations relationship release released relevant remain
	remarks remove reply report reported reportedly reporters reporting reports representative representatives request require required requires research researchers resolution respond responded responding response responsibility responsible restrict restricted
	restrictions result resume resumed resumption results retaliate retaliation retaliatory return review right rights risk role round rule rules said same sanction sanctioned sanctioning sanctions saturday say saying says second secret secretary section sector sectors
	secure security see seek seen senate senior sensitive sent sentence sentenced series serious served server servers service services session set several share shared she should show side sides
	sign signed significant similar since site situation six slam slams so software solemn some source sources south sovereignty speak speaking special specific spokesman spokesperson spokespersons spokeswoman staff stage stand standards
	start started state statement statements states station status steal stealing steps still stole stolen stop strategic strategy strengthen strong strongly subject such suggest summon summoned summons sunday support supported supporting suspect suspected suspects
	suspend suspended suspension system systems take taken takes taking talk talks target targeted targeting targets team technical technology ten territory than that the theft their them then there
	these they thing think third this those thousands threat threaten threatened threats three through thursday time times title to today together told too took top trade transactions treasury
	tuesday two under undermine unit united university unlawful unsealed until up update updated upon urge urged urges us use used user users uses using victim victims view vice violate violated violation violations visit
	want war warn warned warning warns was way we weapons website websites wednesday week weekly weeks well went were west what when where whether which while who whose why wide widely will with within without words work worked working
	world would written year years yesterday yet you your
	january february april august september december jan feb mar apr jun jul aug sep sept oct nov dec mr mrs ms dr inc ltd llc co corp pdf html www http https com gov reuters afp ap xinhua cont photo read more copyright reserved`

	// plainOther are function words and the beat's own words of other
	// languages, five letters and longer: shorter ones are not looked at.
	plainOther = `contre cette dans avec pour leurs leur entre selon aussi depuis plusieurs ministère étrangères porte-parole sanctions autorités gouvernement cyberattaque cyberattaques
	attaque attaques groupe pirates informatiques informatique sécurité nationale national annoncé déclaré accusé accuse mercredi jeudi vendredi samedi dimanche lundi mardi janvier février mars avril
	juillet septembre octobre novembre décembre années après avant toute toutes ainsi cadre conseil union européenne communiqué condamne attribution
	gegen durch einen einer eines diese dieser dieses nicht werden wurde wurden worden haben hatte nach sowie unter zwischen seine ihrer ihren auswärtiges auswärtigen sprecher sprecherin bundesregierung
	außenministerium ministerium regierung sanktionen cyberangriff cyberangriffe angriff angriffe hacker gruppe sicherheit behörden montag dienstag mittwoch donnerstag freitag samstag sonntag januar februar
	märz april august september oktober november dezember erklärte sagte mitteilung verantwortlich
	против после также которые который которая этого этой будет были было более между через перед своих свои словам заявил заявила заявили сообщил сообщила сообщили сообщает сообщило министерство министр иностранных
	представитель официальный санкции санкций кибератака кибератаки кибератак хакеры хакеров атаки атака безопасности национальной правительство власти страны россии россия российских российские понедельник вторник
	среду четверг пятницу субботу воскресенье января февраля марта апреля июня июля августа сентября октября ноября декабря
	contra desde entre sobre también según donde cuando ministerio exteriores gobierno portavoz sanciones ciberataque ciberataques ataque ataques seguridad nacional lunes martes miércoles jueves viernes
	sábado domingo enero febrero marzo mayo junio julio septiembre octubre noviembre diciembre
	サイバー セキュリティ システム ネットワーク グループ ハッカー データ
	anklage anklagen angeklagt angeklagte erhoben mutmaßlich mutmaßliche mutmaßlichen geheimdienst geheimdienstes geheimdienstliche agenten agententätigkeit bundesanwaltschaft generalbundesanwalt
	oberlandesgericht landgericht staatsschutzsenat staatsangehörige staatsangehörigen festnahme festgenommen haftbefehl ermittlungsrichter untersuchungshaft beschuldigte beschuldigten angeschuldigte
	angeschuldigten tatverdacht dringend hinreichend verdächtig verdacht ermittlungen vorwurf unterlagen führungsoffizier`

	// plainHangul are the words of Korean notices and reports, compared as pairs
	// of neighbours within a word.
	plainHangul = `정부 정부는 외교부 외교부는 통일부 국방부 국가정보원 경찰청 검찰 북한 북한의 한국 미국 중국 일본 러시아 이란 한미 한미일 우방국 우방국들과 국제사회 국제사회의 유엔 안보리 결의 제재 독자제재 대상으로 대상 지정 지정하였다 지정한다
	지정했다 지정하기로 결정 결정하였다 결정했다 관련 관련하여 관여한 개인 기관 단체 이번 조치 조치는 관보 게재 게재를 통해 시행 시행된다 시행되며 금융위원회 금융위원회의 한국은행 총재의 사전 허가 없이 이들과 외환거래 금융거래 자산거래 가상자산
	금지 금지된다 금지되며 처벌 위반 앞으로도 긴밀히 공조 공조해 협력 협력하여 나갈 것이다 계획이다 방침이다 밝혔다 발표 발표했다 대변인 성명 논평 규탄 강력히 촉구 촉구한다 사이버 공격 해킹 조직 해커 정보 보안 피해 기소 구속 체포
	혐의 혐의로 수사 재판 판결 선고 대화 회담 협의 개최 재개 중단 북핵 핵 미사일 개발 자금 차단 관련자 등에 대한 대해 위한 위해 따라 따르면 오늘 어제 지난 최근 현재 기자 연합뉴스`

	// weakNames are names that most items have.
	weakNames = `america american americans washington china chinese beijing prc russia russian russians moscow kremlin iran iranian iranians tehran korea korean koreans pyongyang dprk seoul japan japanese tokyo
	britain british uk london england europe european eu brussels nato germany german berlin france french paris ukraine ukrainian kyiv israel israeli taiwan taiwanese taipei india indian canada canadian
	australia australian usa asia asian pacific african africa western eastern fbi cia nsa doj ofac cisa nsd pla gru fsb svr irgc mfa mnd mss treasury pentagon congress house senate white
	state justice homeland secretary interpol europol un nations twitter facebook microsoft google xi trump biden obama putin kim sdn ncsc gchq five eyes apt`

	// plainHan are the beat's Chinese and Japanese phrases, in simplified
	// characters as folding leaves them; every pair of neighbours in them is
	// plain.
	plainHan = `外交部发言人 国防部发言人 例行记者会 主持例行 答记者问 新闻发言人 记者提问 记者问 有记者问 表示 宣布 指出 强调 回答 回应 网络攻击 网络安全 网络空间 网络窃密 网络犯罪 黑客攻击 黑客组织 黑客 攻击
	美国 美方 中国 中方 中美 俄罗斯 朝鲜 韩国 日本 英国 欧盟 北京 华盛顿 国家 政府 美国政府 中国政府 司法部 财政部 商务部 国务院 国务卿 公安部 国家安全 国家安全部 安全部 制裁 实施制裁 单边制裁 非法 起诉 指控 被起诉
	谴责 坚决反对 强烈不满 严正交涉 提出严正交涉 强烈谴责 立即停止 停止 要求 敦促 毫无根据 无端指责 抹黑 污蔑 一贯 立场 一贯立场 我们 他们 有关 相关 关于 对于 进行 开展 通过 发布 公布 报告 报道 消息 据报道
	据悉 新华社 央视 新闻 记者 日电 月日电 今天 昨天 日前 近日 星期 目前 已经 以及 可以 没有 不是 任何 所谓 问题 情况 事件 活动 行动 行为 措施 必要措施 采取 维护 合法权益 利益 安全 国际 国际社会 合作 对话 会谈 会议
	磋商 双方 共同 联合 声明 发表声明 联合声明 公告 通告 个人 实体 机构 组织 企业 公司 技术 信息 数据 系统 互联网 基础设施 关键基础设施 关键 世界 全球 各国 一个 一些 多个 其中 成员 官员 高级官员 部长 外长 总统 主席 先生 女士
	対する 政府は 発表 外務省 攻撃 会見 記者会見 報道官 談話 情報 警察庁 关系 两国 恢复 暂停 中止 工作组 机制 军方 军队 解放军 部队 军官 情报 情报机构 间谍 窃取 商业机密 知识产权 受害者 嫌疑人 法院 检察官 大陪审团 起诉书
	根据 按照 法律 法规 规定 反制 反制措施 国台办 网信办 中央网信办 国家互联网 应急中心 病毒 恶意 软件 漏洞 恶意软件 勒索 勒索软件 支持 背景 国家支持 背后 认为 相信 证据 事实 负责 负责任 承担 责任 影响 严重 重大
	資産凍結 資産凍結等の措置 について 外国為替及び外国貿易法 閣議了解 支払規制 資本取引規制 許可制 対象者 追加 実施 決定 特定団体 関与する者 注意喚起 公表 評価 関連 措置 対策`
)

// plain and weak hold the words above as the sketch sees them; pairs of Han
// characters as two characters.
var plain, weak = plainWords()

func plainWords() (plain, weak map[string]bool) {
	plain, weak = map[string]bool{}, map[string]bool{}
	into := func(set map[string]bool, s string) {
		for _, w := range wordsOf(s, 1<<20) {
			set[w.text] = true
		}
	}
	into(plain, plainEnglish)
	into(plain, plainOther)
	for _, phrase := range strings.Fields(plainHan) {
		into(plain, phrase)
	}
	into(plain, plainHangul)
	into(weak, weakNames)
	return plain, weak
}
