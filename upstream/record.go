package upstream

import (
	"encoding/binary"
	"iter"
)

// Record holds the values of some fields, each as the JSON text that an answer shows, in
// one string: a table of where each text starts, in little-endian uint32s, and then the
// texts. The collector has nothing to mark in it, to write a field is to copy its text,
// and two records of one kind are equal if and only if all their values are.
type Record string

// offsetSize is the size of an offset, and of the length before an entry, in bytes.
const offsetSize = 4

// Field is the n-th field's JSON text; "" stands for null.
func (r Record) Field(n int) string {
	end := len(r)
	if next := offsetSize * (n + 1); next < r.offset(0) { // the texts begin where the table ends
		end = r.offset(next)
	}
	return string(r[r.offset(offsetSize*n):end])
}

// Entries are the entries of the n-th field, which is a list: a record each.
func (r Record) Entries(n int) iter.Seq[Record] {
	return func(yield func(Record) bool) {
		for list := Record(r.Field(n)); list != ""; {
			end := offsetSize + list.offset(0)
			if !yield(list[offsetSize:end]) {
				return
			}
			list = list[end:]
		}
	}
}

// offset is the uint32 that stands at the place.
func (r Record) offset(at int) int {
	b := r[at : at+offsetSize]
	return int(uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24)
}

// appendRecord appends a Record of the texts. A uint32 is wide enough: a job is bounded
// by its body's size, and its return targets by maxTargets.
func appendRecord(to []byte, texts ...[]byte) []byte {
	offset := offsetSize * len(texts)
	for _, text := range texts {
		to = binary.LittleEndian.AppendUint32(to, uint32(offset))
		offset += len(text)
	}
	for _, text := range texts {
		to = append(to, text...)
	}
	return to
}

// appendEntry appends an entry, with its length before it, to the text of a list.
func appendEntry(to []byte, texts ...[]byte) []byte {
	start := len(to)
	to = appendRecord(append(to, make([]byte, offsetSize)...), texts...)
	binary.LittleEndian.PutUint32(to[start:], uint32(len(to)-start-offsetSize))
	return to
}
