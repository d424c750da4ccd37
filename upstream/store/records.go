package store

import (
	"encoding/binary"
	"iter"
)

const (
	// segmentSize is in bytes.
	segmentSize = 64 << 10
	// headerSize is of what stands before each record: its owner and its length.
	headerSize = 8
	// maxPacked bounds the records that are packed, in bytes: larger ones would leave much
	// of a segment empty.
	maxPacked = 4 << 10
)

// place is where a record is.
type place struct{ segment, offset, length uint32 }

// records packs texts into segments, as a log: each is appended to the last segment, and
// what is removed stays there, dead, until its segment is. The collector looks into none
// of them. Nothing is written over: who has got a text may read it without the owner's mutex.
type records struct {
	segments []segment
	free     []uint32 // the numbers of segments that are no more
	last     uint32   // the segment that is appended to
	// live and held are in bytes, headers included: of the records that are there, and of
	// all that the segments have.
	live, held int
}

type segment struct {
	texts []byte
	live  int
}

func (r *records) add(owner number, text string) place {
	s, at := r.begin(owner, len(text))
	s.texts = append(s.texts, text...)
	return at
}

// begin gives the segment to append a record of so many bytes to, where its header is by now.
func (r *records) begin(owner number, length int) (*segment, place) {
	size := headerSize + length
	if len(r.segments) == 0 || len(r.segments[r.last].texts)+size > segmentSize {
		r.beginSegment()
	}
	s := &r.segments[r.last]
	s.texts = binary.LittleEndian.AppendUint32(s.texts, uint32(owner))
	s.texts = binary.LittleEndian.AppendUint32(s.texts, uint32(length))
	s.live, r.live, r.held = s.live+size, r.live+size, r.held+size
	return s, place{r.last, uint32(len(s.texts)), uint32(length)}
}

func (r *records) beginSegment() {
	full := r.last
	if n := len(r.free); n > 0 {
		r.last, r.free = r.free[n-1], r.free[:n-1]
	} else {
		r.last = uint32(len(r.segments))
		r.segments = append(r.segments, segment{})
	}
	r.segments[r.last].texts = make([]byte, 0, segmentSize)
	if r.segments[full].live == 0 && full != r.last {
		r.drop(full)
	}
}

func (r *records) drop(segment uint32) {
	r.held -= len(r.segments[segment].texts)
	r.segments[segment].texts = nil
	r.free = append(r.free, segment)
}

// at is the text, which is not to be changed.
func (r *records) at(p place) []byte {
	return r.segments[p.segment].texts[p.offset:][:p.length:p.length]
}

func (r *records) remove(p place) {
	size := headerSize + int(p.length)
	s := &r.segments[p.segment]
	s.live, r.live = s.live-size, r.live-size
	if s.live == 0 && p.segment != r.last {
		r.drop(p.segment)
	}
}

// move moves a record to the end of the log.
func (r *records) move(owner number, from place) place {
	text := r.at(from)
	r.remove(from)
	s, to := r.begin(owner, len(text))
	s.texts = append(s.texts, text...)
	return to
}

// dead is how many bytes are held of what was removed.
func (r *records) dead() int { return r.held - r.live }

// sparsest is the segment with the most dead bytes, the last one aside; ok is false where
// there is none that has any. It goes when all that lives in it is moved.
func (r *records) sparsest() (worst uint32, ok bool) {
	most := 0
	for n, s := range r.segments {
		if dead := len(s.texts) - s.live; dead > most && uint32(n) != r.last {
			worst, most = uint32(n), dead
		}
	}
	return worst, most > 0
}

// all are the records of the segment, dead ones too, with their owners.
func (r *records) all(segment uint32) iter.Seq2[number, place] {
	texts := r.segments[segment].texts
	return func(yield func(number, place) bool) {
		for offset := uint32(headerSize); int(offset) <= len(texts); {
			header := texts[offset-headerSize:]
			at := place{segment, offset, binary.LittleEndian.Uint32(header[4:])}
			if !yield(number(binary.LittleEndian.Uint32(header)), at) {
				return
			}
			offset += at.length + headerSize
		}
	}
}
