package sandbox

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// ScenarioHeader is the header of a request that wants a scenario.
const ScenarioHeader = "X-Sandbox"

const (
	// maxScenario bounds a scenario's text, so that a token has room for it.
	maxScenario = 100
	// maxSlow bounds how long an answer is held back.
	maxSlow = time.Minute
)

// Scenario is how the job API behaves beside what it holds, as the tests of a page want it. The zero Scenario is how it
// always behaves.
type Scenario struct {
	slow                            time.Duration
	status                          int // 0: as always
	expired, rateLimited, malformed bool
	mediaFailure                    bool
	life                            time.Duration // of every job; 0: as always
}

var errScenario = errors.New("a scenario is one or more of slow=2s (up to 1m), fail=503 (400 to 599), expired, rate-limited, malformed, media-failure and life=10s (1s to 1h), with commas between")

// ParseScenario reads a scenario such as "slow=2s,malformed"; "" is the zero one.
func ParseScenario(text string) (s Scenario, err error) {
	if text == "" {
		return Scenario{}, nil
	}
	if len(text) > maxScenario {
		return Scenario{}, errScenario
	}
	for part := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		duration, notDuration := time.ParseDuration(value)
		status, notStatus := strconv.Atoi(value)
		switch {
		case name == "slow" && notDuration == nil && duration > 0 && duration <= maxSlow:
			s.slow = duration
		case name == "fail" && notStatus == nil && status >= 400 && status <= 599:
			s.status = status
		case name == "life" && notDuration == nil && duration >= time.Second && duration <= time.Hour:
			s.life = duration
		case name == "expired" && value == "":
			s.expired = true
		case name == "rate-limited" && value == "":
			s.rateLimited = true
		case name == "malformed" && value == "":
			s.malformed = true
		case name == "media-failure" && value == "":
			s.mediaFailure = true
		default:
			return Scenario{}, errScenario
		}
	}
	return s, nil
}

// tokenMark is before the scenario in a token, so that no other token has one.
const tokenMark = "?"

// ScenarioToken is the token of a scenario of another token's. Whoever has it needs no header, and to all between it is a
// token like any other: what one scenario brings is never another's.
func ScenarioToken(token, scenario string) string {
	scenario = scenario[:min(len(scenario), maxScenario+1)] // one too long stays one
	return token + hex.EncodeToString([]byte(tokenMark+scenario))
}

// splitToken is the token, and the scenario that it is of; "": none.
func splitToken(token string) (own, scenario string) {
	if len(token) <= len(Token) {
		return token, ""
	}
	text, err := hex.DecodeString(token[len(Token):])
	if err != nil || !strings.HasPrefix(string(text), tokenMark) {
		return token, ""
	}
	return token[:len(Token)], string(text[len(tokenMark):])
}

// scenarioOf is the request's scenario: its header's, its token's or the server's. The request that is given back has
// the token alone.
func (s *server) scenarioOf(r *http.Request) (Scenario, *http.Request, *fault) {
	text := r.Header.Get(ScenarioHeader)
	values := r.URL.Query()
	if own, scenario := splitToken(values.Get("api_token")); own != values.Get("api_token") && len(values["api_token"]) == 1 {
		values.Set("api_token", own)
		r = r.Clone(r.Context())
		r.URL.RawQuery = values.Encode()
		if text == "" {
			text = scenario
		}
	}
	if text == "" {
		return s.scenario, r, nil
	}
	scenario, err := ParseScenario(text)
	if err != nil {
		return Scenario{}, r, invalidQuery("The header " + ScenarioHeader + " makes no sense: " + err.Error() + ".")
	}
	return scenario, r, nil
}

// play has the scenario happen before an endpoint answers, or in its place.
func (s Scenario) play(w http.ResponseWriter, r *http.Request, endpoint func(http.ResponseWriter, *http.Request, Scenario)) {
	if s.slow > 0 && !wait(r.Context(), s.slow) {
		return // the client has left
	}
	switch {
	case s.status != 0:
		w.WriteHeader(s.status)
	case s.rateLimited:
		w.Header().Set("Retry-After", "2")
		w.WriteHeader(http.StatusTooManyRequests)
	case s.expired:
		fail(w, http.StatusBadRequest, badAPIToken())
	case s.malformed:
		answer(w, http.StatusOK, []byte(`{"JobId": "`))
	default:
		endpoint(w, r, s)
	}
}

func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// see is the job at a moment as the scenario has it.
func (s Scenario) see(j job, started, now time.Time) view {
	v := j.view(started, now)
	if s.life > 0 {
		v = view{info: liveAt(s.life, started, now).info(order{id: j.ID, name: deref(v.JobName), externalID: deref(v.ExternalID), priority: "STANDARD", fidelity: "STANDARD"})}
	}
	if s.mediaFailure {
		v.body = nil
		v.JobID, v.JobStatus = j.ID, "Media Failure"
		v.MediaLengthSeconds, v.CompletedDate, v.ReturnDate, v.ReturnTargets = nil, date{}, date{}, nil
	}
	return v
}

func deref(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}
