package upstream

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/upstream/http1"
)

func TestRedact(t *testing.T) {
	for text, want := range map[string]string{
		"No job " + anID + " here.":                                    "No job " + anID + " here.",
		"No job " + strings.ToUpper(anID):                              "No job [redacted]",
		"No job " + anID + "0":                                         "No job [redacted]",
		"No job " + anID[:31]:                                          "No job [redacted]",
		"jobs " + anID + " and " + canary:                              "jobs " + anID + " and [redacted]",
		"a bad decade, 12345":                                          "a bad decade, 12345",
		"12345678":                                                     "[redacted]",
		"token=" + canary + "!":                                        "token=[redacted]!",
		"tokenx" + canary[:8] + "x":                                    "tokenx[redacted]x",
		"due 2014-08-27T14:00:06":                                      "due 2014-08-27T14:00:06",
		"at 127.0.0.1:41234: refused":                                  "at 127.0.0.1:41234: refused",
		grouped(canary, 4, "-"):                                        "[redacted]",
		"of " + grouped(canary, 2, " ") + ".":                          "of [redacted].",
		grouped(canary, 1, `", "`) + " it":                             "[redacted] it",
		grouped(canary, 7, "_"):                                        "[redacted]",
		grouped(canary, 5, "\u200b"):                                   "[redacted]",
		encoded(canary, "%%%02x"):                                      "[redacted]",
		encoded(canary, `\x%02x`):                                      "[redacted]",
		encoded(canary, `\u%04x`):                                      "[redacted]",
		encoded(canary, "&#%d;"):                                       "&#[redacted];",
		"in " + encoded(canary, "0x%02x, "):                            "in [redacted],",
		canary[:7] + "%" + fmt.Sprintf("%02x", canary[7]) + canary[8:]: "[redacted]",
		"is " + base64.StdEncoding.EncodeToString([]byte("a:"+canary)) + " so":  "is [redacted]== so",
		"is " + base64.RawURLEncoding.EncodeToString([]byte("???"+canary)):      "is [redacted]",
		base64.RawStdEncoding.EncodeToString([]byte("https://me:pw@host/")):     "[redacted]",
		"This account is underprivileged (accountadministration, a_b_c_d_e_f).": "This account is underprivileged (accountadministration, a_b_c_d_e_f).",

		"at https://me:pa55w0rd@example.com:8443/cb/x?s=1#y.":  "at https://example.com.",
		"at //example.com:8443/cb/x?s=1.":                      "at //example.com.",
		`goes to "//example.com/s3cret", or`:                   `goes to "//example.com", or`,
		"see www.example.com/s3cret?s=1 for it":                "see www.example.com for it",
		"a // b, and/or //":                                    "a // b, and/or //",
		`The URL "https://example.com/a?(b", too`:              `The URL "https://example.com", too`,
		"postgres://u:p@db/x s3://bucket/key ftp://h":          "postgres://db s3://bucket ftp://h",
		"https://[2001:db8::1]:80/x":                           "https://[2001:db8::1]",
		"https://pa/ss@host/ and https://me:pass":              "https://[redacted] and https://[redacted]",
		"https://a.example/,https://me:pw@b.example/":          "https://[redacted]",
		`https:\/\/me:pw@host\/x`:                              "https://host",
		"https://me%3Apw%40host/":                              "https://[redacted]",
		"https%3A%2F%2Fme%3Apw%40host%2Fx":                     "[redacted]",
		"asked me:pw@host/x and //me:pw@host":                  "asked [redacted] and [redacted]",
		"GET /api/job/info?v=1&api_token=abc HTTP/1.1":         "GET /api/job/info HTTP/1.1",
		"api.example/x?sig=abc&url=https://me:pw@host/":        "api.example/xhttps://host",
		"Why? Really?yes. Write to support@example.com":        "Why? Really?yes. Write to support@example.com",
		"https://" + canary + ".example/" + " https://" + anID: "https://[redacted] https://" + anID,
	} {
		assert.Equal(t, want, redact(text, anID), "%q", text)
	}
	assert.Equal(t, "[redacted] job", redact("1234567 "+canary[:9]+" job", "1234567"), "a row")
	assert.Equal(t, "x 1234567 y", redact("x 1234567 y", "1234567"))
	assert.Equal(t, "c0ffee12 not [redacted] nor [redacted]", redact("c0ffee12 not c0ffee123 nor 1c0ffee12", "c0ffee12"), "a whole run")
}

func grouped(text string, size int, between string) string {
	var groups []string
	for ; len(text) > size; text = text[size:] {
		groups = append(groups, text[:size])
	}
	return strings.Join(append(groups, text), between)
}

