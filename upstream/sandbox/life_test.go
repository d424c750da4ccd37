package sandbox_test

import (
	"regexp"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	thirtySecondsID = "30000000000000000000000000000001"
	twoMinutesID    = "30000000000000000000000000000002"
	tenMinutesID    = "30000000000000000000000000000003"
)

var lifeLengths = map[string]time.Duration{
	thirtySecondsID: 30 * time.Second,
	twoMinutesID:    2 * time.Minute,
	tenMinutesID:    10 * time.Minute,
}

// twoLives is what a watcher of any moving job sees, the start of the third life included.
var twoLives = []string{
	"Authorizing", "Pending", "In Process", "Reviewing", "Complete", "Complete, returned",
	"Authorizing", "Pending", "In Process", "Media Failure",
	"Authorizing",
}

var start = time.Date(2026, 5, 4, 3, 2, 1, 987_654_321, time.UTC)

// clock is set by the test and read by the server.
type clock struct{ sinceStart atomic.Int64 }

func (c *clock) now() time.Time            { return start.Add(time.Duration(c.sinceStart.Load())) }
func (c *clock) set(elapsed time.Duration) { c.sinceStart.Store(int64(elapsed)) }

// watch looks at a job in even steps through two lives and once more, at the first moment of the third.
func watch(t *testing.T, id string, step time.Duration, see func(elapsed time.Duration, fields map[string]any)) {
	t.Helper()
	var c clock
	server := serve(t, c.now)
	for elapsed := time.Duration(0); elapsed <= 2*lifeLengths[id]; elapsed += step {
		c.set(elapsed)
		got := ask(t, server, id)
		require.Equal(t, 200, got.status)
		see(elapsed, decode(t, got.body))
	}
}

func stage(fields map[string]any) string {
	status := fields["JobStatus"].(string)
	if fields["ReturnDate"] != nil {
		status += ", returned"
	}
	return status
}

func TestLife_MovingJobsGoThroughAllStatuses(t *testing.T) {
	for id, length := range lifeLengths {
		t.Run(length.String(), func(t *testing.T) {
			var seen []string
			watch(t, id, length/100, func(_ time.Duration, fields map[string]any) {
				seen = append(seen, stage(fields))
			})
			assert.Equal(t, twoLives, slices.Compact(seen))
		})
	}
}

// TestLife_APollEveryTwoSecondsMissesNothing is about --poll-interval's default and the fastest job.
func TestLife_APollEveryTwoSecondsMissesNothing(t *testing.T) {
	const step = 100 * time.Millisecond
	var now string
	var since time.Duration
	watch(t, thirtySecondsID, step, func(elapsed time.Duration, fields map[string]any) {
		if next := stage(fields); next != now {
			if now != "" {
				assert.Greater(t, elapsed-since, 2*time.Second+step, now)
			}
			now, since = next, elapsed
		}
	})
}

func TestLife_EveryOtherLifeFails(t *testing.T) {
	var c clock
	server := serve(t, c.now)
	var ends []string
	for life := range 6 {
		c.set(time.Duration(life+1)*30*time.Second - 1)
		ends = append(ends, decode(t, ask(t, server, thirtySecondsID).body)["JobStatus"].(string))
	}
	assert.Equal(t, []string{
		"Complete", "Media Failure", "Complete", "Media Failure", "Complete", "Media Failure",
	}, ends)
}

func TestLife_MovingJobDifficultyFollowsTheWork(t *testing.T) {
	seen := map[string]any{}
	watch(t, thirtySecondsID, 300*time.Millisecond, func(_ time.Duration, fields map[string]any) {
		seen[stage(fields)] = fields["JobDifficulty"]
	})
	assert.Equal(t, map[string]any{
		"Authorizing": nil, "Pending": nil, "In Process": "Unknown", "Reviewing": "Good",
		"Complete": "Good", "Complete, returned": "Good", "Media Failure": "Bad",
	}, seen)
}

