package upstream

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"
)

// FuzzDecodeJob holds what is promised of any body at all: an error, or a job whose
// every value can be written into an answer, and which is the same as a struct.
func FuzzDecodeJob(f *testing.F) {
	f.Add(documented(f))
	others, err := filepath.Glob("sandbox/jobs/*.json")
	if err != nil || len(others) == 0 {
		f.Fatal("no seeds", err)
	}
	for _, path := range others {
		body, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Add([]byte(`{"ErrorType": "ITEM_NOT_FOUND", "ErrorComment": "x"}`))
	f.Add(bodyWith(`"Options": {"a": [1,],},`))
	f.Fuzz(func(t *testing.T, body []byte) {
		encoded, err := decodeJob(body, func(string, string) {})
		if err != nil {
			if encoded != nil {
				t.Fatal("something of a malformed body is used")
			}
			return
		}
		job := encoded.Job()
		if again := job.Encode(); *again != *encoded {
			t.Fatalf("%q and, through a struct, %q", encoded.Record, again.Record)
		}
		for n := range jobFields {
			text := encoded.Field(n)
			if n < FieldReturnTargets && text != "" && !json.Valid([]byte(text)) {
				t.Fatalf("field %d is %q", n, text)
			}
		}
		if job.ID == "" || job.Status == "" || !utf8.ValidString(job.ID) {
			t.Fatalf("not a whole job: %+v", job)
		}
		for _, target := range job.ReturnTargets {
			if !json.Valid(target.Settings) || string(target.Settings) == "null" {
				t.Fatalf("settings %q", target.Settings)
			}
		}
		for _, option := range job.Options {
			if !json.Valid(option.Value) || string(option.Value) == "null" {
				t.Fatalf("value %q", option.Value)
			}
		}
	})
}
