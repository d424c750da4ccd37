package fleet

import (
	"encoding/binary"
	"encoding/json"
	"time"

	"jobgraph/upstream"
	"jobgraph/upstream/poll"
)

// What a state begins with.
const (
	stateJob   = 1
	stateError = 2
	stateLast  = 4 // or this
)

// wireError is an [upstream.Error] as clients see it.
type wireError struct {
	Type         upstream.ErrorType
	Comment      string
	JobID        string
	UpstreamType *string
	Status       int
	RetryAfter   time.Duration
}

// encodeState is a byte that says what it is, the turn, the id with its length, and the
// job's record or the error as JSON.
func encodeState(state poll.SharedState) []byte {
	kind, rest := byte(stateJob), ""
	switch result := state.State.(type) {
	case *upstream.EncodedJob:
		rest = string(result.Record)
	case *upstream.Error:
		text, _ := json.Marshal(wireError{result.Type, result.Comment, result.JobID, result.UpstreamType, result.Status, result.RetryAfter})
		kind, rest = stateError, string(text)
	}
	if state.Last {
		kind |= stateLast
	}
	to := binary.AppendUvarint([]byte{kind}, uint64(state.Turn))
	to = binary.AppendUvarint(to, uint64(len(state.ID)))
	return append(append(to, state.ID...), rest...)
}

func decodeState(value []byte) (state poll.SharedState, ok bool) {
	if len(value) == 0 {
		return state, false
	}
	kind, value := value[0], value[1:]
	turn, n := binary.Uvarint(value)
	if n <= 0 {
		return state, false
	}
	value = value[n:]
	length, n := binary.Uvarint(value)
	if n <= 0 || length > uint64(len(value)-n) {
		return state, false
	}
	id, rest := string(value[n:n+int(length)]), value[n+int(length):]
	state = poll.SharedState{ID: id, Last: kind&stateLast != 0, Turn: int64(turn)}
	switch kind &^ stateLast {
	case stateJob:
		state.State = &upstream.EncodedJob{Record: upstream.Record(rest)}
	case stateError:
		var e wireError
		if json.Unmarshal(rest, &e) != nil {
			return state, false
		}
		state.State = &upstream.Error{Type: e.Type, Comment: e.Comment, JobID: e.JobID, UpstreamType: e.UpstreamType, Status: e.Status, RetryAfter: e.RetryAfter}
	default:
		return state, false
	}
	return state, true
}
