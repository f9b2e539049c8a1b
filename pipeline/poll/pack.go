package poll

import (
	"encoding/binary"
	"encoding/hex"
)

// packed is State.Items as bytes: between polls the items of a feed are only
// kept, and as maps of strings those of 100,000 feeds would take gigabytes.
// The form lives in memory only and may change at will: number of items,
// number of listed ones, then each item.
type packed []byte

func pack(items map[string]Known) packed {
	if items == nil {
		return nil
	}
	b := make([]byte, 0, 8+64*len(items))
	b = binary.AppendUvarint(b, uint64(len(items)))
	b = binary.AppendUvarint(b, uint64(listed(items)))
	for key, k := range items {
		for _, s := range []string{key, k.GUID, k.Link, k.Title} {
			b = appendText(b, s)
		}
		b = binary.AppendUvarint(b, k.Sequence)
		b = binary.AppendUvarint(b, uint64(k.Missed))
		b = binary.AppendUvarint(b, uint64(len(k.Revisions)))
		for _, r := range k.Revisions {
			b = appendText(b, r)
		}
	}
	return append(make(packed, 0, len(b)), b...)
}

func (p packed) unpack() map[string]Known {
	if p == nil {
		return nil
	}
	b := []byte(p)
	n := number(&b)
	number(&b) // listed
	items := make(map[string]Known, n)
	for range n {
		key := text(&b)
		k := Known{GUID: text(&b), Link: text(&b), Title: text(&b), Sequence: number(&b), Missed: int(number(&b))}
		if revisions := number(&b); revisions > 0 {
			k.Revisions = make([]string, revisions)
			for i := range k.Revisions {
				k.Revisions[i] = text(&b)
			}
		}
		items[key] = k
	}
	return items
}

// listed is how many items the last document had, without unpacking.
func (p packed) listed() int {
	if p == nil {
		return 0
	}
	b := []byte(p)
	number(&b)
	return int(number(&b))
}

// appendText writes the length and the bytes; hashes, in hex nearly always,
// take half.
func appendText(b []byte, s string) []byte {
	if raw, err := hex.DecodeString(s); err == nil && hex.EncodeToString(raw) == s {
		b = binary.AppendUvarint(b, uint64(len(raw))<<1|1)
		return append(b, raw...)
	}
	b = binary.AppendUvarint(b, uint64(len(s))<<1)
	return append(b, s...)
}

func text(b *[]byte) string {
	n := number(b)
	raw := (*b)[:n>>1]
	*b = (*b)[n>>1:]
	if n&1 == 1 {
		return hex.EncodeToString(raw)
	}
	return string(raw)
}

func number(b *[]byte) uint64 {
	v, n := binary.Uvarint(*b)
	*b = (*b)[n:]
	return v
}
