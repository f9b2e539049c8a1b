package feed

import (
	"testing"
	"time"
)

func TestDates(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want, quality string }{
		{"Mon, 27 Jul 2026 15:30:00 +0000", "2026-07-27T15:30:00Z", declared},
		{"Mon, 27 Jul 2026 15:30:00 GMT", "2026-07-27T15:30:00Z", declared},
		{"Mon, 27 Jul 2026 15:30 EST", "2026-07-27T20:30:00Z", declared},
		{"Mon, 27 Jul 2026 15:30:00 EDT", "2026-07-27T19:30:00Z", declared},
		{"Mon, 27 Jul 2026 15:30:00 CDT", "2026-07-27T20:30:00Z", declared},
		{"Mon, 27 Jul 2026 15:30:00 MSK", "2026-07-27T12:30:00Z", declared},
		{"Mon, 27 Jul 2026 15:30:00 JST", "2026-07-27T06:30:00Z", declared},
		{"Mon, 27 Jul 2026 15:30:00 KST", "2026-07-27T06:30:00Z", declared},
		{"Mon, 27 Jul 2026 15:30:00 HKT", "2026-07-27T07:30:00Z", declared},
		{"Mon, 27 Jul 2026 15:30:00 QQQ", "2026-07-27T15:30:00Z", inferred},
		{"Mon, 27 Jul 2026 15:30:00 Z", "2026-07-27T15:30:00Z", declared},
		{"27 Jul 26 15:30 +0200", "2026-07-27T13:30:00Z", declared},
		{"Monday, July 27, 2026 - 15:30", "2026-07-27T15:30:00Z", inferred},
		{"July 27, 2026, 3:30 pm EDT", "2026-07-27T19:30:00Z", declared},
		{"July 27, 2026 12:05 a.m. EDT", "2026-07-27T04:05:00Z", declared},
		{"31 Jul, 2026 +0530", "2026-07-31T00:00:00Z", inferred},
		{"2020/1/10 14:33:00", "2020-01-10T14:33:00Z", inferred},
		{"Thu,28 Jul 2022 4:35:5 GMT+9", "2022-07-27T19:35:05Z", declared},
		{"Seg, 24 Set 2018 19:42:40 -0300", "2018-09-24T22:42:40Z", declared},
		{"Mar, 24 Set 2018 19:42:40 -0300", "2018-09-24T22:42:40Z", declared},
		{"2026-07-27T15:30:00.123+02:00", "2026-07-27T13:30:00.123Z", declared},
		{"2026-07-27T15:30:00.123", "2026-07-27T15:30:00.123Z", inferred},
		{"2026-07-27T15:30Z", "2026-07-27T15:30:00Z", declared},
		{"2026-07-27T15:30+0900", "2026-07-27T06:30:00Z", declared},
		{"2026-07-27 15:30:00 UTC", "2026-07-27T15:30:00Z", declared},
		{"2026-07-27", "2026-07-27T00:00:00Z", inferred},
		{"2026-07", "2026-07-01T00:00:00Z", inferred},
		{"20260727153000", "2026-07-27T15:30:00Z", inferred},
		{"1785166200", "2026-07-27T15:30:00Z", declared},
		{"1785166200123", "2026-07-27T15:30:00.123Z", declared},
		{"27. Juli 2026 15:30 Uhr MESZ", "2026-07-27T13:30:00Z", declared},
		{"27 März 2026", "2026-03-27T00:00:00Z", inferred},
		{"27 juillet 2026 15:30", "2026-07-27T15:30:00Z", inferred},
		{"lun., 27 juil. 2026 15:30:00 +0200", "2026-07-27T13:30:00Z", declared},
		{"27 de julio de 2026", "2026-07-27T00:00:00Z", inferred},
		{"27 июля 2026 15:30 МСК", "2026-07-27T12:30:00Z", declared},
		{"2026年7月27日 15:30", "2026-07-27T15:30:00Z", inferred},
		{"2026年7月27日下午3时30分", "2026-07-27T15:30:00Z", inferred},
		{"2026년 7월 27일 오후 3:30", "2026-07-27T06:30:00Z", inferred},
		{"27.07.2026 15:30", "2026-07-27T15:30:00Z", inferred},
		{"27/07/2026", "2026-07-27T00:00:00Z", inferred},
		{"02/11/2026 10:00 GMT", "2026-11-02T10:00:00Z", inferred},
		{"Mon, 27 Jul 2026 24:00:00 +0000", "2026-07-28T00:00:00Z", declared},
		{"Mon, 27 Jul 2026 15:30:60 +0000", "2026-07-27T15:30:59Z", declared},
		{"1970-01-01T00:00:00Z", "", missing},
		{"0", "", missing},
		{"Thu, 01 Jan 1970 00:00:00 GMT", "", missing},
		{"9999-12-31T23:59:59Z", "", missing},
		{"31 Jun 2026", "", missing},
		{"Invalid date", "", missing},
		{"yesterday", "", missing},
		{"3 days ago", "", missing},
		{"", "", missing},
	} {
		d := dater{}
		got, q := d.read(c.in)
		s := ""
		if !got.IsZero() {
			s = got.Format(time.RFC3339Nano)
		}
		if s != c.want || q != c.quality {
			t.Errorf("read(%q) = %q, %s; want %q, %s", c.in, s, q, c.want, c.quality)
		}
	}
}

func TestDatesOfDocument(t *testing.T) {
	t.Parallel()
	drafts := []draft{{published: []string{"02/11/2026"}}, {published: []string{"02/27/2026"}}}
	d := dater{}
	d.learn(drafts)
	if got, _, _ := d.of(&drafts[0]); got.Format(time.DateOnly) != "2026-02-11" {
		t.Errorf("02/11/2026 beside 02/27/2026 = %v", got)
	}
	d = dater{layout: "02.01.06, 15h04"}
	if got, q := d.read("03.04.26, 15h30"); got.Format(time.RFC3339) != "2026-04-03T15:30:00Z" || q != declared {
		t.Errorf("with a layout: %v, %s", got, q)
	}
	d = dater{country: "CN"}
	if got, q := d.read("2026-07-27 15:30:00"); got.Format(time.RFC3339) != "2026-07-27T07:30:00Z" || q != inferred {
		t.Errorf("in China: %v, %s", got, q)
	}
	if got, _ := d.read("Mon, 27 Jul 2026 15:30:00 CST"); got.Format(time.RFC3339) != "2026-07-27T07:30:00Z" {
		t.Errorf("CST in China: %v", got)
	}
	// Updated alone dates an entry, as a guess; beside an unreadable date it does not.
	p, u, q := d.of(&draft{published: []string{""}, updated: []string{"2026-07-27T15:30:00Z"}})
	if p.IsZero() || !p.Equal(u) || q != inferred {
		t.Errorf("updated only: %v %v %s", p, u, q)
	}
	if p, _, q := d.of(&draft{published: []string{"soon"}, updated: []string{"2026-07-27T15:30:00Z"}}); !p.IsZero() || q != missing {
		t.Errorf("unreadable: %v %s", p, q)
	}
}
