package alert

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
)

// encode writes the sketch for the header.
func (s *sketch) encode() string {
	b := make([]byte, 0, 144)
	flags := uint8(0)
	if s.short {
		flags |= 1
	}
	if s.bare {
		flags |= 2
	}
	version := uint8(1)
	if !s.old {
		version, flags = sketchVersion, flags|uint8(len(s.words))<<2
	}
	b = append(b, version, flags, s.voice.rank, s.voice.raised, s.voice.country[0], s.voice.country[1])
	b = binary.BigEndian.AppendUint32(b, s.voice.organ)
	b = binary.BigEndian.AppendUint32(b, s.voice.speaker)
	b = append(b, binary.BigEndian.AppendUint64(nil, uint64(s.fetched))[2:]...)
	b = append(b, binary.BigEndian.AppendUint64(nil, s.link)[2:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(s.title))
	b = binary.BigEndian.AppendUint16(b, s.figures)
	b = append(b, s.hashes[:]...)
	if !s.old {
		b = binary.BigEndian.AppendUint16(b, s.acts)
	}
	places := uint64(0)
	for i, w := range s.words {
		x := w.hash<<3 | uint32(w.kind)
		b = append(b, byte(x>>16), byte(x>>8), byte(x))
		places |= uint64(w.place) << (2 * i)
	}
	if !s.old {
		for i := range (len(s.words) + 3) / 4 {
			b = append(b, byte(places>>(8*i)))
		}
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

const sketchHead = 6 + 4 + 4 + 6 + 6 + 4 + 2 + minhashes

var errSketch = errors.New("not a sketch")

// decodeSketch reads what encode wrote.
func decodeSketch(text string) (s sketch, err error) {
	if len(text) > maxSketch {
		return s, errSketch
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) < sketchHead {
		return s, errSketch
	}
	words := (len(b) - sketchHead) / 3
	switch {
	case b[0] == 1 && len(b) == sketchHead+3*words:
		s.old = true
	case b[0] == sketchVersion && len(b) >= sketchHead+2:
		words = int(b[1] >> 2)
		if len(b) != sketchHead+2+3*words+(words+3)/4 {
			return s, errSketch
		}
	default:
		return s, errSketch
	}
	s.short, s.bare = b[1]&1 != 0, b[1]&2 != 0
	s.voice = voiced{rank: b[2], raised: b[3], country: [2]byte(b[4:6]), organ: binary.BigEndian.Uint32(b[6:]), speaker: binary.BigEndian.Uint32(b[10:])}
	s.fetched = int64(binary.BigEndian.Uint64(append([]byte{0, 0}, b[14:20]...)))
	s.link = binary.BigEndian.Uint64(append([]byte{0, 0}, b[20:26]...))
	s.title = uint64(binary.BigEndian.Uint32(b[26:]))
	s.figures = binary.BigEndian.Uint16(b[30:])
	copy(s.hashes[:], b[32:])
	b = b[sketchHead:]
	if !s.old {
		s.acts, b = binary.BigEndian.Uint16(b), b[2:]
	}
	for i := range words {
		x := uint32(b[3*i])<<16 | uint32(b[3*i+1])<<8 | uint32(b[3*i+2])
		w := telling{hash: x >> 3, kind: uint8(x & 7)}
		if !s.old {
			w.place = b[3*words+i/4] >> (2 * (i % 4)) & 3
		}
		s.words = append(s.words, w)
	}
	return s, nil
}
