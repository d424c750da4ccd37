package sandbox

import (
	"encoding/json"
	"net/http"
)

// fault is the published error body, https://cielo24.readthedocs.io/en/latest/output_formats/formats.html. Its comment
// is our own text: nothing of the request goes in, except a job id that was found to be short hex.
type fault struct {
	Type    string `json:"ErrorType"`
	Comment string `json:"ErrorComment"`
}

func missingParameter(name string) *fault {
	return &fault{"MISSING_PARAMETER", "The parameter " + name + " is required, and it is missing or empty."}
}

func invalidQuery(comment string) *fault {
	return &fault{"INVALID_QUERY", comment}
}

func badAPIToken() *fault {
	return &fault{"BAD_API_TOKEN", "The api_token is not valid. The sandbox accepts the documented one, and those of its logins."}
}

func itemNotFound(id string) *fault {
	const longest = 64 // twice an id; a longer one would only fill the page
	if len(id) > longest {
		id = "asked for"
	}
	return &fault{"ITEM_NOT_FOUND", "No job has the id " + id + ". The sandbox's README lists the jobs that there are."}
}

func accountUnprivileged() *fault {
	return &fault{"ACCOUNT_UNPRIVILEGED", "The parameter Username names no account that is yours or below yours. The sandbox's README lists them."}
}

func fail(w http.ResponseWriter, status int, f *fault) {
	answer(w, status, encode(f))
}

func answer(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(body) // an error means that the client has left: nobody is there to be told
}

// encode writes JSON as the documentation's examples do, four spaces deep.
func encode(value any) []byte {
	body, err := json.MarshalIndent(value, "", "    ")
	if err != nil {
		panic("sandbox: " + err.Error()) // our own types always marshal
	}
	return append(body, '\n')
}
