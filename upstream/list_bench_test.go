package upstream

import (
	"strings"
	"testing"
)

// A list of a thousand jobs of 750 bytes.
func BenchmarkReadList(b *testing.B) {
	job := strings.Replace(listed(1), "}", `, "JobName": "`+strings.Repeat("x", 600)+`"}`, 1)
	text := listOf(strings.Split(strings.Repeat(job+";", 999)+job, ";")...)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		jobs := 0
		err := readList(strings.NewReader(text), func(value []byte) error {
			jobs++
			_, err := decodeListed(value, func(string, string) {})
			return err
		}, func(string) {})
		if err != nil || jobs != 1000 {
			b.Fatal(err, jobs)
		}
	}
}