func encoded(text, form string) string {
	var all strings.Builder
	for _, c := range []byte(text) {
		fmt.Fprintf(&all, form, c)
	}
	return all.String()
}

// TestRedact_ACutTextShowsNoPart has long texts that redaction makes short, so that what
// stands where they are cut would be seen.
func TestRedact_ACutTextShowsNoPart(t *testing.T) {
	filler := strings.Repeat("0", maxWork-100)
	for end := 0; end < 100; end += 5 {
		for _, secret := range []string{" " + canary, " https://me:pa55w0rd@host", " me:pa55w0rd@host", " " + grouped(canary, 2, " ")} {
			text := redact(filler+strings.Repeat(" ", end)+secret+strings.Repeat("x", 200), anID)
			assert.NotContains(t, text, "pa55", end)
			assert.NotContains(t, text, "me:", end)
			assert.NotContains(t, text, canary[:4], end)
			assert.NotContains(t, text, canary[:2]+" "+canary[2:4], end)
		}
	}
}

// shapes are texts in which an upstream repeats what it was asked.
var shapes = []string{
	"ID", "TOKEN", "TOKEN ID", "IDTOKEN", "TOKENID", "ID/TOKEN/ID", "ID-TOKEN", "x_TOKEN_ID+ID", "xTOKENx IDx", "uTOKEN 0xID",
	"No job ID for 'TOKEN'.", "https://h/api?api_token=TOKEN&job_id=ID", "https://TOKEN.example/ID", "https://TOKEN:ID@h/", "TOKEN:ID@h ID",
	"/api?job_id=ID&api_token=TOKEN", "PART ID", "ID PART", "IDPART", "PARTID", "PART-ID-PART", "GROUPS ID", "ID-GROUPS", "PERCENT", "ID%PERCENT",
	"BASE64", "ID/BASE64", "MIXED64", "UPPER", "ID UPPER", "SHOUTED", "TOKEN?a=ID", "?ID=TOKEN", "http://ID:TOKEN", "http://h:TOKEN/@ID", "TOKEN://ID", "TOKEN://h/ID", ":%TOKEN",
	`\u0041TOKEN`, "%41TOKEN%41", "[redacted]TOKEN", "TOKEN…ID",
}

func shaped(shape, token, id string) string {
	return strings.NewReplacer("TOKEN", token, "ID", id, "PART", token[len(token)/3:], "GROUPS", grouped(token, 4, "-"), "PERCENT", encoded(token, "%%%02X"),
		"BASE64", base64.StdEncoding.EncodeToString([]byte(token)), "MIXED64", base64.StdEncoding.EncodeToString([]byte(id+":"+token)),
		"UPPER", strings.ToUpper(token), "SHOUTED", strings.ToUpper(id)).Replace(shape)
}

// tokens of a length, among them those that other readings of digits could take for
// something else: numbers, and digits that encode digits.
func tokensOf(length int) []string {
	var tokens []string
	for _, seed := range []string{canary, "0", "9", "f", "36", "3631", "40", "0123456789abcdef", "deadbeef", "c0ffee12", "4d44417730", "2014082714000647"} {
		tokens = append(tokens, strings.Repeat(seed, length)[:length])
	}
	return append(tokens, anID[:length], strings.ToUpper(canary[:length]))
}

// TestRedact_AnAnswerDoesNotChangeWithTheToken has an upstream repeat token and id in many
// shapes. To a caller who chooses the ids, prefixes of the token among them, every
// token must look the same.
func TestRedact_AnAnswerDoesNotChangeWithTheToken(t *testing.T) {
	var shape string
	var status int
	repeats := getterFunc(func(query string) http1.Response {
		asked, _ := url.ParseQuery(query)
		text := shaped(shape, asked.Get("api_token"), asked.Get("job_id"))
		body, _ := json.Marshal(map[string]string{"ErrorType": "NEW " + text, "ErrorComment": text, "JobId": "aa", "JobStatus": text})
		return http1.Response{Status: status, Body: body}
	})
	var log bytes.Buffer
	c := client(t, "http://upstream.invalid", Options{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: withoutTime}))})
	c.info = repeats
	ids := []string{"a", anID, strings.Repeat("b", 256), "c0ffee12", canary[:31], "36313631"}
	for _, length := range []int{16, 32} {
		for _, shape = range shapes {
			for _, id := range ids {
				seen := map[string]string{}
				for _, token := range tokensOf(length) {
					if strings.Contains(id, token) {
						continue // who guesses a whole token may as well send it
					}
					status = 400
					_, err := c.Job(t.Context(), NewRequest(token, id))
					var failed *Error
					require.ErrorAs(t, err, &failed)
					log.Reset()
					c.unrecognized = newUnrecognizedLog(c.unrecognized.logger, nobody{})
					status = 200
					_, err = c.Job(t.Context(), NewRequest(token, id))
					require.NoError(t, err)
					seen[fmt.Sprint(failed, *failed.UpstreamType, errors.Unwrap(failed), log.String())] = token
				}
				if !assert.Len(t, seen, 1, "shape %q, id %s", shape, id) {
					return
				}
			}
		}
	}
}

