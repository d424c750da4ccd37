package cache

import (
	"errors"

	"jobgraph/upstream"
)

// entry is what a call gave. A refusal, such as of a token that has expired, is an entry
// without a result: nothing is served of what the token could see before.
type entry struct {
	result
	// asked and ended are when the call began and ended, in the clock's nanoseconds:
	// what upstream said may be as old as the first.
	asked, ended int64
}

// result is a job, or notFound; what is neither is not served again. Each call makes a
// result of its own, so that the same pointer is the same knowledge.
type result struct {
	job      *upstream.Job
	notFound *upstream.Error
}

func resultOf(job *upstream.Job, err error) result {
	var failed *upstream.Error
	switch {
	case err == nil:
		return result{job: job}
	case errors.As(err, &failed) && failed.Type == upstream.ItemNotFound:
		return result{notFound: failed}
	default:
		return result{}
	}
}

func (r result) servable() bool { return r != result{} }

func (r result) err() error {
	if r.notFound != nil {
		return r.notFound
	}
	return nil
}

// weight is roughly the entry's memory in bytes: the fixed part, and the texts
// that can be long.
func (e entry) weight() uint32 {
	bytes := 1024
	if e.job == nil {
		return uint32(bytes)
	}
	for _, target := range e.job.ReturnTargets {
		bytes += 128 + 2*len(target.Settings)
	}
	for _, option := range e.job.Options {
		bytes += 64 + len(option.Name) + len(option.Value)
	}
	for _, text := range []*string{e.job.Name, e.job.ExternalID, e.job.SourceLanguage, e.job.TargetLanguage} {
		if text != nil {
			bytes += len(*text)
		}
	}
	return uint32(bytes)
}
