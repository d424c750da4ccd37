package faults

import "fmt"

// documented are the job API's own error types.
var documented = []string{
	"LOGIN_INVALID", "ACCOUNT_EXISTS", "ACCOUNT_UNPRIVILEGED", "BAD_API_TOKEN", "INVALID_QUERY",
	"INVALID_OPTION", "MISSING_PARAMETER", "INVALID_URL", "ITEM_NOT_FOUND",
}

func statuses() []*Fault {
	var faults []*Fault
	for _, name := range documented {
		faults = append(faults, status(400, errorBody(name), name))
	}
	faults = append(faults,
		status(400, errorBody("NEW_TYPE"), "UNRECOGNIZED"),
		status(400, "<html>Bad Request</html>", malformed),
		status(400, "", malformed),
		status(401, "", "BAD_API_TOKEN"),
		status(401, "<html>", "BAD_API_TOKEN"),
		status(403, "", "ACCOUNT_UNPRIVILEGED"),
		status(403, errorBody("BAD_API_TOKEN"), "BAD_API_TOKEN"),
		status(404, "<html>Not Found</html>", malformed),
		status(404, errorBody("ITEM_NOT_FOUND"), "ITEM_NOT_FOUND"),
		status(408, "", timeout),
		status(429, "", limited),
		status(204, "", malformed),
		status(206, Job("a"), malformed),
	)
	for _, code := range []int{500, 502, 503, 504} {
		faults = append(faults, status(code, "<html>", unavailable), status(code, errorBody("ITEM_NOT_FOUND"), unavailable))
	}
	once := status(503, "", "")
	once.Name, once.times = "503 once", 1
	return append(faults, once)
}

func status(code int, body, want string) *Fault {
	if code == 204 {
		return &Fault{Name: "204", Want: want, do: raw("HTTP/1.1 204 No Content\r\n\r\n")}
	}
	return &Fault{Name: fmt.Sprintf("%d %.40s", code, body), Want: want,
		do: func(c *Conn, _ string) { _ = c.answer(code, "", body) }}
}

func errorBody(errorType string) string {
	return fmt.Sprintf(`{"ErrorType": %q, "ErrorComment": "Why."}`, errorType)
}

func redirects(elsewhere string) []*Fault {
	var faults []*Fault
	for _, code := range []int{300, 301, 302, 303, 304, 307, 308} {
		faults = append(faults, &Fault{Name: fmt.Sprintf("redirect %d", code), Want: malformed, do: func(c *Conn, _ string) {
			if code == 304 {
				raw("HTTP/1.1 304 Not Modified\r\n\r\n")(c, "")
				return
			}
			_ = c.answer(code, "Location: "+elsewhere+"/api/job/info\r\n", "")
		}})
	}
	return faults
}

// RateLimit is a 429 with the Retry-After header.
func RateLimit(retryAfter string) *Fault {
	return &Fault{Name: "429 with Retry-After", Want: limited,
		do: func(c *Conn, _ string) { _ = c.answer(429, "Retry-After: "+retryAfter+"\r\n", "") }}
}

// Hang accepts a request and answers nothing.
func Hang() *Fault { return connections()[0] }

// Status is an answer of that status with no body.
func Status(code int) *Fault { return status(code, "", "") }
