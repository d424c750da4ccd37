package paging_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"jobgraph/upstream"
	"jobgraph/upstream/listtest"
	"jobgraph/upstream/paging"
	"jobgraph/upstream/replay"
)

const token = "aa11"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var now = time.Date(2026, 5, 6, 7, 8, 9, 123_456_000, time.UTC)

// counted is a source that counts.
type counted struct {
	upstream.Lister
	calls, bytes int
	deadlines    []time.Time
}

func (c *counted) List(ctx context.Context, r upstream.ListRequest) (*upstream.List, error) {
	c.calls++
	c.deadlines = append(c.deadlines, r.Deadline)
	list, err := c.Lister.List(ctx, r)
	if err == nil {
		c.bytes += list.Bytes
	}
	return list, err
}

type desk struct {
	api    *listtest.API
	source *counted
	paging.Pager
}

func open(t testing.TB, api *listtest.API) *desk {
	t.Helper()
	server := httptest.NewServer(api)
	client, err := upstream.New(server.URL, upstream.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { client.Close(); server.Close() })
	d := &desk{api: api, source: &counted{Lister: client}}
	d.Pager = paging.Pager{Source: d.source, Now: func() time.Time { return now }}
	return d
}

func (d *desk) page(t testing.TB, filter *upstream.Filter, first int, after *paging.Cursor) *paging.Page {
	t.Helper()
	page, err := d.Page(context.Background(), paging.Request{Request: upstream.NewRequest(token, ""), Filter: filter, First: first, After: after})
	require.NoError(t, err)
	require.LessOrEqual(t, len(page.Jobs), first)
	return page
}

// walk gives the ids of all pages; between is called between them.
func (d *desk) walk(t testing.TB, filter *upstream.Filter, first int, between func(page *paging.Page)) (ids []string) {
	t.Helper()
	var after *paging.Cursor
	for {
		page := d.page(t, filter, first, after)
		for _, job := range page.Jobs {
			ids = append(ids, job.ID())
		}
		between(page)
		if !page.More {
			return ids
		}
		require.NotEmpty(t, page.Jobs)
		cursor, err := paging.ParseCursor(page.Cursors[len(page.Jobs)-1].String())
		require.NoError(t, err)
		after = &cursor
	}
}

func id(n int) string { return fmt.Sprintf("%08x", n) }

// jobs are so many, the n-th of which is so old.
func jobs(n int, age func(n int) time.Duration) (jobs []listtest.Job) {
	for n := range n {
		jobs = append(jobs, listtest.Job{ID: id(n), Created: now.Add(-age(n)).Truncate(time.Microsecond)})
	}
	return jobs
}

// Accounts of every kind are walked, while jobs are made and taken away: what was there all
// the time comes once and in order, and what comes was there.
func TestPager_Properties(t *testing.T) {
	random := replay.Rand(t)
	for range 12 {
		api := &listtest.API{Order: listtest.Order(random.IntN(3))}
		next := 0
		add := func(created time.Time) {
			next++
			api.Set(listtest.Job{ID: id(random.IntN(1 << 30)), Created: created.Truncate(time.Microsecond)})
		}
		// The ages are of one of several scales, the moments few or many.
		scale := time.Duration(1) << (10 + random.IntN(47))
		same := time.Duration(1) << random.IntN(40)
		some := func() time.Time {
			switch random.IntN(40) {
			case 0:
				return time.Time{}
			case 1:
				return now.Add(time.Duration(random.IntN(int(time.Hour))))
			default:
				return now.Add(-time.Duration(random.Int64N(int64(scale))).Truncate(same))
			}
		}
		for range random.IntN(400) {
			add(some())
		}
		d := open(t, api)
		changing := random.IntN(2) == 0
		before := api.Jobs()
		there := map[string]bool{}
		removed := map[string]bool{}
		for _, job := range before {
			there[job.ID] = true
		}
		first := 1 + random.IntN(30)
		got := d.walk(t, nil, first, func(*paging.Page) {
			for range random.IntN(3) {
				if !changing {
					return
				}
				if jobs := api.Jobs(); random.IntN(2) == 0 && len(jobs) > 0 {
					gone := jobs[random.IntN(len(jobs))].ID
					api.Delete(gone)
					removed[gone] = true
				} else {
					add(some())
				}
				for _, job := range api.Jobs() {
					there[job.ID] = true
				}
			}
		})
		seen := map[string]bool{}
		for _, id := range got {
			require.False(t, seen[id], "%s comes twice", id)
			require.True(t, there[id], "%s was never there", id)
			seen[id] = true
		}
		var stayed, stayedSeen []string
		was := map[string]bool{}
		for _, job := range before {
			if !removed[job.ID] {
				stayed = append(stayed, job.ID)
				was[job.ID] = true
			}
		}
		for _, id := range got {
			if was[id] {
				stayedSeen = append(stayedSeen, id)
			}
		}
		require.Equal(t, len(stayed), len(stayedSeen), "all that stayed, in order: %v %v first %d changing %v", api.Order, d.source.calls, first, changing)
	}
}

