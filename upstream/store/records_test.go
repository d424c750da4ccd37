package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/upstream"
	"jobgraph/upstream/replay"
	"jobgraph/upstream/store/storetest"
)

// The collector marks what has pointers: each time all of the cache, if one field had one.
func TestSlots_HaveNoPointers(t *testing.T) {
	for _, kept := range []any{slot{}, token{}, digest{}, number(0), upstream.TokenKey{}} {
		assert.Empty(t, pointers(reflect.TypeOf(kept)), "%T", kept)
	}
}

func pointers(of reflect.Type) (found []string) {
	switch of.Kind() {
	case reflect.Struct:
		for field := range of.NumField() {
			for _, name := range pointers(of.Field(field).Type) {
				found = append(found, of.Field(field).Name+" "+name)
			}
		}
	case reflect.Array:
		found = pointers(of.Elem())
	case reflect.String, reflect.Slice, reflect.Pointer, reflect.Map, reflect.Interface, reflect.Func, reflect.Chan, reflect.UnsafePointer:
		found = []string{of.String()}
	}
	return found
}

// counting gives each job another name with each call, of random length.
type counting struct {
	random *rand.Rand
	calls  int
	last   map[string]string
}

func (c *counting) Job(_ context.Context, r upstream.Request) (*upstream.EncodedJob, error) {
	c.calls++
	name := strconv.Itoa(c.calls) + strings.Repeat("n", c.random.IntN(1500))
	if c.random.IntN(50) == 0 {
		name += strings.Repeat("l", maxPacked)
	}
	c.last[r.Key.ID] = name
	status := upstream.StatusPending
	if c.random.IntN(2) == 0 {
		status = upstream.StatusMediaFailure
	}
	return upstream.Job{ID: r.Key.ID, Name: &name, Status: status}.Encode(), nil
}

// Jobs of all sizes come, are replaced, expire and are evicted, so that segments are
// compacted all the time, and what is served is what was asked for last.
func TestStore_ServesFromSegmentsWhatItWasGiven(t *testing.T) {
	const room = 2 << 20
	seed := replay.Seed(t)
	random := rand.New(rand.NewPCG(seed, 1))
	source, now := &counting{random: random, last: map[string]string{}}, &storetest.Clock{}
	s := New(source, Options{SettledTTL: time.Minute, ActiveTTL: 10 * time.Second, MaxBytes: room, Now: now.Now})
	defer s.Close()
	served, compacted := 0, 0
	segment := s.records.last
	kept := map[string]*upstream.EncodedJob{} // jobs stay what they are, whatever becomes of the segments
	for range 20_000 {
		request := upstream.NewRequest("aa", fmt.Sprintf("%x", random.IntN(4000)))
		request.Fresh = random.IntN(5) == 0
		calls := source.calls
		job, err := s.Job(t.Context(), request)
		require.NoError(t, err)
		require.Equal(t, source.last[request.Key.ID], *job.Name())
		if source.calls == calls {
			served++
			kept[*job.Name()] = job
		}
		if random.IntN(100) == 0 {
			now.Advance(time.Duration(random.IntN(1000)) * time.Millisecond)
		}
		require.LessOrEqual(t, s.records.dead(), room/8+segmentSize)
		if s.records.last < segment {
			compacted++
		}
		segment = s.records.last
	}
	for name, job := range kept {
		require.Equal(t, name, *job.Name())
	}
	assert.NotZero(t, served)
	assert.NotZero(t, s.evicted)
	assert.NotZero(t, compacted, "numbers of segments are used again")
	s.checkRecords(t)
	now.Advance(time.Hour)
	s.evict()
	assert.Zero(t, s.bytes)
	assert.Zero(t, s.records.live)
	assert.LessOrEqual(t, s.records.held, segmentSize)
	assert.Empty(t, s.apart)
}

// checkRecords compares the sums with what they are of.
func (s *Store) checkRecords(t *testing.T) {
	t.Helper()
	live, held, bytes, large := 0, 0, 0, 0
	for _, n := range s.slots {
		e := s.pages.at(n).entry
		bytes += e.bytes
		switch e.content {
		case packed:
			live += headerSize + int(e.packed.length)
		case apart:
			large++
		}
	}
	for _, segment := range s.records.segments {
		held += len(segment.texts)
	}
	assert.Equal(t, live, s.records.live)
	assert.Equal(t, held, s.records.held)
	assert.Equal(t, bytes, s.bytes)
	assert.Len(t, s.apart, large)
	assert.NotZero(t, large)
}

// Slots and segments are used again: as many jobs at a time take as much memory at the end as
// they did after the first of them had gone.
func TestStore_UsesItsPagesAgain(t *testing.T) {
	source := &source{answer: settledJob}
	s := New(source, Options{SettledTTL: time.Minute, ActiveTTL: time.Second, MaxBytes: 512 << 10})
	defer s.Close()
	for i := range 20_000 {
		_, err := s.Job(t.Context(), upstream.NewRequest(fmt.Sprintf("%x", i/3), strconv.Itoa(i)))
		require.NoError(t, err)
	}
	assert.LessOrEqual(t, len(s.pages.pages), (512<<10)/overhead/pageSize+2)
	assert.LessOrEqual(t, len(s.tokenPages.pages), (512<<10)/overhead/pageSize+2)
	assert.LessOrEqual(t, len(s.records.segments), (512<<10)*9/8/segmentSize+2)
	assert.Equal(t, len(s.slots), len(s.pages.pages)*pageSize-len(s.pages.free))
	assert.Equal(t, len(s.tokens), len(s.tokenPages.pages)*pageSize-len(s.tokenPages.free))
}
