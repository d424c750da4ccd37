package sandbox

import (
	"net/url"
	"strings"
)

// find returns the job that a query asks for, or what is wrong with the query. It looks at the parameters, then at the
// token, then for the job: whoever has no token does not learn which jobs there are.
func (s *server) find(rawQuery string) (job, *fault) {
	values, fault := parameters(rawQuery, "v", "api_token", "job_id")
	if fault != nil {
		return job{}, fault
	}
	id := values.Get("job_id")
	if !isHex(id) {
		return job{}, invalidQuery("The parameter job_id must be a hex string, such as " + DocumentedJobID + ".")
	}
	if !s.sessions.use(values.Get("api_token")) {
		return job{}, badAPIToken()
	}
	job, found := s.lookUp(id)
	if !found {
		return job, itemNotFound(id)
	}
	return job, nil
}

// parameters checks that the required ones are there, v among them. Those that the documentation does not name are ignored.
func parameters(rawQuery string, required ...string) (url.Values, *fault) {
	values, err := url.ParseQuery(rawQuery)
	if err != nil {
		// The error itself quotes the query.
		return nil, invalidQuery("The query string is malformed.")
	}
	for _, name := range required {
		if f := once(values, name); f != nil {
			return nil, f
		}
	}
	if values.Get("v") != "1" {
		return nil, invalidQuery("The parameter v must be 1, the only version of this API.")
	}
	return values, nil
}

// once refuses a parameter given twice: servers disagree on which of the two counts, so a client must not rely on it.
func once(values url.Values, name string) *fault {
	switch {
	case len(values[name]) > 1:
		return invalidQuery("The parameter " + name + " is given more than once.")
	case values.Get(name) == "":
		return missingParameter(name)
	}
	return nil
}

func isHex(s string) bool {
	return strings.Trim(s, "0123456789abcdefABCDEF") == ""
}
