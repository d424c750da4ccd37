package upstream_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"jobgraph/upstream"
)

func TestJob_Settled(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	ago := func(d time.Duration) *time.Time { return new(now.Add(-d)) }
	targets := []upstream.ReturnTarget{{Kind: "url"}}
	for name, c := range map[string]struct {
		job  upstream.Job
		want bool
	}{
		"returned":                          {upstream.Job{Status: upstream.StatusComplete, ReturnTargets: targets, ReturnDate: &now}, true},
		"nowhere to return it to":           {upstream.Job{Status: upstream.StatusComplete, CompletedDate: &now}, true},
		"complete just now":                 {upstream.Job{Status: upstream.StatusComplete, ReturnTargets: targets, CompletedDate: &now}, false},
		"complete for almost 35 minutes":    {upstream.Job{Status: upstream.StatusComplete, ReturnTargets: targets, CompletedDate: ago(35*time.Minute - 1)}, false},
		"complete for 35 minutes":           {upstream.Job{Status: upstream.StatusComplete, ReturnTargets: targets, CompletedDate: ago(35 * time.Minute)}, true},
		"complete in the future":            {upstream.Job{Status: upstream.StatusComplete, ReturnTargets: targets, CompletedDate: ago(-time.Hour)}, false},
		"complete, nobody knows since when": {upstream.Job{Status: upstream.StatusComplete, ReturnTargets: targets, CreationDate: ago(9000 * time.Hour)}, false},
		"media failure":                     {upstream.Job{Status: upstream.StatusMediaFailure, ReturnTargets: targets}, true},
		"in process":                        {upstream.Job{Status: upstream.StatusInProcess, CompletedDate: ago(time.Hour)}, false},
		"a status that is not known":        {upstream.Job{Status: upstream.Unrecognized, ReturnDate: &now}, false},
	} {
		assert.Equal(t, c.want, c.job.Encode().Settled(now), name)
	}
}
