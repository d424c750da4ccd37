package sandbox

import (
	"net/url"
	"strings"
)

// find returns the job that a query asks for, or what is wrong with the query. It looks at the parameters, then at the
// token, then for the job: whoever has no token does not learn which jobs there are.
func find(rawQuery string) (job, *fault) {
	token, id, fault := parameters(rawQuery)
	if fault != nil {
		return job{}, fault
	}
	if token != Token {
		return job{}, badAPIToken()
	}
	job, found := lookUp(id)
	if !found {
		return job, itemNotFound(id)
	}
	return job, nil
}

// parameters checks v, api_token and job_id. Others are ignored, as the documentation names none.
func parameters(rawQuery string) (token, id string, f *fault) {
	values, err := url.ParseQuery(rawQuery)
	if err != nil {
		// The error itself quotes the query.
		return "", "", invalidQuery("The query string is malformed.")
	}
	for _, name := range []string{"v", "api_token", "job_id"} {
		if f := once(values, name); f != nil {
			return "", "", f
		}
	}
	token, id = values.Get("api_token"), values.Get("job_id")
	switch {
	case values.Get("v") != "1":
		return "", "", invalidQuery("The parameter v must be 1, the only version of this API.")
	case !isHex(id):
		return "", "", invalidQuery("The parameter job_id must be a hex string, such as " + DocumentedJobID + ".")
	}
	return token, id, nil
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