// Whatever an account has, its first page costs what it shows, and its walk each job about
// once: 750 bytes a job, and 21 or 101 jobs wanted.
func TestPager_PagesCostTheBytesOfTheirJobs(t *testing.T) {
	year := 365 * 24 * time.Hour
	for name, test := range map[string]struct {
		jobs []listtest.Job
	}{
		"a hundred in ten years":   {jobs(100, func(n int) time.Duration { return time.Duration(n) * (year / 10) })},
		"three thousand in a year": {jobs(3000, func(n int) time.Duration { return time.Duration(n) * (year / 3000) })},
		"two thousand in a minute": {jobs(2000, func(n int) time.Duration { return year + time.Duration(n)*(time.Minute/2000) })},
	} {
		t.Run(name, func(t *testing.T) {
			api := &listtest.API{Pad: 650}
			api.Set(test.jobs...)
			d := open(t, api)
			page := d.page(t, nil, 20, nil)
			assert.Len(t, page.Jobs, 20)
			t.Logf("first page: %d calls, %d bytes", d.source.calls, d.source.bytes)
			assert.Less(t, d.source.bytes, 200_000)
			assert.LessOrEqual(t, d.source.calls, 8)
			d.source.calls, d.source.bytes = 0, 0
			pages := 0
			ids := d.walk(t, nil, 100, func(*paging.Page) { pages++ })
			assert.Len(t, ids, len(test.jobs))
			t.Logf("walk: %d pages, %d calls, %.2f times the bytes", pages, d.source.calls, float64(d.source.bytes)/float64(750*len(ids)))
		})
	}
}

// However many calls a page makes, it takes no longer than one.
func TestPager_CallsOfAPageShareADeadline(t *testing.T) {
	d := open(t, &listtest.API{})
	d.Timeout = time.Minute
	d.page(t, nil, 20, nil)
	require.Greater(t, len(d.source.deadlines), 1)
	for _, deadline := range d.source.deadlines {
		assert.False(t, deadline.IsZero())
		assert.Equal(t, d.source.deadlines[0], deadline)
	}
}

// Ever sparser jobs need several windows a page, which end at whole seconds.
func TestPager_WindowsHaveNoGap(t *testing.T) {
	api := &listtest.API{}
	all := jobs(300, func(n int) time.Duration { return time.Duration(n) * time.Duration(n) * 37 * time.Millisecond })
	api.Set(all...)
	for _, first := range []int{1, 2, 5, 10, 40} {
		ids := open(t, api).walk(t, nil, first, func(*paging.Page) {})
		require.Len(t, ids, len(all), "pages of %d", first)
		for n, id := range ids {
			require.Equal(t, all[n].ID, id)
		}
	}
}