// TestLife_MovingJobHasWhatItsStageHas names the fields that are not null at each stage, beside those that always are set.
func TestLife_MovingJobHasWhatItsStageHas(t *testing.T) {
	pending := []string{"AuthorizationDate", "DueDate"}
	failing := append([]string{"StartDate", "JobDifficulty"}, pending...)
	working := append([]string{"MediaLengthSeconds"}, failing...)
	complete := append([]string{"CompletedDate", "ReturnTargets"}, working...)
	returned := append([]string{"ReturnDate"}, complete...)
	want := map[string][]string{
		"Authorizing": nil, "Pending": pending, "In Process": working, "Reviewing": working,
		"Complete": complete, "Complete, returned": returned, "Media Failure": failing,
	}
	nullable := []string{
		"MediaLengthSeconds", "StartDate", "DueDate", "CompletedDate", "ReturnDate", "AuthorizationDate",
		"JobDifficulty", "ReturnTargets",
	}
	watch(t, thirtySecondsID, 300*time.Millisecond, func(elapsed time.Duration, fields map[string]any) {
		assert.ElementsMatch(t, fieldNames, keys(fields))
		expected := want[stage(fields)]
		if stage(fields) == "In Process" && elapsed >= 30*time.Second {
			expected = failing
		}
		for name, value := range fields {
			set := !slices.Contains(nullable, name) || slices.Contains(expected, name)
			assert.Equal(t, set, value != nil, "%s at %s, %s", name, elapsed, stage(fields))
		}
	})
}

func TestLife_MovingJobDatesFitTheClock(t *testing.T) {
	for id, length := range lifeLengths {
		t.Run(length.String(), func(t *testing.T) {
			first := map[string]any{} // each date as it was first seen in this life
			watch(t, id, length/100, func(elapsed time.Duration, fields map[string]any) {
				datesInOrder(t, fields)
				if elapsed%length == 0 {
					clear(first)
					assert.Equal(t, start.Add(elapsed).Format("2006-01-02T15:04:05.999999"), fields["CreationDate"])
				}
				for _, name := range dateNames {
					if fields[name] == nil {
						continue
					}
					if _, seen := first[name]; !seen {
						first[name] = fields[name]
					}
					assert.Equal(t, first[name], fields[name], "%s moved", name)
					if name != "DueDate" {
						assert.False(t, parse(t, fields[name]).After(start.Add(elapsed)), "%s is in the future", name)
					}
				}
			})
		})
	}
}

func TestLife_MovingJobDatesComeWithAndWithoutFraction(t *testing.T) {
	var c clock
	server := serve(t, c.now)
	c.set(25 * time.Second)
	fields := decode(t, ask(t, server, thirtySecondsID).body)
	assert.Equal(t, "2026-05-04T03:02:01.987654", fields["CreationDate"])
	assert.Equal(t, "2026-05-04T03:02:09", fields["StartDate"], "7.5 s later, cut to the second")
	assert.Equal(t, "2026-05-04T03:02:27", fields["DueDate"], "25.5 s later, cut to the second")
}

func TestLife_MovingJobFollowsFromTheClockAlone(t *testing.T) {
	var c clock
	server := serve(t, c.now)
	at := func(elapsed time.Duration) string {
		c.set(elapsed)
		return ask(t, server, twoMinutesID).body
	}
	early, late := at(time.Minute), at(time.Hour)
	assert.NotEqual(t, early, late)
	assert.Equal(t, early, at(time.Minute), "the clock was set back")
	assert.Equal(t, at(0), at(-time.Hour), "before the first life")
}

func TestLife_MovingJobsUseTheRealClockByDefault(t *testing.T) {
	server := serve(t, nil)
	fields := decode(t, ask(t, server, tenMinutesID).body)
	assert.Equal(t, "Authorizing", fields["JobStatus"])
	assert.WithinDuration(t, time.Now(), parse(t, fields["CreationDate"]), time.Minute)
}

// dateNames are the dates in the order in which they come, the due date last.
var dateNames = []string{
	"CreationDate", "AuthorizationDate", "StartDate", "CompletedDate", "ReturnDate", "DueDate",
}

var isoDate = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?$`)

func datesInOrder(t *testing.T, fields map[string]any) {
	t.Helper()
	var last time.Time
	for _, name := range dateNames {
		if fields[name] == nil {
			continue
		}
		assert.Regexp(t, isoDate, fields[name], name)
		date := parse(t, fields[name])
		assert.False(t, date.Before(last), "%s %s is before %s", name, date, last)
		last = date
	}
}

func parse(t *testing.T, value any) time.Time {
	t.Helper()
	date, err := time.Parse("2006-01-02T15:04:05", value.(string))
	require.NoError(t, err)
	return date
}