type getterFunc func(query string) http1.Response

func (f getterFunc) Get(_ context.Context, _ time.Time, query string, _ func(context.Context) error) (http1.Response, error) {
	return f(query), nil
}
func (getterFunc) Close() {}

func withoutTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

// TestRedact_BesideAShortTokenNothingIsQuoted: its form does not tell it from a word.
func TestRedact_BesideAShortTokenNothingIsQuoted(t *testing.T) {
	for _, errorType := range []ErrorType{LoginInvalid, AccountExists, AccountUnprivileged, BadAPIToken, InvalidQuery,
		InvalidOption, MissingParameter, InvalidURL, ItemNotFound} {
		body := fmt.Sprintf(`{"ErrorType": %q, "ErrorComment": "The token cafe is wrong."}`, errorType)
		c := client(t, record(t, answer(400, body)).URL, Options{})
		failed := failedJob(t, c, "cafe", anID)
		assert.Equal(t, sentences[errorType], failed.Comment)
		assert.NotEmpty(t, failed.Comment)
		assert.Equal(t, string(errorType), *failed.UpstreamType)
		assert.Equal(t, "The token cafe is wrong.", failedJob(t, c, canary, anID).Comment)
	}
	failed := failedJob(t, client(t, record(t, answer(400, `{"ErrorType": "OF_CAFE", "ErrorComment": "cafe"}`)).URL, Options{}), "cafe", anID)
	assert.Equal(t, sentences[Unrecognized], failed.Comment)
	assert.Equal(t, "[redacted]", *failed.UpstreamType)
	var log bytes.Buffer
	c := client(t, record(t, answer(200, `{"JobId": "aa", "JobStatus": "of cafe"}`)).URL, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	_, err := c.Job(t.Context(), NewRequest("cafe", anID))
	require.NoError(t, err)
	assert.Contains(t, log.String(), "field=JobStatus")
	assert.NotContains(t, log.String(), "cafe")
}

// TestRedact_OnlyNamesOfEnumsAreLogged has values that no enum would have: that there was
// one is logged, once a field.
func TestRedact_OnlyNamesOfEnumsAreLogged(t *testing.T) {
	value := ""
	upstream := record(t, func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"JobId": "aa", "JobStatus": value})
	})
	var log bytes.Buffer
	for shown, values := range map[bool][]string{
		true: {"Paused", "In Review 2", "ON-HOLD_x", strings.Repeat("x", 64), "-"},
		false: {strings.Repeat("x", 65), "Paused!", "Pausé", "a\nb", "<b>", "me:pw@host", "https://host", "a/b", "%41", canary, "x " + canary[:8],
			grouped(canary, 4, "-"), base64.RawURLEncoding.EncodeToString([]byte(canary)), " x", "x "},
	} {
		for _, value = range values {
			log.Reset()
			c := client(t, upstream.URL, Options{Logger: slog.New(slog.NewJSONHandler(&log, nil))})
			for range 2 {
				_, err := c.Job(t.Context(), NewRequest(canary, anID))
				require.NoError(t, err)
			}
			var line map[string]any
			require.NoError(t, json.Unmarshal(log.Bytes(), &line), "one line: %s", log.String())
			assert.Equal(t, "JobStatus", line["field"])
			got, has := line["value"]
			assert.Equal(t, shown, has, value)
			if shown {
				assert.Equal(t, value, got)
			}
		}
	}
}

// TestRedact_UnknownEnumValuesAreLoggedUpToABound has more of them than that.
func TestRedact_UnknownEnumValuesAreLoggedUpToABound(t *testing.T) {
	var value int
	upstream := record(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, fmt.Sprintf(`{"JobId": "aa", "JobStatus": "New %d"}`, value))
	})
	var log bytes.Buffer
	c := client(t, upstream.URL, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	for value = range 300 {
		_, err := c.Job(t.Context(), NewRequest(canary, anID))
		require.NoError(t, err)
	}
	assert.Equal(t, 256, strings.Count(log.String(), "\n"), "lines")
	assert.Len(t, c.unrecognized.logged, 256)
}
