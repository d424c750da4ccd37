package graph

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"go.opentelemetry.io/otel/propagation"

	"jobgraph/graph/admission"
	"jobgraph/graph/clientaddr"
	"jobgraph/graph/errcode"
	"jobgraph/graph/transport"
	"jobgraph/upstream"
	"jobgraph/upstream/keyedhash"
)

// Identity is who a caller is by its bearer token.
type Identity struct {
	// Token is that of the job API, or an account's handle.
	Token string
	// Subject tells callers of one account apart where their rates are counted; "": they
	// are one.
	Subject string
	// Expires is when the identity ends; zero: never.
	Expires time.Time
}

// ErrNoVerifier is an Authenticate's error where nobody can be verified for now.
var ErrNoVerifier = errors.New("callers cannot be verified for now")

// callers say who a request comes from, and whose share of the rate it takes.
type callers struct {
	// defaultToken is for those who send none.
	defaultToken string
	// authenticate is Options.Authenticate; nil: the bearer token is the job API's.
	authenticate func(ctx context.Context, bearer string) (Identity, error)
	// scenario is Options.Scenario; nil: there are none.
	scenario func(token, text string) string
	// answerTrace is Options.AnswerTrace.
	answerTrace bool
	rates       *admission.RateLimiter
	hash        *keyedhash.Hasher
}

// identify reads the lines Authorization: Bearer … of a request. None at all leave the caller
// as it is.
func (c callers) identify(ctx context.Context, from caller, lines []string) caller {
	if len(lines) == 0 {
		return from
	}
	from.token, from.lent = bearerToken(lines, ""), false
	if c.authenticate == nil {
		return from
	}
	bearer := from.token
	from.token, from.subject, from.expires, from.refused = "", "", time.Time{}, errNoBearer
	if bearer == notAToken {
		return from
	}
	identity, err := c.authenticate(ctx, bearer)
	from.token, from.subject, from.expires, from.refused = identity.Token, identity.Subject, identity.Expires, err
	return from
}

var errNoBearer = errors.New("there is no bearer token")

// anonymous is a caller that has said nothing yet.
func (c callers) anonymous(r *http.Request) caller {
	from := caller{token: c.defaultToken, lent: true, fresh: wantsFresh(r.Header), traced: c.answerTrace && r.Header.Get(traceHeader) == "1"}
	if c.authenticate != nil {
		from.token, from.refused = "", errNoBearer
	}
	if c.rates != nil {
		from.address = clientaddr.Of(r.RemoteAddr)
	}
	return from
}

// ScenarioHeader is the header, or the key of connection_init's payload, that wants a scenario
// of the sandbox.
const ScenarioHeader = "X-Sandbox"

// traceHeader is the header that wants to know what was done for a request.
const traceHeader = "JobGraph-Trace"

// inScenario is the token in the scenario, which is a token of its own: caches, pollers and
// circuit breakers keep one scenario from another as they keep callers.
func (c callers) inScenario(token, text string) string {
	if c.scenario == nil || text == "" || !upstream.IsToken(token) {
		return token
	}
	return c.scenario(token, text)
}

// refusal is the answer to a caller that is not let in.
func refusal(err error) (status int, code, message string) {
	if errors.Is(err, ErrNoVerifier) {
		return http.StatusServiceUnavailable, errcode.Overloaded, "This server cannot verify tokens for now: it does not reach the identity provider. Try again in a moment."
	}
	return http.StatusUnauthorized, errcode.Unauthenticated,
		"You are not let in: " + err.Error() + ". Send a token of your identity provider as Authorization: Bearer JWT."
}

// withRequest reads who asks and its wish for fresh data, and bounds the body. A WebSocket
// may say who it is later.
func (c callers) withRequest(next http.Handler, maxBody int64, observe func(ctx context.Context, name, outcome string, took time.Duration)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if own := c.admit(w, r, maxBody, observe); own != nil {
			next.ServeHTTP(w, own)
		}
	})
}

// admit gives the request with who asks; nil where it is refused, which is answered here.
func (c callers) admit(w http.ResponseWriter, r *http.Request, maxBody int64, observe func(ctx context.Context, name, outcome string, took time.Duration)) *http.Request {
	start := time.Now()
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	lines := r.Header.Values("Authorization")
	from := c.identify(r.Context(), c.anonymous(r), lines)
	from.ambiguous = ambiguous(lines)
	if c.answerTrace {
		w.Header().Add("Vary", traceHeader)
	}
	if c.scenario != nil {
		w.Header().Add("Vary", ScenarioHeader)
		from.token = c.inScenario(from.token, r.Header.Get(ScenarioHeader))
	}
	if from.refused != nil && !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		status, code, message := refusal(from.refused)
		transport.Refuse(w, r, status, code, message)
		observe(r.Context(), "", code, time.Since(start))
		return nil
	}
	return r.WithContext(withCaller(r.Context(), from))
}

// withInitToken reads the token from connection_init's payload, which has all values of a
// name, written there as in a header: {"Authorization": "Bearer HEX"}, in any case, and once.
// Without one the upgrade request's counts; where that has more than one, none does. The
// context ends with the caller's identity.
func (c callers) withInitToken(ctx context.Context, payload map[string][]any) (context.Context, error) {
	var lines []string
	for name, values := range payload {
		if !strings.EqualFold(name, "Authorization") {
			continue
		}
		for _, value := range values {
			line, ok := value.(string)
			if !ok {
				return nil, errors.New("send Authorization as a text such as Bearer HEX")
			}
			lines = append(lines, line)
		}
	}
	from := callerFrom(ctx)
	if !from.ambiguous {
		from = c.identify(ctx, from, lines)
	}
	if wanted := only(payload[ScenarioHeader]); wanted != "" {
		from.token = c.inScenario(from.token, wanted)
	}
	if from.refused != nil {
		_, _, message := refusal(from.refused)
		return nil, errors.New(message)
	}
	if parent := only(payload["traceparent"]); parent != "" {
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": parent})
	}
	return from.until(withCaller(ctx, from)), nil
}

// only is the value of a name that has one, which is a text.
func only(values []any) string {
	if len(values) != 1 {
		return ""
	}
	text, _ := values[0].(string)
	return text
}

// until ends the context with the caller's identity.
func (c caller) until(ctx context.Context) context.Context {
	if c.expires.IsZero() {
		return ctx
	}
	if end, ok := ctx.Deadline(); ok && !end.After(c.expires) {
		return ctx // a WebSocket's: it has more to say than that the operation is complete
	}
	ctx, cancel := context.WithDeadline(ctx, c.expires)
	context.AfterFunc(ctx, cancel)
	return ctx
}

// limit counts an operation of the caller: it may begin after so long.
func (c callers) limit(ctx context.Context) (wait time.Duration) {
	if c.rates == nil {
		return 0
	}
	from := callerFrom(ctx)
	if from.lent { // all who send no token have one: an address is what tells them apart
		return c.rates.Take(c.hash.Sum("address", netip.Prefix(from.address).String()))
	}
	return c.rates.Take(c.hash.Sum("token", from.token, from.subject))
}
